"""What filterd does not do of SpamAssassin's eval tests, and why.

A rule with such a test is left out and named with the reason (`RuleSet.unsupported`); `ifplugin`
does not hold for the plugins. Source: the eval tests that SpamAssassin 4.0.2 registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PREFIX = "Mail::SpamAssassin::Plugin::"

_RAZOR = "asks Razor's servers with a program of its own; filterd has no client for them"
_PYZOR = "asks Pyzor's servers with a program of its own; filterd has no client for them"
_DCC = "asks DCC's servers with a program of its own; filterd has no client for them"
_HISTORY = "scores of earlier mail in SpamAssassin's own database: filter `known` does this here"
_SHORT_LINKS = "would fetch links of the message over HTTP: filterd never follows them"
_CIRCUIT = "filterd always weighs all rules: nothing is skipped on one hit"
_ACCESS = "reads sendmail's access database: the MTA and filter `locallists` do this here"
_OLD_LISTS = "asks lists in a way that no stock rule uses; `check_rbl` and its kin are done"
_COUNTRY = "needs a database of countries and networks that filterd does not read"

MISSING_PLUGINS: Mapping[str, str] = MappingProxyType(
    {
        _PREFIX + name: reason
        for name, reason in {
            "AWL": _HISTORY,
            "AccessDB": _ACCESS,
            "AutoLearnThreshold": "when the classifier learns by itself is a setting of `bayes`",
            "DCC": _DCC,
            "DecodeShortURLs": _SHORT_LINKS,
            "ExtractText": "runs programs of the site on attachments; filter `parts` reads them",
            "P595Body": "an experiment of SpamAssassin's that no rule uses",
            "PhishTag": "changes links in the message: filterd hands on bodies as they came",
            "Pyzor": _PYZOR,
            "Razor2": _RAZOR,
            "RelayCountry": _COUNTRY,
            "ResourceLimits": "limits of processes are settings of filterd's own",
            "Reuse": "takes hits of an earlier run from the message, for SpamAssassin's own tests",
            "Shortcircuit": _CIRCUIT,
            "SpamCop": "reports mail to SpamCop; it has no tests",
            "Test": "an example for authors of plugins",
            "TxRep": _HISTORY,
            "URILocalBL": _COUNTRY,
        }.items()
    }
)
"""Plugins by their Perl module, with the reason."""

_TESTS: dict[str, str] = {
    _RAZOR: "check_razor2 check_razor2_range",
    _PYZOR: "check_pyzor",
    _DCC: "check_dcc check_dcc_reputation_range",
    _HISTORY: "check_from_in_auto_whitelist check_from_in_auto_welcomelist"
    " check_senders_reputation",
    _SHORT_LINKS: "short_url short_url_200 short_url_404 short_url_chained short_url_code"
    " short_url_loop short_url_maxchain short_url_redir short_url_tests"
    " redir_url_404 redir_url_chained redir_url_code redir_url_loop redir_url_maxchain"
    " redir_url_redir",
    _CIRCUIT: "check_shortcircuit",
    _COUNTRY: "check_uri_local_bl",
    _OLD_LISTS: "check_rbl_accreditor check_rbl_headers check_rbl_ns_from check_rbl_rcvd",
    _ACCESS: "check_access_database",
}

MISSING_TESTS: Mapping[str, str] = MappingProxyType(
    {name: reason for reason, names in _TESTS.items() for name in names.split()}
)
"""Eval tests by the name that rules call them with, with the reason."""


def why_missing(function: str) -> str:
    """The reason why an eval test is not done."""
    return MISSING_TESTS.get(function, "filterd does not know this eval test")
