"""What filterd asks of the operating system: durable files, bounded reads, privileges, children."""
