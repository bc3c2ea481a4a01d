"""Whether expiry may go on: it deletes by the clock, and a clock can be wrong.

A file beside the messages, `expiry.json`, says when expiry ran last, by the clock and by the time
since the host was started, and why it was postponed. What a person has confirmed goes on; so does
an hourly run after it, until the clock gives reason to doubt again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filterd.quarantine.files import StoreError
from filterd.system import clock
from filterd.system.bounded import json_value
from filterd.system.durable import write_atomically

DAY = 86400.0

SLACK = 300.0
"""Seconds by which clocks of hosts that share a store may differ."""

JUMP = DAY
"""Seconds by which the clock may move against the time since the host was started."""

SILENCE = 7 * DAY
"""Seconds without a new message and without a run of expiry from which that is asked about: the
clock may be ahead."""

FEW = 20
"""Messages that may go at once although they are more than half: small stores are like that."""

ADVICE = (
    "`filterd quarantine expire --dry-run` lists what would be deleted, "
    "`filterd quarantine expire --yes` deletes it"
)

STATE_LIMIT = 1 << 16
"""Octets of `expiry.json` that are read; it has some hundred."""


@dataclass(frozen=True, slots=True)
class ExpiryState:
    """time: of the last run, by the clock; boot, since_boot: which start of the host that was, and
    seconds since it. confirmed: a person said that a clock which is not synchronised is right.
    put_off: why nothing was deleted, empty if all is well; put_off_since: seconds since 1970."""

    time: float = 0.0
    boot: str = ""
    since_boot: float = 0.0
    confirmed: bool = False
    put_off: str = ""
    put_off_since: float = 0.0


def state_of(folder: Path) -> ExpiryState:
    """What the file says; the beginning if there is none or it cannot be read."""
    try:
        with (folder / "expiry.json").open("rb") as file:
            value = json_value(file.read(STATE_LIMIT))
        return ExpiryState(
            float(value["time"]),
            str(value["boot"]),
            float(value["since_boot"]),
            bool(value["confirmed"]),
            str(value["put_off"]),
            float(value["put_off_since"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ExpiryState()


def ran(folder: Path, now: float, *, confirmed: bool) -> None:
    """Note that expiry has run. Raises StoreError."""
    known = state_of(folder)
    _write(folder, ExpiryState(now, clock.boot(), clock.since_boot(), confirmed or known.confirmed))


def put_off(folder: Path, now: float, why: str) -> None:
    """Note why it has not. Raises StoreError."""
    known = state_of(folder)
    since = known.put_off_since if known.put_off else now
    _write(folder, replace(known, put_off=why, put_off_since=since))


def clock_doubt(folder: Path, now: float, newest: float | None, *, for_hours: bool = False) -> str:
    """Why the clock should not be trusted, empty if there is no reason. newest: the date of
    the newest message, seconds since 1970. for_hours: only to tell how many hours ago something
    was, for which it need not be synchronised."""
    known = state_of(folder)
    if newest is not None and now < newest - SLACK:
        return f"the clock ({_date(now)}) is before the newest message ({_date(newest)})"
    if known.time and now < known.time - SLACK:
        return f"the clock ({_date(now)}) is before the last expiry ({_date(known.time)})"
    is_same_start = bool(known.time and known.boot and known.boot == clock.boot())
    if is_same_start:
        jump = now - known.time - (clock.since_boot() - known.since_boot)
        if jump > JUMP:
            return f"the clock was set ahead by {jump / DAY:.0f} days since the last expiry"
    else:
        last = max(newest or 0.0, known.time)
        if last and now - last > SILENCE:
            return (
                f"by the clock ({_date(now)}) nothing has come and no expiry has run for "
                f"{(now - last) / DAY:.0f} days"
            )
    if not for_hours and clock.is_unsynchronized() and not known.confirmed:
        return "the clock is not synchronised"
    return ""


def amount_doubt(due: int, kept: int) -> str:
    """Why so many of the kept messages should not go at once, empty if they may."""
    if due < FEW or due <= kept / 2:
        return ""
    return f"{due} of {kept} messages would be deleted at once"


def _date(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{moment:.0f}"


def _write(folder: Path, state: ExpiryState) -> None:
    path = folder / "expiry.json"
    try:
        write_atomically(path, [json.dumps(asdict(state)).encode("ascii")])
    except OSError as error:
        raise StoreError(error.errno or 5, error.strerror or str(error), str(path)) from error
