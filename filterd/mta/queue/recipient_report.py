"""What a sender is told of a recipient: whether, and in which words.

Sources: RFC 3461 §4.1 and §5.2 (NOTIFY), RFC 2852 §4.1.4 (BY), RFC 3464 §2.3.3 (Action); sendmail
8.17 `deliver.c`, `savemail.c`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from filterd.mta.delivery.router import DeliveryError, DeliveryOutcome
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.mta.mail.entry import Target

Action = Literal["failed", "delayed", "delivered", "relayed"]


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """error: why it failed or is late. comment: what stands in parentheses behind the action."""

    target: Target
    action: Action
    error: DeliveryError | None = None
    comment: str = ""


def failed(target: Target, error: DeliveryError) -> RecipientReport:
    return RecipientReport(target, "failed", error)


def is_wanted(report: RecipientReport) -> bool:
    """Whether NOTIFY asks for it. Without NOTIFY it is failures and delays."""
    words = _notify(report.target)
    match report.action:
        case "failed":
            return words is None or "FAILURE" in words
        case "delayed":
            return words is None or "DELAY" in words
    # Of the others the sender has asked for some in another way.
    return True


def success(outcome: DeliveryOutcome, by: DeliverBy | None) -> RecipientReport | None:
    """What is told of a delivery; None for nothing. by: the sender's wish."""
    target, words = outcome.target, _notify(outcome.target)
    if words is not None and "SUCCESS" in words:
        if outcome.is_local:
            return RecipientReport(target, "delivered", comment="to mailbox")
        if "DSN" not in outcome.offered:
            return RecipientReport(target, "relayed", comment="to non-DSN-aware mailer")
    if by is None or words == ["NEVER"]:
        return None
    if not by.returns and "DELIVERBY" not in outcome.offered:
        return RecipientReport(target, "relayed", comment="Deliver-By notify mode")
    if by.traces:
        return RecipientReport(target, "relayed", comment="Deliver-By trace mode")
    return None


def may_be_warned(sender: str) -> bool:
    """Whether a sender is told of delays: not who sends reports, or mails to a list."""
    lower = sender.lower()
    return bool(sender) and not lower.startswith("owner-") and not lower.endswith("-request")


def _notify(target: Target) -> Sequence[str] | None:
    """The words of NOTIFY in upper case, None if it was not given."""
    for parameter in target.parameters:
        name, _, value = parameter.upper().partition("=")
        if name == "NOTIFY":
            return value.split(",")
    return None
