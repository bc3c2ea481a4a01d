"""The table of actions: what can be done with kept mail, and the right that each needs.

Pages, REST interface and command line all read it: a page shows the buttons of what is permitted,
`Access` refuses the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from filterd.quarantine.entry import for_admins_only

if TYPE_CHECKING:
    from filterd.quarantine import Entry
    from filterd.review.actions import ActionRequest, ActionResult, ReviewActions
    from filterd.review.reviewer import Reviewer, Role

NOT_ALONE = "it also concerns recipients who are not yours; ask an admin"
ADMIN_ONLY = "only an admin may do that"
OWN_ONLY = "you may release to your own recipients only"
THEIRS_ONLY = "you may release to the recipients of the message only"
NOT_KEPT = "it is not in the quarantine: this is a copy of recent mail"
OWN_SCANS_ONLY = "you may scan for your own recipients only"


class Right(Enum):
    """What one needs for an action on one message, beside a role that may do it; an admin has them
    all."""

    SEE = "one of the recipients is its own"
    OWN = "the same, and only for its own recipients"
    ALL = "all recipients are its own"
    ADMIN = "for admins only, and for the roles that may look at it"


Run = Callable[["ReviewActions", Sequence[str], "ActionRequest"], list["ActionResult"]]


def _unchecked(_entry: Entry) -> str:
    return ""


def _virus(entry: Entry) -> str:
    return f"it contains a virus ({entry.virus})" if entry.virus else ""


@dataclass(frozen=True, slots=True)
class ReviewAction:
    """One action.

    roles: those that may do it beside admins. button: on a message's page. phrase: what is done,
    `{}` for how many messages: `Delete {}`. explained: what will happen. admin_only: why a certain
    message is for admins only, empty if it is not. run: does it; None where it is not done to a
    list of messages. asks_first: cannot be undone, or has an effect on mail to come. decides: the
    reviewer is done with the message then, and may go on to the next one. without_proof: can be
    done so that it counts for mail that does not prove who sent it. for_everybody: can be done for
    all recipients, by admins. together: done to all messages at once. of_copies: can be done with a
    copy of recent mail, which is not in the quarantine.
    """

    right: Right
    button: str = ""
    phrase: str = ""
    explained: str = ""
    run: Run | None = None
    admin_only: Callable[[Entry], str] = _unchecked
    asks_first: bool = False
    decides: bool = False
    for_everybody: bool = False
    without_proof: bool = False
    together: bool = False
    of_copies: bool = False
    roles: tuple[Role, ...] = ("reviewer",)


ACTIONS: Mapping[str, ReviewAction] = {
    "release": ReviewAction(
        Right.OWN,
        "Release",
        "Release {}",
        "The original is delivered to the recipients whose copy is held, or to all recipients "
        "where only a copy is kept. Nobody gets it twice.",
        lambda do, ids, request: do.release(ids, request),
        admin_only=for_admins_only,
        decides=True,
        roles=("reviewer", "helpdesk", "user"),
    ),
    "release-ham": ReviewAction(
        Right.ALL,
        "Release and learn as ham",
        "Release {} and learn as ham",
        "As a release, and the classifier learns that this is wanted mail.",
        lambda do, ids, request: do.release_and_learn(ids, request),
        admin_only=for_admins_only,
        decides=True,
    ),
    "spam": ReviewAction(
        Right.SEE,
        "Learn as spam",
        "Learn {} as spam",
        "The classifier learns that this is unwanted mail.",
        lambda do, ids, request: do.learn(ids, request, spam=True),
        decides=True,
        together=True,
        of_copies=True,
    ),
    "ham": ReviewAction(
        Right.SEE,
        "Learn as ham",
        "Learn {} as ham",
        "The classifier learns that this is wanted mail.",
        lambda do, ids, request: do.learn(ids, request, spam=False),
        decides=True,
        together=True,
        of_copies=True,
        roles=("reviewer", "user"),
    ),
    "pin": ReviewAction(
        Right.SEE,
        "Pin",
        "Pin {}",
        "Pinned messages do not expire.",
        lambda do, ids, request: do.pin(ids, request, pinned=True),
    ),
    "unpin": ReviewAction(
        Right.SEE,
        "Unpin",
        "Unpin {}",
        "The messages expire as others do.",
        lambda do, ids, request: do.pin(ids, request, pinned=False),
    ),
    "allow": ReviewAction(
        Right.OWN,
        "Allow sender",
        "Allow the senders of {}",
        "From now on mail from these envelope senders gets negative points, if it proves to come "
        "from their domains (where the filter auth checks that).",
        lambda do, ids, request: do.list_senders("allow", ids, request),
        asks_first=True,
        for_everybody=True,
        without_proof=True,
        of_copies=True,
        roles=("reviewer", "user"),
    ),
    "block": ReviewAction(
        Right.OWN,
        "Block sender",
        "Block the senders of {}",
        "From now on mail from these envelope senders gets points.",
        lambda do, ids, request: do.list_senders("block", ids, request),
        asks_first=True,
        for_everybody=True,
        of_copies=True,
        roles=("reviewer", "user"),
    ),
    "delete": ReviewAction(
        Right.ALL,
        "Delete",
        "Delete {}",
        "The messages are taken out of the list. What they were and what was done stays known.",
        lambda do, ids, request: do.delete(ids, request),
        asks_first=True,
        decides=True,
        roles=("reviewer", "user"),
    ),
    "undelete": ReviewAction(
        Right.ALL,
        "Undelete",
        "Undelete {}",
        "The messages are brought back as they were.",
        lambda do, ids, request: do.undelete(ids, request),
        roles=("reviewer", "user"),
    ),
    "rescan": ReviewAction(
        Right.SEE, "Scan again", of_copies=True, roles=("reviewer", "helpdesk", "auditor")
    ),
    "download": ReviewAction(
        Right.SEE, "Download the exact bytes", admin_only=_virus, of_copies=True
    ),
    "download-part": ReviewAction(Right.ADMIN, of_copies=True, roles=()),
    "status": ReviewAction(Right.ADMIN, roles=("auditor",)),
    "trace": ReviewAction(Right.ADMIN, roles=()),
    "dmarc": ReviewAction(Right.ADMIN, roles=("auditor",)),
    "lists": ReviewAction(Right.ADMIN, roles=()),
    "rates": ReviewAction(Right.ADMIN, roles=()),
    "senders": ReviewAction(Right.SEE, roles=("reviewer", "user")),
    "greylist": ReviewAction(Right.SEE),
    "requests": ReviewAction(Right.SEE, roles=("reviewer", "helpdesk")),
    "accounts": ReviewAction(Right.ADMIN, roles=()),
}
"""By name, as forms and URLs use it, in the order of the menu. The last nine are about no message:
`status`, the dashboard, counts and the state of the site; `trace`, rules of a sendmail.cf; `dmarc`,
reports of others about our domains; `lists`, the local lists; `rates`, whose mail is held;
`senders`, changes of the list of senders; `greylist`, letting in what waits; `requests`, answers to
people who ask for the release of their mail; `accounts`, who may log in, and tokens."""

BULK: Mapping[str, ReviewAction] = {
    name: one for name, one in ACTIONS.items() if one.run is not None
}
"""What can be done with several messages."""


def recipients_of(entry: Entry) -> tuple[str, ...]:
    """All recipients that a message concerns."""
    return tuple(dict.fromkeys((*entry.recipients, *entry.held_for)))


def own_recipients(reviewer: Reviewer, entry: Entry) -> tuple[str, ...]:
    """Those for whom a reviewer acts where it names nobody."""
    return reviewer.within(entry.held_for or entry.recipients)


def role_refusal(reviewer: Reviewer, action: ReviewAction) -> str:
    """Why the role may not do that at all; empty if it may."""
    if reviewer.is_admin or reviewer.role in action.roles:
        return ""
    if action.right is Right.ADMIN:
        return ADMIN_ONLY
    return f"the role {reviewer.role} may not do that"


def refusal(
    reviewer: Reviewer, action: ReviewAction, entry: Entry, request: ActionRequest | None = None
) -> str:
    """Why the reviewer may not do that with a message that it may see; empty if it may."""
    if reviewer.is_admin:
        return ""
    if why := role_refusal(reviewer, action):
        return why
    if request is not None and (request.everybody or request.viruses):
        return ADMIN_ONLY
    if why := action.admin_only(entry):
        return f"{ADMIN_ONLY}: {why}"
    chosen = request.recipients if request is not None else ()
    if set(chosen) - set(reviewer.within(chosen)):
        return OWN_ONLY
    if reviewer.sees_all and set(chosen) - set(recipients_of(entry)):
        return THEIRS_ONLY
    if action.right is Right.ALL and not reviewer.may_decide(recipients_of(entry)):
        return NOT_ALONE
    if action.right is Right.OWN and not (chosen or own_recipients(reviewer, entry)):
        return NOT_ALONE
    return ""
