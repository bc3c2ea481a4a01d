"""The filter `sign`: DKIM signatures on what our own people and hosts send.

`settings` and `keys` have the private keys, `filter` signs, `published` asks the DNS whether the
world can verify that.
"""
