"""Running filterd: addresses, the control socket, status, logs, ownership of folders."""
