"""SPF (RFC 7208), as filter `auth` found it.

Source: Mail::SpamAssassin::Plugin::SPF(3).
"""

from __future__ import annotations

from collections.abc import Callable

from filterd.message.authentication import AuthResult
from filterd.rules.evals.address_lists import address_list
from filterd.rules.evals.authentication import known
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::SPF",
    *("welcomelist_from_spf", "def_welcomelist_from_spf", "welcomelist_auth"),
    "def_welcomelist_auth",
)

_RESULTS = {
    "pass": AuthResult.PASS,
    "neutral": AuthResult.NEUTRAL,
    "none": AuthResult.NONE,
    "fail": AuthResult.FAIL,
    "softfail": AuthResult.SOFTFAIL,
    "permerror": AuthResult.PERMERROR,
    "temperror": AuthResult.TEMPERROR,
}


def _result(view: View, *, of_helo: bool) -> AuthResult | None:
    found = known(view).helo if of_helo else known(view).spf
    return None if found is None else found.result


def _test(wanted: AuthResult, *, of_helo: bool) -> Callable[[View], bool]:
    def test(view: View) -> bool:
        return _result(view, of_helo=of_helo) is wanted

    identity = "HELO" if of_helo else "MAIL FROM"
    test.__doc__ = f"SPF of {identity} says {wanted.value}."
    return test


for _name, _wanted in _RESULTS.items():
    PLUGIN.test(f"check_for_spf_{_name}")(_test(_wanted, of_helo=False))
    PLUGIN.test(f"check_for_spf_helo_{_name}")(_test(_wanted, of_helo=True))


@PLUGIN.test("check_spf_skipped_noenvfrom")
def check_spf_skipped_noenvfrom(view: View) -> bool:
    """Nobody says who the envelope sender is."""
    return view.envelope_from is None


def _passes_as(view: View, *options: str) -> bool:
    sender = view.envelope_from
    return (
        bool(sender)
        and _result(view, of_helo=False) is AuthResult.PASS
        and any(sender in address_list(view, option) for option in options)
    )


@PLUGIN.test("check_for_spf_whitelist_from")
@PLUGIN.test("check_for_spf_welcomelist_from")
def check_for_spf_welcomelist_from(view: View) -> bool:
    """The envelope sender is wanted, and passes."""
    return _passes_as(view, "welcomelist_from_spf", "welcomelist_auth")


@PLUGIN.test("check_for_def_spf_whitelist_from")
@PLUGIN.test("check_for_def_spf_welcomelist_from")
def check_for_def_spf_welcomelist_from(view: View) -> bool:
    """The same for those who are wanted by default."""
    return _passes_as(view, "def_welcomelist_from_spf", "def_welcomelist_auth")
