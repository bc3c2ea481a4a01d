"""DMARC: whether the author domain of a message is proven, and what its owner asks for otherwise.

Source: RFC 9989, which replaces RFC 7489 and RFC 9091.
"""

from filterd.auth.dmarc.authors import Authors, author_domains
from filterd.auth.dmarc.check import begin_dmarc, check_dmarc
from filterd.auth.dmarc.record import Alignment, DmarcRecord, Psd, ReportUri
from filterd.auth.dmarc.walk import Walk, organizational_domain, walk

__all__ = [
    "Alignment",
    "Authors",
    "DmarcRecord",
    "Psd",
    "ReportUri",
    "Walk",
    "author_domains",
    "begin_dmarc",
    "check_dmarc",
    "organizational_domain",
    "walk",
]
