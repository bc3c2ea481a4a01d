"""Who sent a message: SPF, DKIM, DMARC and ARC, checked and made.

The results are values of `filterd.message.authentication`; what becomes of them the filters say.
"""
