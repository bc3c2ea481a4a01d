"""SPF: whether a domain lets a client send its mail (RFC 7208)."""

from filterd.auth.spf.check import begin_spf, check_spf

__all__ = ["begin_spf", "check_spf"]
