"""The settings of the policy, and every mistake in them that a type does not show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_doc import Doc

from filterd.chain import replies
from filterd.chain.replies import ReplyError
from filterd.message.address import AddressPatternError, pattern_keys
from filterd.message.matching import networks
from filterd.message.subject import TAG_LIMIT

ActionWord = Literal["accept", "quarantine", "discard", "tempfail", "reject"]


VirusWord = Literal["reject", "discard", "quarantine", "strip"]


REPLIES_DOC = (
    'replies to refused clients, e.g. { spam = "550 5.7.1 Message refused as spam" }; names: '
    + ", ".join(replies.DEFAULTS)
)


class PolicyError(ValueError):
    """Settings that contradict each other or cannot be read.

    keys: paths of the settings that are concerned; to change one of them is enough.
    """

    def __init__(self, text: str, *keys: tuple[str | int, ...]) -> None:
        super().__init__(text)
        self.keys = keys


RecipientPatterns = Annotated[
    tuple[str, ...],
    Doc(
        'addresses ("ann@mx.example"; with any +detail), domains ("mx.example"), '
        'or domains with all below them (".mx.example")'
    ),
]
"""The setting of a rule that holds for some recipients."""


@dataclass(frozen=True)
class PolicyRule:
    """Settings `[[policy.rules]]`: other thresholds for some recipients or clients.

    Every condition that is set must hold; of several rules the first that matches counts.
    """

    name: Annotated[str, Doc("name of the rule in the log")] = "rule"
    recipients: RecipientPatterns = ()
    authenticated: Annotated[
        bool | None, Doc("true: only clients that logged in (SMTP AUTH); false: only others")
    ] = None
    clients: Annotated[
        tuple[str, ...], Doc('client networks ("192.0.2.0/24"), or "local" for this host itself')
    ] = ()
    label: Annotated[float | None, Doc("points from which a message is labelled")] = None
    quarantine: Annotated[float | None, Doc("points from which it is quarantined")] = None
    reject: Annotated[float | None, Doc("points from which it is rejected")] = None
    subject_tag: Annotated[str | None, Doc("put before the Subject of labelled mail")] = None
    at_most: Annotated[
        ActionWord | None,
        Doc(
            "the strongest action that the score may cause; does not apply to a virus or a failure"
        ),
    ] = None
    virus: Annotated[
        VirusWord | None, Doc("what a virus means: reject, discard, quarantine or strip")
    ] = None
    replies: Annotated[
        Mapping[str, str], Doc("replies that differ from those in [policy], by the same names")
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicySettings:
    """Settings `[policy]`."""

    label: Annotated[float, Doc("points from which a message is labelled; inf: never")] = 5.0
    quarantine: Annotated[float, Doc("points from which it is quarantined; inf: never")] = 8.0
    reject: Annotated[float, Doc("points from which it is rejected; inf: never")] = 15.0
    subject_tag: Annotated[
        str, Doc('put before the Subject of labelled mail, e.g. "***SPAM*** "; empty: unchanged')
    ] = ""
    quarantine_in: Annotated[
        Literal["store", "mta"],
        Doc("store: filterd's own quarantine; mta: the MTA's hold queue (SMFIR_QUARANTINE)"),
    ] = "store"
    keep_rejected: Annotated[bool, Doc("true: a rejected message is stored as well")] = True
    keep_discarded: Annotated[bool, Doc("true: a discarded message is stored as well")] = True
    virus: Annotated[
        VirusWord,
        Doc(
            "what a virus means: reject, discard, quarantine (hold), or strip (remove the infected "
            "parts and deliver the rest; hold the message if that is not possible)"
        ),
    ] = "reject"
    replies: Annotated[
        Mapping[str, str],
        Doc(REPLIES_DOC),
    ] = field(default_factory=dict)
    rules: Annotated[
        tuple[PolicyRule, ...], Doc("other thresholds for some recipients or clients")
    ] = ()


def mistakes_in(settings: PolicySettings) -> Iterator[PolicyError]:
    """Everything for which `Policy` refuses the settings."""
    key: tuple[str | int, ...] = ("policy",)
    yield from _contradictions(key, settings.label, settings.quarantine, settings.reject)
    yield from _caught(_check_tag, key, settings.subject_tag)
    for kind, text in settings.replies.items():
        yield from _caught(_check_reply, key, kind, text)
    for index, rule in enumerate(settings.rules):
        key = ("policy", "rules", index)
        if (rule.label, rule.quarantine, rule.reject) != (None, None, None):
            yield from _contradictions(key, *rule_points(rule, settings))
        yield from _caught(_check_tag, key, rule.subject_tag or "")
        for kind, text in rule.replies.items():
            yield from _caught(_check_reply, key, kind, text)
        for place, text in enumerate(rule.recipients):
            yield from _caught(_check_recipient, (*key, "recipients", place), text)
        for place, text in enumerate(rule.clients):
            yield from _caught(_check_client, (*key, "clients", place), text)


def _caught(check: Callable[..., object], *values: object) -> Iterator[PolicyError]:
    try:
        check(*values)
    except PolicyError as error:
        yield error


def rule_points(rule: PolicyRule, default: PolicySettings) -> tuple[float, float, float]:
    """Label, quarantine and reject as they count for the rule."""
    return (
        default.label if rule.label is None else rule.label,
        default.quarantine if rule.quarantine is None else rule.quarantine,
        default.reject if rule.reject is None else rule.reject,
    )


def _check_recipient(key: tuple[str | int, ...], text: str) -> None:
    try:
        pattern_keys(text)
    except AddressPatternError as error:
        raise PolicyError(str(error), key) from error


def _check_client(key: tuple[str | int, ...], text: str) -> None:
    try:
        networks([text])
    except ValueError as error:
        raise PolicyError(str(error), key) from error


def _contradictions(
    key: tuple[str | int, ...], label: float, quarantine: float, reject: float
) -> Iterator[PolicyError]:
    values = {"label": label, "quarantine": quarantine, "reject": reject}
    for name, value in values.items():
        if math.isnan(value):
            yield PolicyError("not a number; expected points such as 5.0, or inf", (*key, name))
    expected = "expected label <= quarantine <= reject"
    for lower, upper in (("label", "quarantine"), ("quarantine", "reject")):
        # A label that is switched off (inf) may be above the others.
        never = lower == "label" and math.isinf(label)
        if values[lower] > values[upper] and not never:
            yield PolicyError(
                f"{lower} = {values[lower]:g} is above {upper} = {values[upper]:g}; {expected}",
                (*key, lower),
                (*key, upper),
            )


def _check_reply(key: tuple[str | int, ...], kind: str, text: str) -> None:
    try:
        replies.parse(kind, text)
    except ReplyError as error:
        raise PolicyError(str(error), (*key, "replies", kind)) from error


def _check_tag(key: tuple[str | int, ...], tag: str) -> None:
    if len(tag) > TAG_LIMIT or not all(c.isprintable() for c in tag):
        raise PolicyError(
            f"the tag {tag!r} is not one line of at most {TAG_LIMIT} printable characters",
            (*key, "subject_tag"),
        )
