"""Delivery: mailboxes, programs, relays, aliases, .forward."""
