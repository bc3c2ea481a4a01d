"""WelcomeListSubject: subjects that are always, or never, wanted.

Source: Mail::SpamAssassin::Plugin::WelcomeListSubject(3).
"""

from __future__ import annotations

from filterd.rules.evals.globs import is_in
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::WelcomeListSubject",
    *("welcomelist_subject", "whitelist_subject", "blocklist_subject", "blacklist_subject"),
)


def _is_listed(view: View, *names: str) -> bool:
    subject = (view.header("Subject") or b"").lower()
    return bool(subject) and any(
        is_in(option.value.encode("latin-1", "replace").lower(), subject)
        for name in names
        for option in view.options.get(name, ())
    )


@PLUGIN.test("check_subject_in_whitelist")
@PLUGIN.test("check_subject_in_welcomelist")
def check_subject_in_welcomelist(view: View) -> bool:
    """The subject contains what a line `welcomelist_subject` says."""
    return _is_listed(view, "welcomelist_subject", "whitelist_subject")


@PLUGIN.test("check_subject_in_blacklist")
@PLUGIN.test("check_subject_in_blocklist")
def check_subject_in_blocklist(view: View) -> bool:
    """The subject contains what a line `blocklist_subject` says."""
    return _is_listed(view, "blocklist_subject", "blacklist_subject")
