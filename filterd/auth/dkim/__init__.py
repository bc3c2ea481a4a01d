"""DKIM: signatures verified and made (RFC 6376, 8301, 8463).

`verify` has the check of a message; the other modules are what ARC and signing need, too: tag lists
(`tags`), canonical header fields (`header`) and bodies (`body`), key records (`record`), private
keys and signatures (`signing`). Nothing is imported here, so that settings may name the limits
(`limits`) without loading a cryptographic library.
"""
