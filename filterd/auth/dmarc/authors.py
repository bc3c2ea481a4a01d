"""The author domain: whose mail a message says it is.

Source: RFC 9989 §5.3.1, §11.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from filterd.message.address import DOMAIN_LIMIT, canonical_domain
from filterd.message.mailboxes import FIELD_LIMIT, MAILBOXES_LIMIT, mailboxes
from filterd.message.message import Message

DOMAINS_LIMIT = 4
"""Author domains of one message that are checked. More than one is hardly ever meant well; each
costs a tree walk."""

FIELDS_LIMIT = 4
"""From fields that are read; RFC 5322 §3.6 allows one."""

_AROUND = ".'`!#$%&*+/=?^{|}~"
"""Letters of an `atom` (RFC 5322 §3.2.3) with which no name in the DNS begins or ends that has
mail."""

_UNSEEN = dict.fromkeys(
    (
        *range(0x09),
        *range(0x0B, 0x0D),
        *range(0x0E, 0x20),
        *range(0x7F, 0xA0),
        0xAD,
        0x061C,
        0x180E,
        *(0x200B, 0x200E, 0x200F),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
        0xFEFF,
        *range(0xFFF0, 0xFFFC),
        *range(0x13430, 0x13440),
        *range(0xE0000, 0xE1000),
    )
)
"""Control characters and marks that mail readers do not show and no domain has: with one of them a
domain would look like another one. U+200C and U+200D are not among them: some names have these (RFC
5892 appendix A), though none beside a letter of ASCII.

Source: Unicode, Default_Ignorable_Code_Point and the categories Cc and Cf, without those that UTS
46 takes out itself."""

_JOINERS = re.compile("[\u200c\u200d]++")


@dataclass(frozen=True, slots=True)
class Authors:
    """Whom the header field From names. domains: each once, in order, in A-labels, at most
    `DOMAINS_LIMIT`. reason: what is wrong, "" where there is one From field with one domain.
    is_whole: these are all domains that there are."""

    domains: tuple[str, ...]
    reason: str = ""
    is_whole: bool = True


def author_domains(message: Message) -> Authors:
    """The author domains of a message; raises nothing."""
    fields = tuple(islice(message.fields("From"), FIELDS_LIMIT + 1))
    found: dict[str, None] = {}
    literals = 0
    is_whole = len(fields) <= FIELDS_LIMIT
    for field in fields[:FIELDS_LIMIT]:
        text = field.raw_value[:FIELD_LIMIT].decode("utf-8", "replace")
        listed = mailboxes(_seen(text), MAILBOXES_LIMIT + 1)
        is_whole = is_whole and len(field.raw_value) <= FIELD_LIMIT
        is_whole = is_whole and len(listed) <= MAILBOXES_LIMIT
        for mailbox in listed[:MAILBOXES_LIMIT]:
            domain = _name(mailbox.domain)
            if domain.startswith("["):
                literals += 1
            elif domain:
                found[domain] = None
            if len(found) > DOMAINS_LIMIT:
                break
    domains = tuple(found)
    return Authors(
        domains[:DOMAINS_LIMIT],
        _reason(len(fields), domains, literals, is_whole),
        is_whole and len(domains) <= DOMAINS_LIMIT,
    )


def _seen(text: str) -> str:
    """The text as people see it."""
    shown = text.translate(_UNSEEN)

    def joiners(found: re.Match[str]) -> str:
        around = shown[found.start() - 1 : found.start()], shown[found.end() : found.end() + 1]
        return "" if any("!" <= one <= "~" for one in around) else found[0]

    return _JOINERS.sub(joiners, shown)


def _name(domain: str) -> str:
    """The domain without what no domain begins or ends with, as some mail readers show it. What is
    too long for the DNS stands for itself with its end: that is what people see, and what has a
    record."""
    name = domain.strip(_AROUND)
    if len(name) > DOMAIN_LIMIT:
        name = canonical_domain(name[-DOMAIN_LIMIT:].partition(".")[2])
    if len(name) > DOMAIN_LIMIT:
        # The A-labels are longer.
        name = name[-DOMAIN_LIMIT:].partition(".")[2]
    return name.strip(_AROUND)


def _reason(fields: int, domains: tuple[str, ...], literals: int, is_whole: bool) -> str:
    if not fields:
        return "no From field"
    if not is_whole:
        return "From is too long" if fields <= FIELDS_LIMIT else "too many From fields"
    if len(domains) > DOMAINS_LIMIT:
        return f"more than {DOMAINS_LIMIT} author domains"
    if len(domains) > 1:
        return f"{len(domains)} author domains"
    if not domains:
        return "From has an IP address in place of a domain" if literals else "From has no address"
    return "several From fields" if fields > 1 else ""
