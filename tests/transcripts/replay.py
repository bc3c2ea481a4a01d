"""Replay observed SMTP dialogues of real MTAs against ours.

A run (one JSON object) tells how the filters behave and what client and server said, with seconds.
We start filters that behave so, let the client say the same, and compare what our server answers:
replies with dates, ids and versions taken out, messages delivered, and seconds where a clock is the
point. The message texts of the client are those of the observation.
"""

from __future__ import annotations

import ast
import contextlib
import re
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filterd.mta.milters.scripted import (
    Close,
    Plan,
    Raw,
    Respond,
    ScriptedFilter,
    Stall,
    Step,
    Wait,
)
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.server import running_mta
from filterd.mta.settings import MtaSettings

HOST = "mx.example.test"
PLAIN = (
    b"From: Alice <alice@x.test>\r\nTo: joe@mx.example.test\r\nSubject: one\r\n\r\n"
    b"body line 1\r\nbody line 2\r\n"
)
MODIFIED = (
    b"Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\nFrom: Alice <alice@x.test>\r\n"
    b"To: joe@mx.example.test\r\nSubject: one\r\nX-A: a1\r\nX-B: b1\r\nX-A: a2\r\n"
    b"Message-Id: <m1@x.test>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
    b"body line 1\r\nbody line 2\r\n"
)
SHORT = b"From: a@x.test\r\n\r\nb\r\n"
TOLERANCE, SLACK = 0.2, 0.5
"""Seconds may differ by a fifth and half a second."""

EXPLAINED = {
    ("sendmail", "addrcpt-par-badarg"): "sendmail writes a debug line into the SMTP stream",
    ("sendmail", "mail-code-lf"): "a bare LF in a filter's reply desynchronises the client",
    ("postfix", "mail-code-lf"): "a bare LF in a filter's reply desynchronises the client",
    ("postfix", "mail-code-nonul"): "Postfix shows memory behind a text without its NUL",
    ("postfix", "eom-code-nonul"): "Postfix shows memory behind a text without its NUL",
    ("postfix", "rcpt-norej"): "a recipient elsewhere is relayed there; here all domains are local",
    ("sendmail", "rcptrej-on"): "made with an access map, which these settings do not have",
}
"""Differences that are wanted, by MTA and run: what the original does and ours does not."""


@dataclass(frozen=True)
class Outcome:
    """One replayed run. differences: empty where it agreed."""

    group: str
    name: str
    mta: str
    differences: tuple[str, ...]

    @property
    def explanation(self) -> str | None:
        """Why a difference is wanted, None if none is."""
        return EXPLAINED.get((self.mta, self.name))

    @property
    def said_otherwise(self) -> list[str]:
        """The differences that the client or the recipients see; packets are another matter."""
        return [one for one in self.differences if not one.startswith("packet ")]

    @property
    def in_other_words(self) -> list[str]:
        """The same without those of the clock, which is late on a busy machine."""
        return [one for one in self.said_otherwise if not one.startswith("after ")]


def steps(plan: str) -> Plan:
    """A run's plan, a Python literal, as ours."""
    table: dict[str, list[tuple[Any, ...]]] = ast.literal_eval(plan) or {}
    return {stage: [_step(*one) for one in listed] for stage, listed in table.items()}


def _step(kind: str, *rest: Any) -> Step:
    made: dict[str, Callable[..., Step]] = {
        "r": Respond,
        "close": Close,
        "rst": lambda: Close(reset=True),
        "sleep": Wait,
        "raw": Raw,
        "none": lambda: Wait(0.0),
        "stall": Stall,
    }
    return made[kind](*rest)


def message(size: int, group: str) -> bytes:
    """The client's message of a run: the observations give its size only."""
    lines = {216095: 3000, 288095: 4000, 1440095: 20000}
    if size in lines:
        return PLAIN + (b"x" * 70 + b"\r\n") * lines[size]
    known = {
        95: PLAIN,
        240: MODIFIED,
        21: SHORT,
        0: b"",
        15: b"Subject: only\r\n",
        122: PLAIN + b"caf\xc3\xa9 \xff\x80\r\n..dot\r\n..\r\nlast\r\n",
        6104: b"X-L: " + b"h" * 3000 + b"\r\n" + PLAIN + b"y" * 3000 + b"\r\n",
        148: PLAIN + b"caf\xc3\xa9 \xff\r\nbare\rcr\r\nbare\nlf\r\n..\r\n..x\r\nnul\0nul\r\n",
    }
    assert size in known, f"{group}: no message of {size} octets is known"
    return known[size]


def normal(text: str) -> str:
    """A reply without what changes from run to run: dates, ids, versions."""
    text = re.sub(r"(Sendmail) \S+;.*", r"\1", text)
    text = re.sub(r"^(250 2\.0\.0 )\S{14}( Message accepted)", r"\1ID\2", text)
    return re.sub(r"queued as \S+", "queued as ID", text)


