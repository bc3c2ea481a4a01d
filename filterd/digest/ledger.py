"""Who has been told of what: rows of the quarantine's index, so that hosts that share it tell once.

A mailbox has heard of what came up to a moment; that is written when the MTA has the digest.
A process that sends one claims it first by an update of one row, which only one can win. A mailbox
is one however its address is spelled (`readable`); earlier versions of filterd have told of each
spelling by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from filterd.database.search import Unindexed
from filterd.database.storable import storable
from filterd.message.address import Mailbox, checked_domains, readable
from filterd.quarantine.index import Index, Row, row_of
from filterd.quarantine.schema import deliveries, digests, messages

CLAIM_LIMIT = 900.0
"""Seconds after which a digest that was begun or deferred is tried again."""

BEGINNING = ""
"""Stands for everybody who was never told: mail counts from that row's moment on."""

EVERYBODY = "*"
"""Its row has the moment up to which nobody is due: older mail need not be looked at."""

LATE = 86400.0
"""Seconds that a message may need from its last octet into the index, by `fsck` after a trouble of
the database, say, and still be listed."""

UNSENDABLE = "\\ud"
"""In the index's form of an address with octets of no charset; nothing can be sent there."""


_CHUNK = 500
"""Mailboxes in one statement."""


@dataclass(slots=True)
class Due:
    """What a mailbox is to hear of. address: as the newest message spells it; a digest goes
    there. held: ids, newest first, each with the recipient to whom the message can be released."""

    address: str
    held: dict[str, str] = field(default_factory=dict)


class DigestLedger:
    """The table of one index. All times are seconds since 1970. Methods raise StoreError."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def begun(self, now: float) -> float:
        """When digests began here; that is now, if it was never asked before."""
        self._enter(BEGINNING, now, 0.0)
        told = sa.select(digests.c.told).where(digests.c.recipient == BEGINNING)
        with self._index.connection() as connection:
            return float(connection.scalar(told) or 0.0)

    def due(
        self,
        begun: float,
        until: float,
        reasons: Sequence[str],
        domains: Sequence[str] = (),
        since: float | None = None,
    ) -> dict[str, Due]:
        """Mailbox → what is held for it and came after it was told last; messages with a virus are
        left out. since: instead of that moment, for all."""
        m, d = messages.c, deliveries.c
        oldest = max(begun, self._all_told()) if since is None else since
        told = sa.func.coalesce(digests.c.told, begun) if since is None else sa.literal(since)
        # By time first. SQLite, which has no statistics, would begin with all that is held.
        query = (
            sa.select(d.recipient, d.id, m.received)
            .join(messages, m.id == d.id)
            .outerjoin(digests, digests.c.recipient == d.recipient)
            .where(
                Unindexed(d.state) == "held",
                Unindexed(d.dismissed) == 0,
                Unindexed(m.reason).in_(reasons),
                m.virus == "",
                m.received > oldest,
                m.received <= until,
                m.received > told,
            )
            .order_by(m.received.desc(), m.id.desc())
        )
        wanted = checked_domains(domains)
        with self._index.connection() as connection:
            rows = connection.execute(query).all()
            mailboxes = {
                recipient: name(recipient)
                for recipient in {row[0] for row in rows}
                if UNSENDABLE not in recipient
                and not (wanted and Mailbox.parse(recipient).domain not in wanted)
            }
            # The query knows when these were told under this spelling, not under another one.
            others = {mailbox for recipient, mailbox in mailboxes.items() if mailbox != recipient}
            last = {} if since is not None else _told(connection, others)
        found: dict[str, Due] = {}
        for recipient, id, received in rows:
            mailbox = mailboxes.get(recipient, BEGINNING)
            if mailbox not in (BEGINNING, EVERYBODY) and received > last.get(mailbox, oldest):
                found.setdefault(mailbox, Due(recipient)).held.setdefault(id, recipient)
        return found

    def rows(self, ids: Sequence[str]) -> list[Row]:
        """What the index has of these messages, newest first."""
        query = sa.select(messages)
        found: list[Row] = []
        with self._index.connection() as connection:
            for start in range(0, len(ids), _CHUNK):
                some = query.where(messages.c.id.in_(ids[start : start + _CHUNK]))
                found += [row_of(one) for one in connection.execute(some).mappings()]
        return sorted(found, key=lambda row: (row.received, row.id), reverse=True)

    def claim(self, mailbox: str, begun: float, until: float, now: float) -> bool:
        """Take it upon oneself to tell a mailbox; False if that is done, or somebody is at it."""
        c = digests.c
        claimed = (
            sa.update(digests)
            .where(c.recipient == mailbox, c.told < until, c.claimed < now - CLAIM_LIMIT)
            .values(claimed=now)
        )
        with self._index.connection() as connection:
            if connection.execute(claimed).rowcount:
                return True
        return self._enter(mailbox, begun, now)

    def settle(self, mailbox: str, until: float) -> None:
        """The mailbox was told, or never can be."""
        values = {"told": until, "claimed": 0.0}
        settled = sa.update(digests).where(digests.c.recipient == mailbox).values(**values)
        with self._index.connection() as connection:
            connection.execute(settled)

    def complete(self, until: float) -> None:
        """Everybody was told of what came up to then: nobody is due for anything much older."""
        told = until - LATE
        c = digests.c
        newer = sa.update(digests).where(c.recipient == EVERYBODY, c.told < told).values(told=told)
        with self._index.connection() as connection:
            if connection.execute(newer).rowcount:
                return
        self._enter(EVERYBODY, told, 0.0)

    def _all_told(self) -> float:
        told = sa.select(digests.c.told).where(digests.c.recipient == EVERYBODY)
        with self._index.connection() as connection:
            return float(connection.scalar(told) or 0.0)

    def _enter(self, recipient: str, told: float, claimed: float) -> bool:
        """Add a row; False if there is one."""
        row = {"recipient": recipient, "told": told, "claimed": claimed}
        with self._index.connection() as connection:
            known = sa.select(digests.c.told).where(digests.c.recipient == recipient)
            if connection.scalar(known) is not None:
                return False
            try:
                connection.execute(sa.insert(digests), [row])
            except sa.exc.IntegrityError:
                connection.rollback()
                return False
        return True


def name(address: str) -> str:
    """The mailbox of an address, as `DigestLedger.due` has it."""
    return storable(readable(address))


def _told(connection: sa.Connection, mailboxes: Iterable[str]) -> dict[str, float]:
    """Up to when these were told, as far as they were."""
    names, c = sorted(mailboxes), digests.c
    found: dict[str, float] = {}
    for start in range(0, len(names), _CHUNK):
        some = sa.select(c.recipient, c.told).where(c.recipient.in_(names[start : start + _CHUNK]))
        found.update((mailbox, told) for mailbox, told in connection.execute(some))
    return found
