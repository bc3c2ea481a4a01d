"""DKIM (RFC 6376) and ARC (RFC 8617), as filter `auth` found them.

Of Author Domain Signing Practices (RFC 5617, historic since 2013) only the lines `adsp_override`
count; nobody publishes any. Source: Mail::SpamAssassin::Plugin::DKIM(3).
"""

from __future__ import annotations

from filterd.message.authentication import AuthResult, DkimCheck
from filterd.rules.conf.rule import Option
from filterd.rules.evals.address_lists import address_list, of_options
from filterd.rules.evals.authentication import (
    author_addresses,
    author_domains,
    is_in_domains,
    known,
    signers,
)
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::DKIM",
    *("welcomelist_from_dkim", "def_welcomelist_from_dkim", "welcomelist_auth"),
    *("def_welcomelist_auth", "adsp_override"),
)

_PRACTICES = {
    "nxdomain": "N",
    "unknown": "U",
    "all": "A",
    "discardable": "D",
    "custom_low": "1",
    "custom_med": "2",
    "custom_high": "3",
}


def _valid(view: View) -> list[DkimCheck]:
    return [one for one in known(view).dkim if one.result is AuthResult.PASS]


def _signer(one: DkimCheck) -> str:
    """The domain of i=, of d= where there is none."""
    return (one.auid.rpartition("@")[2] or one.domain).lower()


@PLUGIN.test("check_dkim_signed")
def check_dkim_signed(view: View, *domains: str) -> bool:
    """There is a signature, of one of the domains if any are given."""
    found = known(view).dkim
    return bool(found) and (not domains or any(is_in_domains(_signer(o), domains) for o in found))


@PLUGIN.test("check_dkim_verified")
@PLUGIN.test("check_dkim_valid")
def check_dkim_valid(view: View, *domains: str) -> bool:
    """There is a valid signature, of one of the domains if any are given."""
    found = _valid(view)
    return bool(found) and (not domains or any(is_in_domains(_signer(o), domains) for o in found))


@PLUGIN.test("check_dkim_valid_author_sig")
def check_dkim_valid_author_sig(view: View, *domains: str) -> bool:
    """There is a valid signature of the domain in From, one of the domains if any are given."""
    authors = author_domains(view)
    signed = [domain for domain in map(_signer, _valid(view)) if domain in authors]
    return any(not domains or is_in_domains(domain, domains) for domain in signed)


@PLUGIN.test("check_dkim_valid_envelopefrom")
def check_dkim_valid_envelopefrom(view: View) -> bool:
    """There is a valid signature of the envelope sender's domain."""
    domain = view.value("EnvelopeFrom", "addr").rpartition(b"@")[2].lower().decode("latin-1")
    return bool(domain) and check_dkim_valid(view, domain)


@PLUGIN.test("check_dkim_dependable")
def check_dkim_dependable(view: View) -> bool:
    """The message was whole when the signatures were checked: here it always is."""
    return bool(known(view).dkim)


@PLUGIN.test("check_dkim_testing")
def check_dkim_testing(view: View) -> bool:
    """A key says that its domain only tests DKIM (t=y)."""
    return any(one.testing for one in known(view).dkim)


@PLUGIN.test("check_dkim_signsome")
def check_dkim_signsome(_view: View) -> bool:
    """Of old rules; SpamAssassin keeps the name, and never hits."""
    return False


@PLUGIN.test("check_dkim_signall")
def check_dkim_signall(view: View) -> bool:
    """The author domain says that it signs all mail, and this is not signed."""
    return check_dkim_adsp(view, "A")


def _overrides(options: tuple[Option, ...]) -> dict[str, str]:
    found = {}
    for option in options:
        domain, *practice = [*option.words(lower=True), ""][:2]
        found[domain] = _PRACTICES.get("".join(practice) or "discardable", "")
    return found


@PLUGIN.test("check_dkim_adsp")
def check_dkim_adsp(view: View, practices: str, *domains: str) -> bool:
    """No valid signature of an author domain whose practice is one of these letters (`*` for all
    but unknown), by `adsp_override`."""
    if view.message.authentication is None:
        return False
    wanted = "NAD123" if practices == "*" else practices
    overrides = of_options(view, "adsp_override", _overrides)
    signed = {_signer(one) for one in _valid(view)}
    authors = author_domains(view)
    hits = any(
        author not in signed and "." in author and (_practice(author, overrides) or "?") in wanted
        for author in authors
    )
    return hits and (not domains or any(is_in_domains(author, domains) for author in authors))


def _practice(domain: str, overrides: dict[str, str]) -> str:
    """That of the domain, else of `*.` and the nearest domain above."""
    labels = domain.split(".")
    above = (".".join(["*", *labels[start:]]) for start in range(1, len(labels) + 1))
    return next((overrides[key] for key in (domain, *above) if key in overrides), "")


@PLUGIN.test("check_arc_signed")
def check_arc_signed(view: View, *domains: str) -> bool:
    """There is an ARC chain."""
    arc = known(view).arc
    return not domains and arc is not None and arc.result is not AuthResult.NONE


@PLUGIN.test("check_arc_valid")
def check_arc_valid(view: View, *domains: str) -> bool:
    """There is a valid ARC chain."""
    arc = known(view).arc
    return not domains and arc is not None and arc.result is AuthResult.PASS


def _is_welcome(view: View, by_dkim: str, by_either: str) -> bool:
    signed = {_signer(one) for one in _valid(view)}
    if not signed:
        return False
    for author in author_addresses(view):
        own = author.rpartition(b"@")[2].decode("latin-1")
        if own in signed and author in address_list(view, by_either):
            return True
        for authors, domain in signers(view, by_dkim):
            if author in authors and _is_signed_by(signed, domain or own):
                return True
    return False


def _is_signed_by(signed: set[str], domain: str) -> bool:
    if domain.startswith((".", "*.")):
        ending = domain.removeprefix("*")
        return any(one.endswith(ending) for one in signed)
    return domain in signed


@PLUGIN.test("check_for_dkim_whitelist_from")
@PLUGIN.test("check_for_dkim_welcomelist_from")
def check_for_dkim_welcomelist_from(view: View) -> bool:
    """An author is wanted, and the message has the signature that goes with that."""
    return _is_welcome(view, "welcomelist_from_dkim", "welcomelist_auth")


@PLUGIN.test("check_for_def_dkim_whitelist_from")
@PLUGIN.test("check_for_def_dkim_welcomelist_from")
def check_for_def_dkim_welcomelist_from(view: View) -> bool:
    """The same for those who are wanted by default."""
    return _is_welcome(view, "def_welcomelist_from_dkim", "def_welcomelist_auth")
