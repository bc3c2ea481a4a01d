"""What becomes of mail that fails DMARC: the domain's wish, the site's settings, and who may change
a message on its way.

RFC 9989 §5.4: a policy of reject alone does not justify a refusal. RFC 9990 §3.1.1.13 names the
reasons for which a policy is not followed.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.auth.dmarc import author_domains
from filterd.auth.results import ResultsError, parse
from filterd.chain.replies import DELAY, DMARC
from filterd.chain.verdict import Action, Reason, Reply, Verdict
from filterd.filters.auth.settings import AuthSettings, DmarcAction
from filterd.filters.auth.symbols import covers
from filterd.message import Message
from filterd.message.address import Mailbox, canonical_domain
from filterd.message.authentication import (
    Authentication,
    AuthResult,
    DmarcCheck,
    DmarcPolicy,
)
from filterd.message.matching import is_in_networks, networks

_STRICTNESS: tuple[DmarcAction, ...] = ("ignore", "label", "quarantine", "reject")

_LIST_FIELDS = ("List-Id", "List-Post", "List-Unsubscribe")
"""Fields that mailing lists add (RFC 2919, RFC 2369)."""


@dataclass(frozen=True, slots=True)
class DmarcOutcome:
    """What becomes of a message. action: None where DMARC asks for nothing. override: as
    `Authentication.override` has it. why: in words, for the admin."""

    action: DmarcAction | None = None
    override: str = ""
    why: str = ""


class Acting:
    """The settings, ready to be looked at."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._actions = settings.actions
        self._forwarders = networks(settings.forwarders, local=False)
        self._forwarder_domains = settings.keys("forwarder_domains")
        self._lists = settings.keys("mailing_lists")
        self._sealers = settings.keys("arc_sealers")

    def outcome(self, found: Authentication, message: Message, client: str) -> DmarcOutcome:
        """What becomes of the message. client: the address of whoever handed it over."""
        dmarc = found.dmarc
        if dmarc is None or found.author:
            return DmarcOutcome()
        policy = DmarcPolicy.NONE
        if dmarc.domain:
            policy = dmarc.asked if dmarc.result is AuthResult.FAIL else policy
        elif dmarc.result is AuthResult.PERMERROR:
            # Any domain may be among those in From, and hide behind the others.
            policy = DmarcPolicy.QUARANTINE
        own = self._of_authors(found, dmarc, policy, message)
        if own is None and policy is DmarcPolicy.NONE:
            return _testing(dmarc)
        override, why = self._override(found, message, client)
        if override:
            return DmarcOutcome("ignore", override, why)
        wanted = own or self._default(policy)
        if wanted == policy.value:
            return DmarcOutcome(wanted, *_of_testing(dmarc))
        wish = f"{policy} is asked for" if dmarc.domain else dmarc.reason
        return DmarcOutcome(wanted, "local_policy", f"{wish}, {wanted} is set")

    def _of_authors(
        self, found: Authentication, dmarc: DmarcCheck, policy: DmarcPolicy, message: Message
    ) -> DmarcAction | None:
        """What the setting `domains` says, of several domains in From the strictest: DMARC's result
        is that of one of them, and the others, if nothing proves them, are claimed as well. A
        domain whose proof the DNS keeps back is left alone."""
        if not self._actions:
            return None
        authors = author_domains(message)
        claimed = authors.domains
        failed = dmarc.domain if dmarc.result is AuthResult.FAIL else ""
        unproven = [
            domain
            for domain in claimed
            if not (len(claimed) > 1 and found.passes_for(domain))
            and (domain == failed or not found.may_pass_for(domain))
        ]
        set_for = [self._of_domain(domain) for domain in (*unproven, dmarc.domain)]
        entries = [entry for entry in set_for[:-1] if entry is not None]
        if entries and (None in set_for or not authors.is_whole):
            # What is set for one of them is not for the others: they have what they ask for.
            entries = [entry for entry in entries if entry != "ignore"]
            if policy is not DmarcPolicy.NONE:
                entries.append(self._default(policy))
        return max(entries, key=_STRICTNESS.index, default=None)

    def _of_domain(self, domain: str) -> DmarcAction | None:
        """The closest entry of the setting `domains`."""
        for key in Mailbox("", domain).covered_by():
            if key in self._actions:
                return self._actions[key]
        return None

    def _default(self, policy: DmarcPolicy) -> DmarcAction:
        settings = self._settings
        is_reject = policy is DmarcPolicy.REJECT
        return settings.dmarc_reject if is_reject else settings.dmarc_quarantine

    def _override(self, found: Authentication, message: Message, client: str) -> tuple[str, str]:
        """Why the message may fail; `""` for no reason."""
        if is_in_networks(client, self._forwarders):
            return "trusted_forwarder", f"{client} is a forwarder"
        proven = [one.domain for one in found.dkim if one.result is AuthResult.PASS]
        if found.spf is not None and found.spf.result is AuthResult.PASS:
            proven.append(found.spf.domain)
        for domain in dict.fromkeys(proven):
            if covers(self._forwarder_domains, domain):
                return "trusted_forwarder", f"{domain} is a forwarder"
            if covers(self._lists, domain) and any(message.get(name) for name in _LIST_FIELDS):
                return "mailing_list", f"{domain} is a mailing list's"
        if self._sealers and self._passed_before(found, message):
            return "local_policy", f"DMARC passed before, says the ARC of {_sealers(found)}"
        return "", ""

    def _passed_before(self, found: Authentication, message: Message) -> bool:
        """Whether trusted sealers, and nobody else, say that DMARC passed for all that From names
        when the message came to the first of them."""
        arc = found.arc
        if arc is None or arc.result is not AuthResult.PASS or not arc.results:
            return False
        if not arc.domains or not all(covers(self._sealers, one) for one in arc.domains):
            return False
        try:
            oldest = parse(arc.results[0])
        except ResultsError:
            return False
        passed = {
            canonical_domain(one.get("header.from").rpartition("@")[2])
            for one in oldest.of("dmarc")
            if one.result == AuthResult.PASS
        }
        # Some sealers look at the first address only.
        authors = author_domains(message)
        return authors.is_whole and bool(authors.domains) and passed.issuperset(authors.domains)


