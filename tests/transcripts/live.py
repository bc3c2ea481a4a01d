"""Play one trial against a real MTA and against ours, and tell the differences.

A trial says how the filters behave and what the client says. The real sendmail and Postfix are
those that the integration tests use (`scripts/setup-system.sh test`); ours reads the very
sendmail.cf that m4 made for the real one. Compared are the replies, what was delivered, and the
packets that each filter got.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from filterd.mta.milters.scripted import ScriptedFilter
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.sendmail.cf_files import read_cf
from filterd.mta.sendmail.site import site
from filterd.mta.server import ReferenceMta
from filterd.mta.settings import MtaSettings
from tests.helpers.process import folder, wait_for
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import HOST, Sendmail
from tests.transcripts.newer import unexplained
from tests.transcripts.replay import Client, normal, plain, steps

HEALTHY = (6, 0x1FF, 0, b"")
"""Version, actions, protocol steps and macro lists of a filter that wants everything."""

PEER_NAMES = "smtpd_peername_lookup = yes\n"

ATTEMPTS = 6
"""How often a trial is played that differs. Three times were too few now and then on a machine that
ran three suites at once."""

SETTLED = 10.0
"""Seconds that deliveries may take."""


@dataclass(frozen=True)
class Trial:
    """One experiment. client: command lines (str) and messages (bytes, sent after a 354 only).

    equates: per filter, what follows the socket; plans: per filter, as `tests.transcripts` has
    them; answers: per filter, what it negotiates; options: lines of m4 or main.cf. clock: the
    seconds until each reply count, too.
    """

    name: str
    client: tuple[str | bytes, ...]
    plans: tuple[str, ...] = ("None",)
    equates: tuple[str, ...] = (", F=T, T=C:2s;S:2s;R:2s;E:6s",)
    answers: tuple[tuple[int, int, int, bytes], ...] = (HEALTHY,)
    dead: tuple[int, ...] = ()
    options: str = ""
    mta: str = "sendmail"
    clock: bool = True


@dataclass
class Seen:
    """What one MTA did. replies: what the client said, seconds, the reply; version: its release."""

    replies: list[tuple[str, float, list[str]]] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)
    packets: list[list[str]] = field(default_factory=list)
    log: str = ""
    version: str = ""


def converse(port: int, client: Sequence[str | bytes]) -> Iterator[tuple[str, float, list[str]]]:
    """Say each step, yield it with the reply to it; ends where the server hangs up."""
    started = time.monotonic()
    peer = Client(port)
    try:
        reply = peer.reply()
        yield "connect", time.monotonic() - started, reply
        for step in client:
            if reply == ["<closed>"]:
                return
            if isinstance(step, bytes):
                if reply[-1][:3] != "354":
                    continue
                peer.send(step + b".\r\n")
            else:
                peer.send(step.encode("utf-8", "surrogateescape") + b"\r\n")
            reply = peer.reply()
            said = step if isinstance(step, str) else "message"
            yield said, time.monotonic() - started, reply
    finally:
        peer.close()


@contextlib.contextmanager
def scripted(trial: Trial, place: Path) -> Iterator[list[ScriptedFilter]]:
    with contextlib.ExitStack() as stack:
        filters = []
        for index, plan in enumerate(trial.plans):
            path = place / f"f{index + 1}"
            one = ScriptedFilter(path, steps(plan), *trial.answers[index])
            if index not in trial.dead:
                stack.enter_context(one)
                path.chmod(0o777)
            filters.append(one)
        yield filters


def observe(trial: Trial, place: Path, port: int, filters: list[ScriptedFilter]) -> Seen:
    seen = Seen(replies=list(converse(port, trial.client)))
    time.sleep(0.15)
    seen.packets = [packets(one) for one in filters]
    return seen


def packets(one: ScriptedFilter) -> list[str]:
    shown = []
    # The test of whether the server is up was a client, too: ours is the longest connection.
    counts = Counter(record.connection for record in one.records)
    longest = max(counts, key=lambda number: (counts[number], number), default=1)
    for packet in one.received(longest):
        if packet.command in (b"O", b"Q"):
            continue
        text = repr(packet.data)[1:] if len(packet.data) < 3000 else f"({len(packet.data)} bytes)"
        text = re.sub(r"^('[^\\]*\\x004).*?(127\.0\.0\.1)", r"\1PORT\2", text)
        shown.append(plain(f"{packet.command.decode('latin-1')} {text}"))
    return shown


def collect(boxes: Path, *, maildir: bool) -> list[str]:
    found = []
    for path in sorted(boxes.glob("*/new/*" if maildir else "*/*")):
        user = path.relative_to(boxes).parts[0].partition("@")[0]
        text = plain(path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n"))
        text = re.sub(r"\A(From \S+) .*", r"\1", text)
        if "multipart/report" in text:
            text = "a report"
        if maildir:
            text = re.sub(r"\A(Return-Path|X-Original-To|Delivered-To): .*\n", "", text)
            text = re.sub(r"\A(X-Original-To|Delivered-To): .*\n", "", text)
            text = re.sub(r"\A(Delivered-To): .*\n", "", text)
        found.append(f"{user}: {text.rstrip()}")
    return sorted(found)


def input_lines(trial: Trial, place: Path) -> str:
    return trial.options + "".join(
        f"INPUT_MAIL_FILTER(`f{n + 1}', `S=unix:{place}/f{n + 1}{equates}')dnl\n"
        for n, equates in enumerate(trial.equates)
    )


class _Own:
    """Our MTA in a thread, from a sendmail.cf or from settings."""

    def __init__(self, mta: ReferenceMta) -> None:
        self._mta = mta
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._mta:
            self.port = self._mta.port
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> _Own:
        self._thread.start()
        assert self._ready.wait(10), "our MTA does not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def settle(self) -> None:
        asyncio.run_coroutine_threadsafe(self._mta.queue.settled(), self._loop).result()


def both(trial: Trial) -> tuple[Seen, Seen]:
    """The real one's doings and ours."""
    with folder("live") as place:
        return (_sendmail if trial.mta == "sendmail" else _postfix)(trial, Path(place).resolve())


