"""What filterd asks of the operating system: durable files, bounded reads, sockets,
privileges, child processes."""
