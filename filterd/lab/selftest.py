"""The self-test: sample messages through the daemon behind an embedded MTA, and what became of
each.

What the settings promise for them is in `filterd.lab.expected`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from filterd.chain.filter import Buildable
from filterd.config.assembly import open_history
from filterd.config.load import Settings, load
from filterd.config.sample import toml_value
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.filters.gtube import GtubeSettings
from filterd.filters.parts.settings import PartsSettings
from filterd.filters.scanners.settings import ScannersSettings
from filterd.history import HistoryQuery
from filterd.lab.expected import Promises
from filterd.lab.samples import RECIPIENT, SENDER, sample
from filterd.mta.delivery.client import SendResult, connected, send_all, transact
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.server import MtaThread, running_mta
from filterd.mta.settings import MtaSettings
from filterd.ops.scanners import clamd_status
from filterd.quarantine import Store
from filterd.quarantine.query import PAGE_LIMIT, Query

HOST = "mx.example"

SAMPLES: Mapping[str, tuple[type[Buildable], ...]] = {
    "gtube": (GtubeSettings,),
    "eicar": (ClamAVSettings, ScannersSettings),
    "exe": (PartsSettings,),
}
"""Test message → the kinds of filter that it is for, as their settings' classes."""

USUAL_NAMES: Mapping[str, str] = {"gtube": "gtube", "eicar": "clamav", "exe": "parts"}
"""Test message → what the filter is called where the chain has none of that kind."""


@dataclass(frozen=True)
class Came:
    """What became of one test message: the last reply, and the delivered copy if there is one."""

    result: SendResult
    delivered: bytes | None
    note: str | None = None
    """Of one that went through an MTA that is there: what is wrong, besides the reply."""

    @property
    def words(self) -> str:
        """The same for people."""
        if self.note is not None:
            return f"{self.result.reply}{self.note}"
        place = "delivered" if self.delivered is not None else "not delivered"
        return f"{self.result.reply} ({place})"


HELO = "localhost"

CONNECT_SECONDS = 60.0
"""sendmail may let a client wait for its greeting."""

HISTORY_SECONDS = 20.0

OWN_SETTINGS = """\
[daemon]
socket = {socket}
socket_mode = 0o600
spool = {spool}
[workers]
count = 1
[chain]
filters = {filters}
[quarantine]
folder = {quarantine}
"""


def own_settings(folder: Path, given: Settings) -> Settings:
    """Settings for a test without a file: the defaults, with all that is written in a folder of
    the test's own, and without the virus scanner if there is none."""
    # Only clamd has a usual place; where other scanners are, these settings do not say.
    left_out: dict[str, Buildable] = {**given.in_chain(ScannersSettings)}
    if not _scanner_answers(given):
        left_out |= given.in_chain(ClamAVSettings)
    filters = [name for name in given.chain.filters if name not in left_out]
    file = folder / "filterd.toml"
    file.write_text(
        OWN_SETTINGS.format(
            socket=toml_value(f"unix:{folder}/socket"),
            spool=toml_value(folder / "daemon-spool"),
            quarantine=toml_value(folder / "quarantine"),
            filters=toml_value(filters),
        ),
        "utf-8",
    )
    return load(file)


def _scanner_answers(loaded: Settings) -> bool:
    return any(not one.error for one in clamd_status(loaded))


def samples_for(loaded: Settings) -> list[str]:
    """The messages that the chain can be asked about."""
    return ["clean", *(sample for sample, kinds in SAMPLES.items() if _of(loaded, kinds))]


def _of(settings: Settings, kinds: tuple[type[Buildable], ...]) -> list[str]:
    """The filters of the chain that are of one of these kinds."""
    return [name for kind in kinds for name in settings.in_chain(kind)]


def remarks(given: Settings, loaded: Settings, promises: Promises) -> Iterator[str]:
    """What the table does not say."""
    for name, kinds in SAMPLES.items():
        if not _of(given, kinds):
            yield f"{USUAL_NAMES[name]} is not in [chain] filters and was not tested"
        for own in _of(given, kinds):
            if own not in loaded.chain.filters:
                yield f"no scanner answers at the usual place, so {own} was not tested"
            elif loaded.filters[own].link.dry_run:
                yield f"{own} only observes (dry_run), so its opinion changes nothing"
    for name, why in promises.left_out.items():
        yield f"{name} could not be asked what to expect: {why}"


