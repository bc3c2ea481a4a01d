"""Records of messages whose author was checked, for reports."""

from __future__ import annotations

from typing import Any

from filterd.history import Record
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DkimCheck,
    DmarcCheck,
    DmarcPolicy,
    SpfCheck,
)
from tests.helpers.feedback import DAY
from tests.helpers.reports import record

PUBLISHED = "v=DMARC1; p=reject; sp=quarantine; rua=mailto:dmarc@example.org"


def authenticated(
    id: str,
    received: float = DAY + 3600,
    *,
    domain: str = "example.org",
    policy_domain: str = "example.org",
    policy: DmarcPolicy = DmarcPolicy.REJECT,
    published: str = PUBLISHED,
    testing: bool = False,
    spf: bool = False,
    dkim: tuple[DkimCheck, ...] = (),
    dkim_aligned: bool = False,
    override: str = "",
    result: AuthResult | None = None,
    **fields: Any,
) -> Record:
    """One message of a domain that publishes a policy. spf, dkim_aligned: passes, aligned."""
    sender = fields.setdefault("sender", f"ann@{domain}")
    passes = spf or dkim_aligned
    found = Authentication(
        spf=SpfCheck(AuthResult.PASS if spf else AuthResult.FAIL, sender.rpartition("@")[2]),
        dkim=dkim,
        dmarc=DmarcCheck(
            result or (AuthResult.PASS if passes else AuthResult.FAIL),
            domain,
            policy_domain,
            policy_domain,
            policy,
            testing,
            spf,
            dkim_aligned,
            published,
        ),
        override=override,
    )
    fields.setdefault("client", "mx[192.0.2.1]")
    fields.setdefault("action", "accept")
    return record(id, received, authentication=found, **fields)


def signature(
    domain: str = "example.org", result: AuthResult = AuthResult.PASS, selector: str = "s1"
) -> DkimCheck:
    """One signature's result."""
    return DkimCheck(result, domain, selector)
