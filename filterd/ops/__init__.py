"""Running filterd: the control socket, status, logs, ownership of folders."""
