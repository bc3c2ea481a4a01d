"""What a client may do: privacy flags, modifiers of a daemon, and the ruleset `srv_features`.

All three say it as flags of what is forbidden (`SessionOptions.forbidden`).
Source: sendmail 8.17 `srvrsmtp.c` (smtp, srvfeatures), `readcf.c` (setdaemonoptions).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

OFFERS: Mapping[str, str] = {
    "a": "noauth",
    "b": "noverb",
    "d": "noreceipts",
    "e": "noetrn",
    "p": "nopipelining",
    "s": "notls",
    "x": "noexpn",
}
"""Letters of `srv_features`: a lower-case one offers, an upper-case one forbids."""

REQUIRES: Mapping[str, str] = {"l": "needauth"}
"""Letters of `srv_features` that require something; the upper-case one does not."""

MODIFIERS: Mapping[str, str] = {"A": "noauth", "E": "noetrn", "S": "notls", "a": "needauth"}
"""Modifiers of DaemonPortOptions (`M=`) that forbid or require something."""


def features_of(words: Iterable[str], forbidden: frozenset[str]) -> frozenset[str]:
    """What is forbidden after `srv_features` said these words; of each the first letter counts."""
    flags = set(forbidden)
    for letter in (word[:1] for word in words):
        flag, offers = OFFERS.get(letter.lower()), letter.islower()
        if flag is None:
            flag, offers = REQUIRES.get(letter.lower()), letter.isupper()
        if flag is not None:
            flags.discard(flag) if offers else flags.add(flag)
    return frozenset(flags)


def modified(modifiers: str) -> frozenset[str]:
    """What a daemon's modifiers forbid."""
    return frozenset(MODIFIERS[one] for one in modifiers if one in MODIFIERS)


def daemon_flags(modifiers: str) -> str:
    """The value of `${daemon_flags}`: `M=Ea` is `EE a`. Upper-case letters are doubled, since rules
    ignore case."""
    return " ".join(one + one if one.isupper() else one for one in modifiers)
