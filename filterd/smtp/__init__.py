"""SMTP as a client: one connection to a server, for releases, digests, the MTA and `mta send`."""
