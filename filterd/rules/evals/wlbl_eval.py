"""WLBLEval: lists of wanted and unwanted senders, recipients and hosts.

Source: Mail::SpamAssassin::Plugin::WLBLEval(3), Mail::SpamAssassin::Conf(3).
"""

from __future__ import annotations

import re
from typing import cast

from filterd.message.matching import is_in_networks, networks
from filterd.rules.conf.rule import Option
from filterd.rules.evals.address_lists import AddressList, address_list, named_lists, of_options
from filterd.rules.evals.people import from_addresses, to_addresses
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.received import Relay
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::WLBLEval",
    *("welcomelist_from", "welcomelist_from_rcvd", "def_welcomelist_from_rcvd"),
    *("welcomelist_allows_relays", "blocklist_from", "welcomelist_to", "blocklist_to"),
    *("more_spam_to", "all_spam_to", "enlist_addrlist", "enlist_uri_host", "delist_uri_host"),
)

_DOMAIN = re.compile(rb"@([^@]+\.[^@]+)\Z")
_NUMBERS = re.compile(r"[\d.]+", re.ASCII)
_IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)

KEYS_LIMIT = 10
"""Domains above a host, and itself, that are looked up in lists of hosts."""


def _any(addresses: tuple[bytes, ...], wanted: AddressList) -> bool:
    return bool(wanted) and any(address in wanted for address in addresses)


@PLUGIN.test("check_from_in_blacklist")
@PLUGIN.test("check_from_in_blocklist")
def check_from_in_blocklist(view: View) -> bool:
    """A sender is in `blocklist_from`."""
    return _any(from_addresses(view), address_list(view, "blocklist_from"))


@PLUGIN.test("check_to_in_blacklist")
@PLUGIN.test("check_to_in_blocklist")
def check_to_in_blocklist(view: View) -> bool:
    """A recipient is in `blocklist_to`."""
    return _any(to_addresses(view), address_list(view, "blocklist_to"))


@PLUGIN.test("check_to_in_whitelist")
@PLUGIN.test("check_to_in_welcomelist")
def check_to_in_welcomelist(view: View) -> bool:
    """A recipient is in `welcomelist_to`."""
    return _any(to_addresses(view), address_list(view, "welcomelist_to"))


@PLUGIN.test("check_to_in_more_spam")
def check_to_in_more_spam(view: View) -> bool:
    """A recipient is in `more_spam_to`."""
    return _any(to_addresses(view), address_list(view, "more_spam_to"))


@PLUGIN.test("check_to_in_all_spam")
def check_to_in_all_spam(view: View) -> bool:
    """A recipient is in `all_spam_to`."""
    return _any(to_addresses(view), address_list(view, "all_spam_to"))


_OWN_LISTS = frozenset(
    "welcomelist_from blocklist_from welcomelist_to blocklist_to more_spam_to all_spam_to".split()
)


def _list(view: View, name: str) -> AddressList:
    """A list by its name in `enlist_addrlist`, or of an option."""
    if name in _OWN_LISTS:
        return address_list(view, name)
    return named_lists(view, "enlist_addrlist").get(name, AddressList(()))


@PLUGIN.test("check_from_in_list")
def check_from_in_list(view: View, name: str) -> bool:
    """A sender is in the list."""
    return _any(from_addresses(view), _list(view, name))


@PLUGIN.test("check_to_in_list")
def check_to_in_list(view: View, name: str) -> bool:
    """A recipient is in the list."""
    return _any(to_addresses(view), _list(view, name))


@PLUGIN.test("check_replyto_in_list")
def check_replyto_in_list(view: View, name: str) -> bool:
    """The first address of Reply-To is in the list."""
    address = view.value("Reply-To", "addr")
    return bool(address) and address in _list(view, name)


@PLUGIN.test("check_from_in_whitelist")
@PLUGIN.test("check_from_in_welcomelist")
def check_from_in_welcomelist(view: View) -> bool:
    """A sender is in `welcomelist_from`, or in `welcomelist_from_rcvd` and comes by that host."""
    return _welcomed(view) > 0


@PLUGIN.test("check_forged_in_whitelist")
@PLUGIN.test("check_forged_in_welcomelist")
def check_forged_in_welcomelist(view: View) -> bool:
    """A sender is in `welcomelist_from_rcvd`, and comes by another host."""
    return _welcomed(view) < 0 and not _welcomed(view, default=True)


@PLUGIN.test("check_from_in_default_whitelist")
@PLUGIN.test("check_from_in_default_welcomelist")
def check_from_in_default_welcomelist(view: View) -> bool:
    """A sender is in `def_welcomelist_from_rcvd`, and comes by that host."""
    return _welcomed(view, default=True) > 0


@PLUGIN.test("check_forged_in_default_whitelist")
@PLUGIN.test("check_forged_in_default_welcomelist")
def check_forged_in_default_welcomelist(view: View) -> bool:
    """A sender is in `def_welcomelist_from_rcvd`, and comes by another host."""
    return _welcomed(view, default=True) < 0 and not _welcomed(view)


