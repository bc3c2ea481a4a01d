"""Rules of the kind `uri_detail`: conditions that all hold for one URI.

Source: Mail::SpamAssassin::Plugin::URIDetail(3pm).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from filterd.rules.conf.rule import UriCondition
from filterd.rules.evals.registry import Plugin
from filterd.rules.patterns import compile_pattern

if TYPE_CHECKING:
    from filterd.rules.view.uris import UriDetail
    from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::URIDetail")

KEYS = frozenset(("raw", "type", "cleaned", "text", "domain", "host"))
"""What a condition may look at."""


def find(view: View, conditions: Sequence[UriCondition]) -> bytes | None:
    """The first URI, as it stands in the message, that all conditions hold for; None if there is
    none. Raises PatternError for a pattern that cannot be compiled."""
    tests = [
        (condition.key, compile_pattern(condition.pattern), condition.negated)
        for condition in conditions
    ]
    for raw, detail in view.uri_detail.items():
        if all(
            any((pattern.search(value) is None) == negated for value in values_of(raw, detail, key))
            for key, pattern, negated in tests
        ):
            return raw
    return None


def values_of(raw: bytes, detail: UriDetail, key: str) -> Collection[bytes]:
    """What a condition for `key` looks at: one of the values is enough."""
    match key:
        case "raw":
            return (raw,)
        case "type":
            return [name.encode("ascii", "replace") for name in detail.types]
        case "cleaned":
            return detail.cleaned
        case "text":
            return detail.anchor_text
        case "domain":
            return detail.domains
        case "host":
            return detail.hosts
    return ()
