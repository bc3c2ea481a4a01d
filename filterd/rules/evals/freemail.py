"""FreeMail: addresses at free mailers, and answers that go to another one.

Source: Mail::SpamAssassin::Plugin::FreeMail(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

from filterd.rules.conf.rule import Option
from filterd.rules.evals.address_lists import address_list, of_options
from filterd.rules.evals.arguments import pattern
from filterd.rules.evals.globs import Globs
from filterd.rules.evals.mail_addresses import (
    addresses_in,
    links_to_addresses,
    text_addresses,
)
from filterd.rules.evals.people import from_addresses
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::FreeMail",
    *("freemail_domains", "freemail_welcomelist", "freemail_max_body_emails"),
    *("freemail_max_body_freemails", "freemail_skip_when_over_max", "freemail_skip_bulk_envfrom"),
    *("freemail_add_describe_email", "freemail_import_welcomelist_auth"),
    "freemail_import_def_welcomelist_auth",
)

DEFAULTS = {
    "freemail_max_body_emails": 5,
    "freemail_max_body_freemails": 3,
    "freemail_skip_when_over_max": 1,
    "freemail_skip_bulk_envfrom": 1,
    "freemail_import_welcomelist_auth": 0,
    "freemail_import_def_welcomelist_auth": 0,
}

LINKS_LIMIT, ADDRESSES_LIMIT = 20, 40
"""Addresses in links, and all together, that are read in a message."""

# Nobody's mailbox at a free mailer.
_NOBODY = re.compile(
    rb"(?:abuse|support|sales|info|helpdesk|contact|kontakt|(?:post|host|domain)master"
    rb"|undisclosed[^\n]*|request-[a-f0-9]{16}|bounced?-"
    rb"|[a-f0-9]{8}(?:\.[a-f0-9]{8}|-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12})"
    rb"|[^\n=]+=[^\n=]+=[^\n]+)@",
    re.I,
)
_BULK = re.compile(
    rb"^(?:(?:post|host|domain)master|double-bounce|(?:sentto|owner|return|(?:gr)?bounced?)-[^\n]+)@"
    rb"|(?:-(?:request|bounces?|admin|owner)|\b(?:do[._-t]?)?no[._-t]?repl(?:y|ies))@",
    re.I,
)

_Domains = tuple[frozenset[bytes], Globs]


def _domains(options: tuple[Option, ...]) -> _Domains:
    words = {
        word.encode("latin-1", "replace") for option in options for word in option.words(lower=True)
    }
    globs = {word for word in words if b"*" in word or b"?" in word}
    return frozenset(words - globs), Globs(sorted(globs))


def _number(view: View, name: str) -> int:
    options = view.options.get(name, ())
    text = options[-1].value.strip() if options else ""
    return int(text) if text.isdigit() else DEFAULTS[name]


def _is_available(view: View) -> bool:
    return bool(view.options.get("freemail_domains"))


def _is_freemail(view: View, address: bytes) -> bool:
    """address: lower case."""
    domain = address.rpartition(b"@")[2]
    exempt, _ = of_options(view, "freemail_welcomelist", _domains)
    if not address or address in exempt or domain in exempt or _NOBODY.match(address):
        return False
    for name in ("welcomelist_auth", "def_welcomelist_auth"):
        if _number(view, f"freemail_import_{name}") and address in address_list(view, name):
            return False
    domains, globs = of_options(view, "freemail_domains", _domains)
    return domain in domains or domain in globs


def _in_links(view: View) -> Iterator[bytes]:
    for text in links_to_addresses(view):
        for address, start, _ in addresses_in(view, text):
            if start == 0:
                yield address.lower()
            break


def _collected(view: View) -> dict[bytes, None]:
    found: dict[bytes, None] = {}
    for address in _in_links(view):
        found[address] = None
        if len(found) >= LINKS_LIMIT:
            break
    for address in text_addresses(view, in_links=False, quoted=False):
        found[address.lower()] = None
        if len(found) >= ADDRESSES_LIMIT:
            break
    return found


def _body_freemails(view: View) -> tuple[bytes, ...] | None:
    """Those in the text; None where there are so many addresses that it is not looked at."""
    key = "freemail"
    if key not in view.notes:
        view.notes[key] = _look(view)
    return cast("tuple[bytes, ...] | None", view.notes[key])


def _look(view: View) -> tuple[bytes, ...] | None:
    skips = bool(_number(view, "freemail_skip_when_over_max"))
    addresses = _collected(view)
    if skips and len(addresses) >= _number(view, "freemail_max_body_emails") > 0:
        return None
    found = tuple(address for address in addresses if _is_freemail(view, address))
    if skips and len(found) >= _number(view, "freemail_max_body_freemails") > 0:
        return None
    return found


def _matches(address: bytes, expression: str | None) -> bool:
    return expression is None or pattern(expression).search(address) is not None


@PLUGIN.test("check_freemail_header")
def check_freemail_header(view: View, name: str, expression: str | None = None) -> bool:
    """An address in a field is at a free mailer, and matches the expression."""
    if not _is_available(view):
        return False
    field, *modifiers = name.split(":")
    addresses = (address.lower() for address in view.values(field, *modifiers, "addr"))
    return any(_is_freemail(view, one) and _matches(one, expression) for one in addresses)


@PLUGIN.test("check_freemail_from")
def check_freemail_from(view: View, expression: str | None = None) -> bool:
    """A sender is at a free mailer, and matches the expression."""
    if not _is_available(view):
        return False
    addresses = (address.lower() for address in from_addresses(view))
    return any(_is_freemail(view, one) and _matches(one, expression) for one in addresses)


@PLUGIN.test("check_freemail_body")
def check_freemail_body(view: View, expression: str | None = None) -> bool:
    """An address in the text is at a free mailer, and matches the expression."""
    found = _body_freemails(view) if _is_available(view) else None
    return any(_matches(address, expression) for address in found or ())


def _has_equals(sender: bytes) -> bool:
    """True for `list=member.example@list.example`."""
    equals = sender.find(b"=", 1)
    return equals > 0 and sender.find(b"@", equals + 2) > 0


@PLUGIN.test("check_freemail_replyto")
def check_freemail_replyto(view: View, what: str = "replyto") -> bool:
    """Answers go to another free mailer than the message is from or names in its text. what:
    `replyto` for Reply-To alone; `reply`: From where there is none."""
    if not _is_available(view) or what not in ("replyto", "reply"):
        return False
    sender = view.value("EnvelopeFrom")
    if _number(view, "freemail_skip_bulk_envfrom") and (
        _BULK.search(sender) or _has_equals(sender)
    ):
        return False
    authors = [address.lower() for address in view.values("From", "addr")]
    answers = [address.lower() for address in view.values("Reply-To", "addr")]
    from_free = any(_is_freemail(view, address) for address in authors)
    to_free = any(_is_freemail(view, address) for address in answers)
    if from_free and to_free and set(authors).isdisjoint(answers):
        return True
    if not to_free and (what == "replyto" or answers or not from_free):
        return False
    to = answers if what == "replyto" or to_free else authors
    return any(one != answer for one in _body_freemails(view) or () for answer in to)
