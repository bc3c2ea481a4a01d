"""ARC: chains of custody, verified and made longer (RFC 8617).

`verify` has the check of a message, `sealing` adds a set; `chain` finds the sets and checks their
structure, `fields` reads one field. Nothing is imported here, so that nobody loads a cryptographic
library by reading settings.
"""
