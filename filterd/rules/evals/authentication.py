"""What tests of SPF, DKIM, DMARC and ARC have in common.

The results are those of filter `auth`, which asks the DNS in time and knows more than the header:
`filterd.message.authentication`. Where it is not in the chain before the rules, nothing is known,
and no such test hits.
"""

from __future__ import annotations

from collections.abc import Iterable

from filterd.message.authentication import Authentication
from filterd.rules.conf.rule import Option
from filterd.rules.evals.address_lists import AddressList, of_options
from filterd.rules.view.view import View

NOTHING = Authentication()


def known(view: View) -> Authentication:
    """What is known of who sent the message."""
    return view.message.authentication or NOTHING


def is_in_domains(domain: str, wanted: Iterable[str]) -> bool:
    """True for one of the domains; `.example.org` and `*.example.org` stand for all below, too."""
    for one in wanted:
        lowered = one.lower()
        if lowered.startswith((".", "*.")):
            name = lowered.removeprefix("*").removeprefix(".")
            if domain == name or domain.endswith("." + name):
                return True
        elif domain == lowered:
            return True
    return False


def author_addresses(view: View) -> list[bytes]:
    """The addresses in From, lower case."""
    return [address.lower() for address in view.values("From", "addr")]


def author_domains(view: View) -> list[str]:
    """Their domains."""
    found = (address.rpartition(b"@")[2].decode("latin-1") for address in author_addresses(view))
    return list(dict.fromkeys(filter(None, found)))


Signers = tuple[tuple[AddressList, str], ...]


def _signers(options: tuple[Option, ...]) -> Signers:
    found: dict[str, list[bytes]] = {}
    for option in options:
        pattern, _, domain = option.text.partition(" ")
        domain = domain.strip().lower().rpartition("@")[2]
        found.setdefault(domain, []).append(pattern.encode("latin-1", "replace"))
    return tuple((AddressList(patterns), domain) for domain, patterns in found.items())


def signers(view: View, option: str) -> Signers:
    """Lines like `welcomelist_from_dkim *@example.org example.com`: authors with the domain that
    has to sign, `""` for the author's own."""
    return of_options(view, option, _signers)
