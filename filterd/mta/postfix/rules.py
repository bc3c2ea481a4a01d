"""What Postfix 3.7 accepts, and when it slows a client down. Source: `smtpd.c`; observed."""

from __future__ import annotations

import re

from filterd.mta.smtp.rules import SessionRules


def repaired_address(path: str) -> str | None:
    """Postfix quotes a local part that contains `@`."""
    local, at, domain = path.strip("<> ").rpartition("@")
    plain = local and domain and not re.search(r"[\s<>\"]", local + domain)
    return f'"{local}"@{domain}' if at and plain else None


RULES = SessionRules(
    # smtpd_soft_error_limit, smtpd_hard_error_limit
    soft_errors=10,
    hard_errors=20,
    unknown_verbs=frozenset({"EXPN", "HELP", "VERB", "TURN", "SEND", "SAML", "SOML"}),
    repairs_bare=True,
    repaired_address=repaired_address,
)