def _welcomed(view: View, *, default: bool = False) -> int:
    """1 for a wanted sender, -1 for one that may be forged, 0 for all others."""
    key = "welcomed by default" if default else "welcomed"
    if key not in view.notes:
        view.notes[key] = _welcome(view, default=default)
    return cast(int, view.notes[key])


def _welcome(view: View, *, default: bool) -> int:
    option = "def_welcomelist_from_rcvd" if default else "welcomelist_from_rcvd"
    forged = 0
    for address in from_addresses(view):
        if not default and address in address_list(view, "welcomelist_from"):
            return 1
        found = _by_relay(view, option, address)
        if found > 0:
            return 1
        forged = min(forged, found)
    return forged


_Hosts = tuple[tuple[AddressList, str], ...]


def _by_hosts(options: tuple[Option, ...]) -> _Hosts:
    found: dict[str, list[bytes]] = {}
    for option in options:
        pattern, _, host = option.text.partition(" ")
        if host:
            found.setdefault(host.strip().lower(), []).append(pattern.encode("latin-1", "replace"))
    return tuple((AddressList(patterns), host) for host, patterns in found.items())


def relays_asked(view: View) -> list[Relay]:
    """The first relay that is not trusted; all of them if there is none."""
    return view.relays.untrusted[:1] or view.relays.trusted


def _by_relay(view: View, option: str, address: bytes) -> int:
    relays = relays_asked(view)
    if not relays:
        return 0
    forged = 0
    for patterns, host in of_options(view, option, _by_hosts):
        if address in patterns:
            if any(_is_host(host, relay) for relay in relays):
                return 1
            forged = -1
    if forged and address in address_list(view, "welcomelist_allows_relays"):
        return 0
    return forged


def _is_host(host: str, relay: Relay) -> bool:
    """host: a domain, `[192.0.2.7]`, `[192.0.2]`, `[192.0.2.0/24]` or `[2001:db8::]/32`."""
    if not host.startswith("["):
        rdns = relay.rdns.lower()
        return rdns == host or rdns.endswith("." + host)
    address, _, bits = host[1:].partition("]")
    if not relay.ip:
        return False
    if not bits and _NUMBERS.fullmatch(address):
        if _IPV4.fullmatch(address):
            return address == relay.ip
        return relay.ip.startswith(address.rstrip(".") + ".")
    try:
        return is_in_networks(relay.ip, networks((address + bits,), local=False))
    except ValueError:
        return False


@PLUGIN.test("check_mailfrom_matches_rcvd")
def check_mailfrom_matches_rcvd(view: View) -> bool:
    """The envelope sender's domain is that of the relay's name."""
    match = _DOMAIN.search(view.value("EnvelopeFrom", "addr"))
    if match is None:
        return False
    wanted = view.domains.registered(match[1].decode("latin-1"))
    return any(
        relay.rdns and view.domains.registered(relay.rdns) == wanted for relay in relays_asked(view)
    )


_Listed = dict[str, dict[str, bool]]


def _uri_hosts(options: tuple[Option, ...]) -> _Listed:
    found: _Listed = {}
    for option in options:
        name, _, rest = option.text.removeprefix("(").partition(")")
        hosts = found.setdefault(name.strip(), {})
        for octets in rest.encode("latin-1", "replace").lower().split():
            host = octets.decode("latin-1")
            hosts[host.lstrip("!")] = not host.startswith("!")
    return found


@PLUGIN.test("check_uri_host_listed")
def check_uri_host_listed(view: View, name: str) -> bool:
    """A host of some URI is in the list (`enlist_uri_host`), or in a domain that is."""
    hosts = of_options(view, "enlist_uri_host", _uri_hosts).get(name)
    if not hosts:
        return False
    for host in uri_hosts(view):
        verdict = next((hosts[key] for key in _keys(host) if key in hosts), False)
        if verdict:
            return True
    return False


def uri_hosts(view: View) -> list[str]:
    """Hosts of all URIs but addresses."""
    found: dict[str, None] = {}
    for uri, detail in view.uri_detail.items():
        if not uri[:7].lower().startswith(b"mailto:"):
            found.update(dict.fromkeys(_text(host) for host in detail.hosts))
    return list(found)


def _text(host: str | bytes) -> str:
    return host.decode("latin-1") if isinstance(host, bytes) else host


def _keys(host: str) -> list[str]:
    if host.startswith("[") and host.endswith("]"):
        return [host[1:-1]]
    if _IPV4.fullmatch(host):
        return [host]
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))][-KEYS_LIMIT:]


@PLUGIN.test("check_uri_host_in_blacklist")
@PLUGIN.test("check_uri_host_in_blocklist")
def check_uri_host_in_blocklist(view: View) -> bool:
    """A host of some URI is in `blocklist_uri_host`."""
    return check_uri_host_listed(view, "BLOCK")


@PLUGIN.test("check_uri_host_in_whitelist")
@PLUGIN.test("check_uri_host_in_welcomelist")
def check_uri_host_in_welcomelist(view: View) -> bool:
    """A host of some URI is in `welcomelist_uri_host`."""
    return check_uri_host_listed(view, "WELCOME")
