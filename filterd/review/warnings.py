"""What a person should look at twice before a message is released: who it claims to come from.

Found when a message is shown, for the eyes of the one who decides: it gives no points, and honest
mail has some of it too. Everything is read once, within the limits below.

Sources: RFC 5322 §3.6.2; UTS 39 §5.2 (scripts that go together in one label).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from urllib.parse import urlsplit

from filterd.message import Message
from filterd.message.address import Mailbox, canonical_domain, readable_domain
from filterd.message.decoding import header_text
from filterd.message.mailboxes import mailboxes
from filterd.message.suffixes import is_top_level, registered_domain
from filterd.review.look_alikes import look_alike, skeleton
from filterd.system.display import printable

FIELD_LIMIT = 4096
"""Octets of a field that are looked at."""

MAILBOXES_LIMIT = 1000
"""Mailboxes of one field, and recipients; no field of that size has more."""

LINKS_LIMIT = 500
"""Links of a message that are looked at."""

WARNINGS_LIMIT = 10
"""Warnings about one message; who reads ten has been warned."""

TEXT_LIMIT = 120
"""Characters of an address or a domain in a warning."""

_FILE_NAMES = frozenset({"md", "py", "rs", "sh", "zip"})
"""Top-level domains that are endings of files as well: a text such as `notes.md` is not a host."""

_WORD = re.compile(r"[^\s<>()\"',;:\[\]]++")
_SHOWN_HOST = re.compile(
    r"(?:[a-z]{3,5}:)?(?://)?(?:[^\s/@?#]{1,64}@)?((?:[\w-]{1,63}\.){1,8}[\w-]{2,63})(?=[/:?#\s.,!]|$)",
    re.IGNORECASE,
)
_DROPPED = {**dict.fromkeys(range(0x20)), ord("\\"): "/"}


class WarningKind(StrEnum):
    """What a warning is about."""

    REPLY_TO = "reply-to"
    NAME = "name"
    LOOK_ALIKE = "look-alike"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class MessageWarning:
    """One warning. text: a sentence, with no control characters in it."""

    kind: WarningKind
    text: str


@dataclass(frozen=True, slots=True)
class ShownLink:
    """A link as a mail program shows it. target: the URL. text: what one reads in its place."""

    target: str
    text: str


def warnings_of(
    message: Message, links: Iterable[ShownLink] = (), recipients: Sequence[str] = ()
) -> tuple[MessageWarning, ...]:
    """The warnings, each once, at most `WARNINGS_LIMIT`. Never raises.

    links: of the message's HTML. recipients: those that the reader may know; domains that look like
    theirs are told.
    """
    looked_at = list(islice(links, LINKS_LIMIT))
    found = dict.fromkeys(_all(message, looked_at, recipients))
    return tuple(found)[:WARNINGS_LIMIT]


def _all(
    message: Message, links: Sequence[ShownLink], recipients: Sequence[str]
) -> Iterator[MessageWarning]:
    authors = _mailboxes(message, "From")
    yield from _of_name(message, authors)
    yield from _of_reply(authors, _mailboxes(message, "Reply-To"))
    yield from _of_look_alikes(message, authors, links, recipients)
    yield from _of_links(links)


def _mailboxes(message: Message, name: str) -> list[Mailbox]:
    found: list[Mailbox] = []
    for field in message.fields(name):
        found += mailboxes(field.raw_value[:FIELD_LIMIT], MAILBOXES_LIMIT)
        if len(found) >= MAILBOXES_LIMIT:
            break
    return found


def _of_name(message: Message, authors: Sequence[Mailbox]) -> Iterator[MessageWarning]:
    """An address in From that is not the sender's, but stands where its name is."""
    owners = {_owner(one.domain) for one in authors}
    if not owners:
        return
    for field in message.fields("From"):
        text = unicodedata.normalize("NFKC", header_text(field.raw_value[:FIELD_LIMIT]))
        for word in _WORD.findall(text[:FIELD_LIMIT]):
            said = Mailbox.parse(word.rstrip("."))
            owner = registered_domain(said.domain)
            if owner and owner not in owners:
                yield MessageWarning(
                    WarningKind.NAME,
                    f"The sender's name says {_shown(str(said))}, the address is "
                    f"{_shown(str(authors[0]))}.",
                )


def _of_reply(authors: Sequence[Mailbox], replies: Sequence[Mailbox]) -> Iterator[MessageWarning]:
    owners = {_owner(one.domain) for one in authors}
    for reply in replies:
        if owners and _owner(reply.domain) not in owners:
            yield MessageWarning(
                WarningKind.REPLY_TO,
                f"Replies go to {_shown(str(reply))}, not to the domain of the sender, "
                f"{_shown(readable_domain(authors[0].domain))}.",
            )


def _of_look_alikes(
    message: Message,
    authors: Sequence[Mailbox],
    links: Sequence[ShownLink],
    recipients: Sequence[str],
) -> Iterator[MessageWarning]:
    own = {_owner(Mailbox.parse(one).domain) for one in recipients[:MAILBOXES_LIMIT]} - {""}
    alike = {skeleton(one): one for one in map(readable_domain, sorted(own))}
    domains = {
        **dict.fromkeys((one.domain for one in authors), "The sender's domain"),
        Mailbox.parse(message.envelope.sender).domain: "The domain of the envelope sender",
    }
    for link in links:
        domains.setdefault(_host(link.target), "The domain of a link")
    for domain, what in domains.items():
        if not domain or domain.startswith("["):
            continue
        readable, owner = readable_domain(domain), registered_domain(domain)
        why = "" if owner in own else _like_own(readable, readable_domain(owner), alike)
        if why := why or look_alike(readable):
            written = f" ({_shown(domain)})" if domain != readable else ""
            text = f"{what}, {_shown(readable)}{written}, may deceive: {why}."
            yield MessageWarning(WarningKind.LOOK_ALIKE, text)


def _like_own(domain: str, owner: str, alike: Mapping[str, str]) -> str:
    """Why somebody else's domain passes for one of the recipients. alike: theirs, by skeleton."""
    other = alike.get(skeleton(owner)) if owner else None
    if other is not None:
        return f"it looks like {_shown(other)}"
    for one in alike.values():
        if f".{one}." in f".{domain}":
            return f"it has {_shown(one)} in it, and is of {_shown(owner or domain)}"
    return ""


def _of_links(links: Sequence[ShownLink]) -> Iterator[MessageWarning]:
    for link in links:
        shown = _SHOWN_HOST.match(link.text.strip()[:FIELD_LIMIT])
        if shown is None or not _is_host(shown[1], link.text):
            continue
        host = _host(link.target)
        if host and _owner(canonical_domain(shown[1])) != _owner(host):
            yield MessageWarning(
                WarningKind.LINK,
                f"A link shows {_shown(shown[1])} and leads to {_shown(readable_domain(host))}.",
            )


def _is_host(name: str, text: str) -> bool:
    ending = name.rpartition(".")[2].lower()
    return is_top_level(ending) and (ending not in _FILE_NAMES or "/" in text)


def _host(url: str) -> str:
    """The host that a browser goes to, in A-labels; `""` where it goes to none."""
    try:
        found = urlsplit(url[:FIELD_LIMIT].translate(_DROPPED).strip())
        host = found.hostname or ""
    except ValueError:
        return ""
    return canonical_domain(host) if found.scheme in ("http", "https", "ftp") else ""


def _owner(domain: str) -> str:
    """What two domains of one owner have in common."""
    return registered_domain(domain) or domain


def _shown(text: str) -> str:
    return printable(text, TEXT_LIMIT)