def verdict_of(
    outcome: DmarcOutcome, found: Authentication, *, of_relay: bool, tempfail: bool
) -> Verdict:
    """What the chain is told, without symbols.

    of_relay: a trusted relay has the mail already, and would have to send a bounce to a stranger
    whose name was forged: it is held. tempfail: a failure of the DNS defers.
    """
    dmarc = found.dmarc
    if tempfail and dmarc is not None and dmarc.result is AuthResult.TEMPERROR:
        why = f"the DNS did not tell the DMARC policy of {dmarc.domain}"
        return Verdict(Action.TEMPFAIL, reply=DELAY, because=why)
    match outcome.action:
        case "reject" if not of_relay:
            reply = _refusal(dmarc)
            return Verdict(Action.REJECT, reply=reply, reason=Reason.DMARC, because=_why(dmarc))
        case "reject" | "quarantine":
            because = _why(dmarc)
            return Verdict(Action.QUARANTINE, labelled=True, reason=Reason.DMARC, because=because)
        case "label":
            return Verdict(labelled=True)
    return Verdict()


def _why(dmarc: DmarcCheck | None) -> str:
    if dmarc is None or not dmarc.domain:
        return dmarc.reason if dmarc is not None else ""
    return f"it is not proven to come from {dmarc.domain} (DMARC)"


def _refusal(dmarc: DmarcCheck | None) -> Reply:
    """RFC 9989 §7.2 wants the word DMARC in it."""
    domain = dmarc.domain if dmarc is not None else ""
    if not (domain and domain.isascii() and domain.isprintable()):
        return DMARC
    text = f"Message refused by DMARC of {domain}: it is not proven to come from that domain"
    return Reply(DMARC.code, DMARC.xcode, text, DMARC.kind)


def _sealers(found: Authentication) -> str:
    return ", ".join(found.arc.domains[:3]) if found.arc is not None else ""


def _of_testing(dmarc: DmarcCheck) -> tuple[str, str]:
    if not dmarc.testing or dmarc.result is not AuthResult.FAIL:
        return "", ""
    return "policy_test_mode", f"{dmarc.policy} is tested, {dmarc.asked} is asked for"


def _testing(dmarc: DmarcCheck) -> DmarcOutcome:
    """Where nothing is asked for: perhaps only because the policy is tested."""
    override, why = _of_testing(dmarc)
    if dmarc.policy in (None, DmarcPolicy.NONE):
        return DmarcOutcome()
    return DmarcOutcome(None, override, why)