def _sendmail(trial: Trial, place: Path) -> tuple[Seen, Seen]:
    with scripted(trial, place) as filters:
        real = Sendmail(place, input_lines(trial, place))
        real.start()
        theirs = observe(trial, place, real.port, filters)
        _rest(
            lambda: (
                not [
                    f
                    for f in (place / "queue").glob("?f*")
                    if f.name[0] != "h" and not (place / "queue" / f"h{f.name[1:]}").exists()
                ]
            )
        )
        theirs.mail, theirs.log = collect(place / "mailboxes", maildir=False), real.log
        theirs.version = real.version
        real.stop()
    for path in place.glob("mailboxes/*/*"):
        path.unlink()
    with scripted(trial, place) as filters:
        made = site(read_cf(place / "sendmail.cf"), spool=place / "spool", port=0)
        with _Own(ReferenceMta.from_cf(made)) as own:
            ours = observe(trial, place, own.port, filters)
            own.settle()
            ours.mail = collect(place / "mailboxes", maildir=False)
    return theirs, ours


def _postfix(trial: Trial, place: Path) -> tuple[Seen, Seen]:
    members = [f"{{ unix:{place}/f{n + 1}{equates} }}" for n, equates in enumerate(trial.equates)]
    with scripted(trial, place) as filters:
        real = Postfix(place, f"smtpd_milters = {' '.join(members)}\n{PEER_NAMES}{trial.options}")
        real.start()
        theirs = observe(trial, place, real.port, filters)
        with contextlib.suppress(AssertionError):
            real.settled()
        theirs.mail, theirs.log = collect(place / "mailboxes", maildir=True), real.log
        theirs.version = real.version
        real.stop()
    settings = MtaSettings(
        port=0,
        hostname=HOST,
        flavour="postfix",
        mail=place / "mail",
        spool=place / "spool",
        max_message_size=10240000,
        local_domains=(HOST,),
        filters=tuple(
            InputMailFilter.parse_postfix(f"f{n + 1}", f"unix:{place}/f{n + 1}{equates}")
            for n, equates in enumerate(trial.equates)
        ),
    )
    with scripted(trial, place) as filters, _Own(ReferenceMta(settings)) as own:
        ours = observe(trial, place, own.port, filters)
        own.settle()
        ours.mail = collect(place / "mail", maildir=True)
    return theirs, ours


def _rest(quiet: object) -> None:
    with contextlib.suppress(AssertionError):
        wait_for("sendmail at rest", quiet, SETTLED)  # type: ignore[arg-type]
    time.sleep(0.1)


def differences(trial: Trial, theirs: Seen, ours: Seen) -> Iterator[str]:
    """What differs, a line each; nothing where the two agree."""
    for one, other in zip(theirs.replies, ours.replies, strict=False):
        wanted, got = ([normal(line) for line in reply] for _, _, reply in (one, other))
        if any("PIPELINING" in line for line in wanted):
            wanted, got = wanted[:1], got[:1]
        said = f"reply to {one[0][:60]}"
        if wanted != got:
            yield f"{said}: {got}, not {wanted}"
        if trial.clock and abs(one[1] - other[1]) > 0.2 * one[1] + 0.7:
            yield f"{said} after {other[1]:.2f} s, not {one[1]:.2f} s"
    if len(theirs.replies) != len(ours.replies):
        yield f"{len(ours.replies)} replies, not {len(theirs.replies)}"
    if theirs.mail != ours.mail:
        yield "mail " + _first_difference(theirs.mail, ours.mail)
    for number, (wanted, got) in enumerate(zip(theirs.packets, ours.packets, strict=True), 1):
        if wanted != got:
            at = next(
                (i for i, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b),
                min(len(wanted), len(got)),
            )
            yield f"f{number} packet {at}: {got[at : at + 3]}, not {wanted[at : at + 3]}"


def _first_difference(wanted: list[str], got: list[str]) -> str:
    if len(wanted) != len(got):
        return f"{len(got)} messages, not {len(wanted)}: {[one[:9] for one in got]}"
    pairs = (pair for pair in zip(wanted, got, strict=True) if pair[0] != pair[1])
    one, other = next(pairs)
    lines = unified_diff(one.split("\n"), other.split("\n"), "theirs", "ours", n=1)
    return "\n        ".join(line.rstrip() for line in list(lines)[2:])


def compare(trial: Trial) -> list[str]:
    """What differs whenever the trial is played. A clock that is wrong is wrong each time; a busy
    machine delays now this, now that, so a difference is looked for again before it is believed."""
    lasting: list[str] = []
    for attempt in range(ATTEMPTS):
        theirs, ours = both(trial)
        found = unexplained(
            trial.mta, theirs.version, trial.name, list(differences(trial, theirs, ours))
        )
        known = {_without_seconds(one) for one in lasting}
        lasting = [one for one in found if attempt == 0 or _without_seconds(one) in known]
        if not lasting:
            break
    return lasting


def _without_seconds(line: str) -> str:
    return re.sub(r"\d+\.\d\d s", "seconds", line)


def with_flags(trial: Trial, flags: str) -> Trial:
    """The same with other F= for every filter."""
    made = tuple(re.sub(r"^, F=\w", f", F={flags}" if flags else "", one) for one in trial.equates)
    return dataclasses.replace(trial, equates=made, name=f"{trial.name}-F{flags}")
