"""What is known of who sent a message: the results of SPF, DKIM, DMARC and ARC, as values.

The words are those of RFC 8601 §2.7; where another RFC has others (RFC 6376 "PERMFAIL", RFC 8617
"cv=none"), these stand for them. Domains are in lower case and A-labels, without a dot at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AuthResult(StrEnum):
    """How one check ended (RFC 8601 §2.7)."""

    NONE = "none"
    """Nothing was there to check: no record, no signature, no domain."""
    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    POLICY = "policy"
    """It verifies, but is not good enough: too weak a key, only a part of the body signed."""
    TEMPERROR = "temperror"
    """The DNS did not answer; the same message may have another result later."""
    PERMERROR = "permerror"
    """What the domain publishes, or the signature, cannot be used."""


class SpfIdentity(StrEnum):
    """Whose domain SPF was asked about (RFC 7208 §2.3, §2.4)."""

    MAIL_FROM = "mailfrom"
    HELO = "helo"


class DmarcPolicy(StrEnum):
    """What the owner of a domain asks for mail that fails (RFC 9989)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


_WEAKER = {
    DmarcPolicy.REJECT: DmarcPolicy.QUARANTINE,
    DmarcPolicy.QUARANTINE: DmarcPolicy.NONE,
    DmarcPolicy.NONE: DmarcPolicy.NONE,
}


@dataclass(frozen=True, slots=True)
class SpfCheck:
    """The result of SPF for one identity (RFC 7208).

    domain: whose record was evaluated. lookups, void: terms that asked the DNS, and those of them
    that found nothing (§4.6.4). mechanism: the one that matched, as the record has it. explanation:
    what the domain says to a fail (§6.2), printable ASCII. reason: of an error, in words.
    """

    result: AuthResult
    domain: str = ""
    identity: SpfIdentity = SpfIdentity.MAIL_FROM
    lookups: int = 0
    void: int = 0
    mechanism: str = ""
    explanation: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DkimCheck:
    """The result of one DKIM signature (RFC 6376, RFC 8463).

    domain, selector, auid: its d=, s= and i= ("" where it has none). algorithm: its a=. bits: size
    of the key, 0 where none was found. signature: the first characters of b=, which tell signatures
    apart (RFC 6008). testing: the key says t=y. unsigned: octets of the body that l= leaves out.
    reason: why it is not a pass, in words.
    """

    result: AuthResult
    domain: str = ""
    selector: str = ""
    auid: str = ""
    algorithm: str = ""
    bits: int = 0
    signature: str = ""
    testing: bool = False
    unsigned: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DmarcCheck:
    """The result of DMARC (RFC 9989).

    domain: the author domain, from the header field From. policy_domain: whose record applies, ""
    without one. organizational: its organizational domain. policy: what that record asks for this
    domain (p, sp or np); None without a record. testing: the record says t=y, which asks for the
    next weaker policy. spf_aligned, dkim_aligned: whether they pass for an aligned domain. record:
    as published. reason: of an error, in words.
    """

    result: AuthResult
    domain: str = ""
    policy_domain: str = ""
    organizational: str = ""
    policy: DmarcPolicy | None = None
    testing: bool = False
    spf_aligned: bool = False
    dkim_aligned: bool = False
    record: str = ""
    reason: str = ""

    @property
    def asked(self) -> DmarcPolicy:
        """What the owner asks for mail that fails: the next weaker policy where it is only tested
        (t=y, RFC 9989 §4.7); NONE without a record."""
        policy = self.policy or DmarcPolicy.NONE
        return _WEAKER[policy] if self.testing else policy


