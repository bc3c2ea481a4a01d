"""What became of an action of a user, in English; the catalogues have it in other languages."""

from __future__ import annotations

from collections.abc import Mapping

from filterd.review.own_mail import OwnWord

OWN_WORDS: Mapping[OwnWord, str] = {
    "delivered": "It is on its way to you.",
    "under_way": "It is on its way to you.",
    "not_delivered": (
        "It could not be delivered now. It is still kept: try later, or ask your postmaster."
    ),
    "delivered_learned": "It is on its way to you, and the filter learns that it is wanted.",
    "delivered_not_learned": "It is on its way to you. The filter does not learn from it today.",
    "deleted": "It is deleted.",
    "undeleted": "It is back.",
    "asked": "The postmaster is asked to deliver it.",
    "blocked": "The sender is blocked, and the message is deleted.",
    "allowed": "The sender is allowed from the next message on.",
    "added": "The sender is in your list.",
    "removed": "The sender is no longer in your list.",
    "not_there": "The sender was not in your list.",
    "gone": "This message is not held any more.",
    "not_permitted": "That cannot be done with this message.",
    "not_listed": "That sender cannot be listed. Ask your postmaster.",
    "not_proven": "Nobody can be allowed here, since nothing proves who sends a message.",
    "too_many": "You have reached the limit for now. Try again later.",
    "too_many_entries": "Your list is full. Remove something from it first.",
    "strictness_set": "Chosen: it counts from the next message on.",
    "not_now": "That is not possible now. Try again later.",
}
