"""How URIs are read by the options of a rule set: lists of domains, redirectors.

Source: Mail::SpamAssassin::Conf(3), util_rb_tld, redirector_pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

from filterd.rules.conf.regexp import pattern_of
from filterd.rules.conf.rule import Option, RulePattern
from filterd.rules.patterns import compile_pattern
from filterd.rules.view.domains import Domains
from filterd.rules.view.uri_forms import Forms, Redirector

_REFERENCE = re.compile(r"\\[1-9gk]|\(\?[0-9R&P+-]")
"""A pattern that refers to its groups by number."""

_made: list[tuple[Mapping[str, tuple[Option, ...]], Forms]] = []
_MADE_LIMIT = 4
"""Rule sets whose settings are remembered: the one in use, and one that takes its place."""


def uri_settings(options: Mapping[str, tuple[Option, ...]]) -> Forms:
    """The settings in the options of a rule set; made once for each. Without lists of top-level
    domains in them, those of the Public Suffix List."""
    for known, forms in _made:
        if known is options:
            return forms
    forms = _settings(options)
    _made.append((options, forms))
    del _made[:-_MADE_LIMIT]
    return forms


def _settings(options: Mapping[str, tuple[Option, ...]]) -> Forms:
    patterns: list[RulePattern] = []
    for option in options.get("redirector_pattern", ()):
        with suppress(ValueError):  # the reader of the files has named it
            pattern = pattern_of(option.value.encode("latin-1", "replace"))
            compile_pattern(pattern)
            patterns.append(pattern)
    return Forms(Domains.of(options), _redirector(patterns))


def _redirector(patterns: Sequence[RulePattern]) -> Redirector:
    each = [compile_pattern(pattern) for pattern in patterns]
    # One search tells of most URIs that no redirector is in them.
    any_of = (
        compile_pattern(
            RulePattern(
                "|".join(
                    f"(?{one.flags}:{one.source}\n)"
                    if "x" in one.flags
                    else f"(?{one.flags}:{one.source})"
                    for one in patterns
                )
            )
        )
        if len(each) > 1 and not any(_REFERENCE.search(one.source) for one in patterns)
        else None
    )

    def target(uri: bytes) -> bytes | None:
        if any_of is not None and any_of.search(uri) is None:
            return None
        for pattern in each:
            found = pattern.match(uri)
            if found is not None:
                inner = found.group(1)
                if inner is not None and b"." in inner:
                    return inner
        return None

    return target