_OFFER = re.compile(
    r"#1 < O version=(\d+) actions=(0x[0-9a-f]+) protocol=(0x[0-9a-f]+)(?: symlist=(.*))?"
)


@dataclass(frozen=True)
class Observation:
    """What a run's own file tells beside its dialogue, by filter."""

    negotiated: tuple[tuple[int, int, int, bytes], ...]
    packets: tuple[tuple[tuple[str, str], ...], ...]
    delivered: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Observation:
        text = path.read_text("utf-8", "replace")
        sections = re.split(r"^== ", text, flags=re.M)
        negotiated, packets = [], []
        numbered = {int(one[8]): one for one in sections if one.startswith("milter f")}
        for number in range(1, max(numbered, default=0) + 1):
            section = numbered.get(number, "")
            match = _OFFER.search(section)
            lists = ast.literal_eval(match[4]) if match and match[4] else b""
            negotiated.append(
                (int(match[1]), int(match[2], 16), int(match[3], 16), lists)
                if match
                else (6, 0x1FF, 0, b"")
            )
            packets.append(tuple(re.findall(r"^ *[\d.]+ #1 > (\S) (.*)$", section, re.M)))
        tail = next((one for one in sections if one.startswith("delivered")), "")
        messages = re.split(r"^-- to \S+\n", tail, flags=re.M)[1:]
        return cls(tuple(negotiated), tuple(packets), tuple(messages))


