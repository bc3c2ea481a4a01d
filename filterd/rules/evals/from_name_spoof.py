"""FromNameSpoof: an address as display name in From that is not the address behind it.

Source: Mail::SpamAssassin::Plugin::FromNameSpoof(3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from filterd.message.authentication import AuthResult
from filterd.rules.evals.address_lists import AddressList, named_lists
from filterd.rules.evals.authentication import known
from filterd.rules.evals.people import to_addresses
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::FromNameSpoof",
    *("fns_add_addrlist", "fns_remove_addrlist", "fns_extrachars", "fns_ignore_dkim"),
    *("fns_ignore_headers", "fns_check"),
)

_USER_BACKWARDS = re.compile(rb"[\w.!#$%&'*+/=?^`{|}~-]++")
_NOT_WORD = re.compile(rb"\W++")
_HOST = re.compile(rb"\w[\w-]*+\.\w[\w.-]++(?<=\w)")
_NOT_ALPHANUMERIC = re.compile(rb"[^a-z0-9]")

EXTRA_CHARACTERS = 50
"""How much more the name may hold than the address, if `fns_extrachars` does not say."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be said of the name."""

    contains_address: bool = False
    other_address: bool = False
    other_domain: bool = False
    other_owner: bool = False
    is_reply_to: bool = False
    is_recipient: bool = False


_NOTHING = _Found()


def _words(view: View, option: str) -> frozenset[str]:
    return frozenset(" ".join(one.value for one in view.options.get(option, ())).split())


def _number(view: View, option: str, default: int) -> int:
    options = view.options.get(option, ())
    text = options[-1].value.strip() if options else ""
    return int(text) if text.isdigit() else default


def _found(view: View) -> _Found:
    key = "from name"
    if key not in view.notes:
        view.notes[key] = _look(view)
    return cast(_Found, view.notes[key])


def _is_ignored(view: View) -> bool:
    wanted = {word.lower() for word in _words(view, "fns_ignore_dkim")}
    signed = {one.domain for one in known(view).dkim if one.result is AuthResult.PASS}
    return not wanted.isdisjoint(signed) or any(
        view.value(name) for name in _words(view, "fns_ignore_headers")
    )


def _domain(view: View, address: bytes) -> str:
    return view.domains.of_uri("mailto:" + address.decode("latin-1"))[0]


def _look(view: View) -> _Found:
    if _is_ignored(view):
        return _NOTHING
    address = view.value("From", "addr").lower()
    domain = _domain(view, address)
    name = view.value("From", "name").lower()
    said = _address_in(name)
    if not domain or not said:
        return _NOTHING
    said_domain = _domain(view, said)
    if not said_domain:
        return _NOTHING
    odd = len(_NOT_ALPHANUMERIC.findall(name)) - len(_NOT_ALPHANUMERIC.findall(said))
    more = len(name) + odd - len(said)
    if more > _number(view, "fns_extrachars", EXTRA_CHARACTERS):
        return _Found(contains_address=True)
    lists = named_lists(view, "fns_add_addrlist")
    return _Found(
        contains_address=True,
        other_address=said != address,
        other_domain=said_domain != domain,
        other_owner=_owner(said, said_domain, lists) != _owner(address, domain, lists),
        is_reply_to=said == view.value("Reply-To", "addr").lower(),
        is_recipient=said in to_addresses(view),
    )


def _address_in(name: bytes) -> bytes:
    """The first address in a name; `b""` without one."""
    at = name.find(b"@")
    while at >= 0:
        user = _USER_BACKWARDS.match(name[:at][::-1])
        host = _HOST.match(name, at + 1)
        if user is not None and host is not None:
            start = at - user.end()
            odd = _NOT_WORD.match(name, start, at)
            start = odd.end() if odd is not None else start
            if start < at:
                return name[start : host.end()]
        at = name.find(b"@", at + 1)
    return b""


def _owner(address: bytes, domain: str, lists: Mapping[str, AddressList]) -> str:
    """The list that the address is in, also with its registered domain; else that domain's name."""
    user = address.rpartition(b"@")[0]
    for one in (address, user + b"@" + domain.encode("latin-1")):
        for name, addresses in lists.items():
            if one in addresses:
                return name.lower()
    return domain.partition(".")[0]


@PLUGIN.test("check_fromname_spoof")
def check_fromname_spoof(view: View, level: str = "") -> bool:
    """The name is another address; with level 1 of another owner, with 2 of another domain."""
    found = _found(view)
    number = int(level) if level in ("0", "1", "2") else _number(view, "fns_check", 1)
    extra = (True, found.other_owner, found.other_domain)[min(number, 2)]
    return found.other_address and extra


@PLUGIN.test("check_fromname_different")
def check_fromname_different(view: View) -> bool:
    """The name is another address."""
    return _found(view).other_address


@PLUGIN.test("check_fromname_domain_differ")
def check_fromname_domain_differ(view: View) -> bool:
    """The name is an address of another domain."""
    return _found(view).other_domain


@PLUGIN.test("check_fromname_contains_email")
def check_fromname_contains_email(view: View) -> bool:
    """There is an address in the name."""
    return _found(view).contains_address


@PLUGIN.test("check_fromname_equals_to")
def check_fromname_equals_to(view: View) -> bool:
    """The name is the address of a recipient."""
    return _found(view).is_recipient


@PLUGIN.test("check_fromname_owners_differ")
def check_fromname_owners_differ(view: View) -> bool:
    """The name is an address of somebody else."""
    return _found(view).other_owner


@PLUGIN.test("check_fromname_equals_replyto")
def check_fromname_equals_replyto(view: View) -> bool:
    """The name is the address that answers go to."""
    return _found(view).is_reply_to
