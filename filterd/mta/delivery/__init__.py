"""Delivery: where mail to an address goes, and the mailers that take it there.

`router` has the protocols of routers and mailers. Mailers: Maildir and mbox, programs, files,
other hosts by SMTP. Aliases and .forward files say who gets a local recipient's mail. All of it
runs in worker threads and may block.
"""