class Client:
    """The client's side: one line out, whole replies in."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._file = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(data)

    def reply(self) -> list[str]:
        """The lines of one reply; `["<closed>"]` where the server has hung up."""
        lines: list[str] = []
        while True:
            try:
                line = self._file.readline()
            except OSError:
                line = b""
            if not line:
                return lines or ["<closed>"]
            lines.append(line.rstrip(b"\r\n").decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return lines

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def replay(run: dict[str, Any], folder: Path) -> Outcome:
    """Play one run. folder: of the observations."""
    path = folder / run["group"] / f"{run['name']}.{run['mta']}.txt"
    observed = Observation.read(path)
    with tempfile.TemporaryDirectory(prefix="filterd-replay-") as place:
        differences = list(_play(run, observed, Path(place)))
    return Outcome(run["group"], run["name"], run["mta"], tuple(differences))


def _play(run: dict[str, Any], observed: Observation, place: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        settings, filters = _arrange(run, observed, place, stack)
        mta = stack.enter_context(running_mta(settings))
        client = Client(mta.port)
        try:
            yield from _converse(run, client)
        finally:
            client.close()
        time.sleep(0.05)
        mta.settle()
        if run["delivered"] is not None:
            boxes = sorted((place / "mail").glob("*/new/*"))
            if len(boxes) != run["delivered"]:
                yield f"delivered {len(boxes)}, not {run['delivered']}"
            if len(boxes) == len(observed.delivered) and run["mta"] == "sendmail":
                yield from _compare_mail([b.read_bytes() for b in boxes], observed.delivered)
        for index, one in enumerate(filters):
            if index < len(observed.packets) and observed.packets[index]:
                yield from _compare_packets(one, observed.packets[index])


def _arrange(
    run: dict[str, Any], observed: Observation, place: Path, stack: contextlib.ExitStack
) -> tuple[MtaSettings, list[ScriptedFilter]]:
    configured, filters = [], []
    for index, (equates, plan) in enumerate(zip(run["equates"], run["plans"], strict=True)):
        socket_path = place / f"f{index + 1}"
        if run["mta"] == "postfix":
            configured.append(
                InputMailFilter.parse_postfix(f"f{index + 1}", f"unix:{socket_path}{equates}")
            )
        else:
            configured.append(InputMailFilter.parse(f"f{index + 1}, S=unix:{socket_path}{equates}"))
        answers = (6, 0x1FF, 0, b"")
        if index < len(observed.negotiated) and "'O'" not in plan:
            answers = observed.negotiated[index]
        version, actions, flags, lists = answers
        blocked = "connect-blocks" in run["name"]
        one = ScriptedFilter(
            socket_path,
            steps(plan),
            version,
            actions,
            flags,
            lists,
            accepts=index not in run["noaccept"] and not blocked,
            backlog=0 if blocked else 20,
        )
        if index not in run["dead"]:
            stack.enter_context(one)
        if blocked:
            filler = socket.socket(socket.AF_UNIX)
            filler.connect(str(socket_path))
            stack.callback(filler.close)
        filters.append(one)
    if "daemon-inputmailfilters-none" in run["name"]:
        configured = []
    settings = MtaSettings(
        port=0,
        hostname=HOST,
        flavour=run["mta"],
        filters=tuple(configured),
        mail=place / "mail",
        spool=place / "spool",
        max_message_size=10240000,
    )
    return settings, filters


def _converse(run: dict[str, Any], client: Client) -> Iterator[str]:
    started = time.monotonic()
    pending = list(run["smtp"])
    while pending:
        expected = []
        while pending and pending[0][1] != "C":
            expected.append(pending.pop(0))
        yield from _compare_reply(expected, client, started, run["smtp"])
        if not pending:
            return
        _, _, said = pending.pop(0)
        if (match := re.fullmatch(r"<message, (\d+) bytes>", said)) is not None:
            client.send(message(int(match[1]), run["group"]) + b".\r\n")
        else:
            client.send(said.encode() + b"\r\n")


def _compare_reply(
    expected: list[Any], client: Client, started: float, dialogue: list[Any]
) -> Iterator[str]:
    wanted = [normal(text) for _, side, text in expected if side == "S"]
    closed = any(side == "!" for _, side, _ in expected)
    if not expected:
        return
    got = client.reply()
    seconds = time.monotonic() - started
    if closed and not wanted:
        if got != ["<closed>"]:
            yield f"connection open: {got}"
        return
    got = [normal(line) for line in got]
    features = [line[4:] for line in wanted[1:]]
    if len(wanted) > 2 and "PIPELINING" in features:
        # What is announced depends on how each was built: judged on its own.
        wanted, got = wanted[:1], got[:1]
    if got != wanted:
        yield f"reply {got}, not {wanted}"
    if abs(seconds - expected[0][0]) > TOLERANCE * expected[0][0] + SLACK:
        yield f"after {seconds:.2f} s, not {expected[0][0]:.2f} s: {wanted}"


_VERSIONS = (
    # In Received, of the program and of its configuration; ours says filterd for the second.
    (re.compile(r"\(8\.\d+\.[\d.]+/[\w.-]+\)"), "(VERSION)"),
    # The macro v, as the packet shows it.
    (re.compile(r"((?:\\x00|'[A-Z])v\\x00)(?:8\.\d+\.[\d.]+|Postfix [\d.]+)"), r"\1VERSION"),
)


_QUEUE_ID = re.compile(
    r"(?:(?<=\\x00)|(?<=\\[nrt])|(?<![0-9A-Za-z\\]))"
    r"(?:[0-9A-Za-x][0-9AB][0-9A-U][0-9A-N][0-9A-Za-x]{4}[0-9]{6}\b|[0-9A-F]{8,13}\b)"
)
"""sendmail's ids begin with year, month, day, hour, minute and second, a letter or figure each, and
end with the process. Postfix's end with the number of a file, which has few digits on a new file
system; what is before one may be an octet as Python shows it."""


_DATE = re.compile(
    r"(?!Thu, 1 Jan 2026 00:00:00)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), {1,2}\d+ [A-Z][a-z]{2} 20\d\d "
    r"[0-9:]+ [+0-9A-Z-]+(?: \(\w+\))?"
)
"""The date of today; that of the messages themselves has to stay as it is."""


def plain(text: str) -> str:
    """Mail or a packet without what changes from run to run: ids, dates, ports, versions."""
    text = re.sub(r"\d{12}\.\S{14}@", "MSGID@", text)
    text = _QUEUE_ID.sub("ID", text)
    text = _DATE.sub("DATE", text)
    text = re.sub(r"(\{client_port\}\\x00)\d+", r"\1PORT", text)
    for version, word in _VERSIONS:
        text = version.sub(word, text)
    return text


def _compare_mail(got: list[bytes], wanted: tuple[str, ...]) -> Iterator[str]:
    if any("multipart/report" in one for one in wanted):
        # Reports are ours in their words; that there is one was counted.
        return
    mine = sorted(plain(one.decode("utf-8", "replace")).rstrip("\n") for one in got)
    theirs = sorted(plain(one.replace("\r", "\n")).rstrip("\n") for one in wanted)
    for one, other in zip([m.replace("\r", "\n") for m in mine], theirs, strict=True):
        if one != other:
            yield f"delivered {one!r}, not {other!r}"


def _compare_packets(one: ScriptedFilter, wanted: tuple[tuple[str, str], ...]) -> Iterator[str]:
    got = []
    for packet in one.received():
        shown = repr(packet.data)[1:] if packet.data else ""
        if packet.command == b"O":
            continue
        if len(packet.data) > 160:
            shown = f"({len(packet.data)} bytes)"
        got.append(plain(f"{packet.command.decode()} {shown}"))
    theirs = []
    for command, data in wanted:
        if command != "O":
            shortened = re.sub(r"^(\(\d+ bytes\)).*", r"\1", data)
            theirs.append(plain(f"{command} {shortened}"))
    port = re.compile(r"(C '[^\\]*\\x004).*?(127\.0\.0\.1)", re.S)
    mine = [port.sub(r"\1PORT\2", text) for text in got]
    theirs = [port.sub(r"\1PORT\2", text) for text in theirs]
    if mine != theirs:
        index = next(
            (i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b),
            min(len(mine), len(theirs)),
        )
        yield f"packet {index}: {mine[index : index + 3]}, not {theirs[index : index + 3]}"