def run(folder: Path, socket: str, names: Iterable[str], mark: str) -> dict[str, Came]:
    """Send the samples of these names through an MTA in that folder, with the daemon as its filter.

    mark: of this test, in the Message-ID of each. Raises OSError if the MTA cannot run.
    """
    mta_settings = MtaSettings(
        port=0,
        hostname=HOST,
        filters=(InputMailFilter("filterd", socket, "T"),),
        mail=folder / "mail",
        spool=folder / "spool",
    )
    came = {}
    with running_mta(mta_settings) as mta:
        for name in names:
            before = set(mta.mailbox(RECIPIENT.partition("@")[0]))
            result = _send(mta, name, mark)
            mta.settle()
            new = set(mta.mailbox(RECIPIENT.partition("@")[0])) - before
            came[name] = Came(result, new.pop().read_bytes() if new else None)
    return came


POSTMASTERS = ("postmaster", "root")
"""Who may get test mail on a machine of which nothing else is known."""


def new_mark() -> str:
    """What the messages of one test can be told by."""
    return f"selftest-{secrets.token_hex(8)}"


def marked(name: str, mark: str) -> bytes:
    """The sample with that mark in its Message-ID."""
    return sample(name).data.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <" + mark.encode(), 1)


def through(
    settings: Settings, server: tuple[str, int], names: Iterable[str], mark: str, recipient: str
) -> dict[str, Came]:
    """Send the samples through an MTA that is there, from its postmaster to that recipient.

    What it delivers is not looked at; but the daemon must have seen each message, by its history.
    Raises SmtpError if the MTA cannot be reached.
    """
    came = {}
    for name in names:
        client = connected(*server, HELO, CONNECT_SECONDS)
        try:
            host = client.greeting.words.partition(" ")[0]
            data = marked(name, f"{mark}.{name}.")
            came[name] = Came(transact(client, name, data, f"postmaster@{host}", [recipient]), None)
        finally:
            client.close()
    if not settings.history.enabled:
        return {name: replace(one, note="") for name, one in came.items()}
    missing = _unseen(settings, came, mark)
    return {
        name: replace(one, note="; filterd has not seen it" if name in missing else "")
        for name, one in came.items()
    }


def known_recipient(server: tuple[str, int]) -> str:
    """Who can get test mail: postmaster, whom every MTA has to know (RFC 5321, 4.5.1); root, where
    this one does not, as sendmail with an empty aliases file. Raises SmtpError."""
    client = connected(*server, HELO, CONNECT_SECONDS)
    try:
        client.command(f"MAIL FROM:<postmaster@{client.greeting.words.partition(' ')[0]}>")
        is_known = {name: client.command(f"RCPT TO:<{name}>").code // 100 for name in POSTMASTERS}
        client.quit()
    finally:
        client.close()
    return next((name for name, kind in is_known.items() if kind == 2), POSTMASTERS[0])


def _unseen(settings: Settings, names: Iterable[str], mark: str) -> set[str]:
    """Messages that the history does not have; it is written once a second."""
    end = time.monotonic() + HISTORY_SECONDS
    while True:
        with contextlib.closing(open_history(settings)) as history:
            rows = history.search(HistoryQuery(text=mark)).rows
        missing = {n for n in names if not any(f"{mark}.{n}." in row.message_id for row in rows)}
        if not missing or time.monotonic() > end:
            return missing
        time.sleep(0.2)


def clear(settings: Settings, mark: str) -> int:
    """Take out of the quarantine what the test with that mark has left there; how many messages.

    Raises StoreError.
    """
    store = Store(settings.quarantine)
    with contextlib.closing(store):
        found = store.index.search(Query(text=mark, limit=PAGE_LIMIT))
        for entry in found.rows:
            store.erase(entry.id, "selftest", "a test message")
    return len(found.rows)


def _send(mta: MtaThread, name: str, mark: str) -> SendResult:
    results: list[SendResult] = []
    data = marked(name, mark)
    asyncio.run(
        send_all(
            [(name, data)],
            results.append,
            host="127.0.0.1",
            port=mta.port,
            sender=SENDER,
            recipients=[RECIPIENT],
        )
    )
    return results[0]