@dataclass(frozen=True, slots=True)
class ArcCheck:
    """The result of a message's ARC chain (RFC 8617).

    instance: the number of its newest set. Only of a chain that passes: domains: who sealed, the
    oldest first; results: what the oldest and the newest set say of the message as it came to them,
    as their Authentication-Results have it; oldest_pass: the oldest set since which the message is
    unchanged, 0 if it never was changed. reason: why it is not a pass, in words.
    """

    result: AuthResult
    instance: int = 0
    domains: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    oldest_pass: int | None = None
    reason: str = ""

    @property
    def validation_status(self) -> AuthResult:
        """NONE, PASS or FAIL: the chain validation status of RFC 8617 §4.4, for which every error
        is a fail (§5.2.1)."""
        known = (AuthResult.NONE, AuthResult.PASS)
        return self.result if self.result in known else AuthResult.FAIL


@dataclass(frozen=True, slots=True)
class Dkim2Check:
    """The result of a message's DKIM2 signatures (an Internet-Draft, `filterd/auth/dkim2`).

    sequence: the number of the newest signature. domains: only of a pass, who signed, the oldest
    first. changed_by: only of a pass, those of them who changed the message. reason: why it is not
    a pass, in words.
    """

    result: AuthResult
    sequence: int = 0
    domains: tuple[str, ...] = ()
    changed_by: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Authentication:
    """All of it, of one message. What was not checked is None, or empty.

    client: the address that was checked: of the client, or of whoever handed the message to a relay
    of ours (RFC 9990 calls it source_ip).
    override: why the policy that DMARC asks for was not followed, as RFC 9990 names it
    (`local_policy`, `trusted_forwarder`, `mailing_list`, `other`), "" where it was.
    """

    spf: SpfCheck | None = None
    helo: SpfCheck | None = None
    dkim: tuple[DkimCheck, ...] = ()
    dmarc: DmarcCheck | None = None
    arc: ArcCheck | None = None
    override: str = ""
    client: str = ""
    dkim2: Dkim2Check | None = None

    @property
    def author(self) -> str:
        """The author domain if DMARC proves it, or would do so if it had a record: an identity that
        passes and is aligned; else ""."""
        dmarc = self.dmarc
        if dmarc is None or not (dmarc.spf_aligned or dmarc.dkim_aligned):
            return ""
        return dmarc.domain

    def passes_for(self, domain: str) -> bool:
        """Whether the domain, in A-labels, or one above it, signed the message (DKIM) or let its
        client send (SPF, MAIL FROM). Without the tree walk of DMARC; but where DMARC was checked
        for that domain, and fails, as with a strict alignment that its owner asks for, nothing
        else proves it."""
        dmarc = self.dmarc
        if dmarc is not None and dmarc.result is AuthResult.FAIL and dmarc.domain == domain:
            return False
        return self._is_for(domain, AuthResult.PASS)

    def may_pass_for(self, domain: str) -> bool:
        """Whether nobody knows if it passes: a name server did not answer about one of these, or
        about DMARC of the domain itself."""
        dmarc = self.dmarc
        if dmarc is not None and dmarc.result is AuthResult.TEMPERROR and dmarc.domain == domain:
            return True
        return self._is_for(domain, AuthResult.TEMPERROR)

    def _is_for(self, domain: str, result: AuthResult) -> bool:
        found = [one.domain for one in self.dkim if one.result is result]
        if self.spf is not None and self.spf.result is result:
            found.append(self.spf.domain)
        return any(one and (domain == one or domain.endswith("." + one)) for one in found)

    @property
    def line(self) -> str:
        """In one line, for people: "passes as bank.example", "claims bank.example, but fails"."""
        dmarc = self.dmarc
        if dmarc is None or not dmarc.domain:
            return dmarc.reason if dmarc is not None else ""
        if self.author:
            return f"passes as {self.author}"
        match dmarc.result:
            case AuthResult.FAIL:
                asked = dmarc.asked
                wish = f"; its owner asks to {asked} such mail" if asked != DmarcPolicy.NONE else ""
                return f"claims {dmarc.domain}, but fails{wish}"
            case AuthResult.TEMPERROR:
                return f"claims {dmarc.domain}, could not be checked: the DNS did not answer"
            case AuthResult.PERMERROR:
                return f"claims {dmarc.domain}, whose DMARC record cannot be used"
        return f"claims {dmarc.domain}, unproven: that domain publishes no DMARC policy"
