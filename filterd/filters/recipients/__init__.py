"""Recipients: who is unknown here is refused at RCPT; a file, a program or a server knows."""
