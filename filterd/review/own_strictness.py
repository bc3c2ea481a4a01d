"""How strict the filter is for one person's mail: its own choice, within what the admin allows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from filterd.filters.senders.list import ListEntryError
from filterd.filters.strictness.list import STEPS, Step, StrictnessEntry, by_key, first_of, read
from filterd.filters.strictness.list import change as change_list
from filterd.filters.strictness.settings import StrictnessSettings
from filterd.message.address import Mailbox
from filterd.review.own_mail import OwnMail, OwnResult
from filterd.review.senders import SendersError
from filterd.system.display import printable

if TYPE_CHECKING:
    from filterd.config.load import Settings

log = logging.getLogger(__name__)


class OwnStrictness:
    """One person's choice."""

    def __init__(self, settings: Settings, mail: OwnMail) -> None:
        self._own = _used(settings)
        self._mail = mail

    @property
    def steps(self) -> tuple[Step, ...]:
        """What can be chosen; empty where nothing can be."""
        if self._own is None:
            return ()
        own = self._own
        scores = {"strict": own.strict_score, "normal": 1.0, "lenient": own.lenient_score}
        found = tuple(one for one in STEPS if scores[one])
        return found if len(found) > 1 else ()

    def step(self) -> Step | None:
        """What was chosen, `normal` where nothing was; None where addresses of the person have
        different ones, or nothing can be chosen. Raises SendersError for a list that cannot be
        used."""
        if self._own is None:
            return None
        try:
            known = by_key(read(self._own.file))
        except (ListEntryError, OSError) as error:
            raise SendersError(str(error)) from error
        found: set[Step] = set()
        for recipient in self._mail.person.recipients:
            entry = first_of(known, Mailbox.parse(recipient).covered_by())
            found.add(entry.step if entry is not None else "normal")
        return found.pop() if len(found) == 1 else None

    def choose(self, step: Step) -> OwnResult:
        """Choose for all of the person's addresses."""
        own, mail = self._own, self._mail
        if own is None or step not in self.steps:
            return OwnResult(step, "not_now", ok=False)

        def change() -> OwnResult:
            recipients = sorted(mail.person.recipients)
            try:
                entries = [StrictnessEntry(step, one) for one in recipients]
                change_list(own.file, entries, f"by {printable(mail.who, 100)}")
            except (ListEntryError, OSError) as error:
                log.error("strictness of %s: %s", mail.who, error)
                return OwnResult(step, "not_now", ok=False)
            log.info("%s is %s now, by %s", ", ".join(recipients), step, mail.who)
            return OwnResult(step, "strictness_set")

        return mail.changed(step, change)


def _used(settings: Settings) -> StrictnessSettings | None:
    """The settings of the filter `strictness`; None where it is not in the chain."""
    name = next(iter(settings.in_chain(StrictnessSettings)), None)
    if name is None or settings.filters[name].link.dry_run:
        return None
    return settings.of_filter(StrictnessSettings)
