"""Worker processes, in which messages are scanned: pool, fork server, framing, codec."""
