"""Mail that a person released passes the chain; only virus scanners look at it again."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from filterd.chain.chain import Chain
from filterd.chain.links import Link, LinkSettings
from filterd.chain.marks import Mark, Verifier, envelope_id, load_key
from filterd.chain.pipeline import Pipeline
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicyRule, PolicySettings
from filterd.chain.verdict import Action, Symbol, Verdict
from filterd.filters.clamav.filter import ClamAV
from filterd.message import Client, Envelope, Message, Recipient

DATA = b"Subject: x\r\n\r\ntext\r\n"


@dataclasses.dataclass
class Spam:
    name: ClassVar[str] = "spam"

    def examine(self, message: Message) -> Verdict:
        return Verdict(Action.REJECT, (Symbol("SPAM", 20.0),))


@dataclasses.dataclass
class Virus:
    name: ClassVar[str] = "virus"
    examines_released: ClassVar[bool] = True

    def examine(self, message: Message) -> Verdict:
        return Verdict(Action.REJECT, (Symbol("VIRUS", 0.0),), virus="Test")


TO = ("joe@mx.example", "sue@mx.example")


def envelope(mark: str, recipients: Sequence[str] = TO, address: str = "::1") -> Envelope:
    return Envelope(
        recipients=tuple(map(Recipient, recipients)),
        client=Client(address=address),
        sender_parameters=(f"ENVID={mark}",),
    )


def released(key: bytes, *, viruses: bool = False, data: bytes = DATA) -> Message:
    return Message(data, envelope(envelope_id(key, "id1", DATA, TO, viruses=viruses)))


@pytest.mark.parametrize(
    ("viruses", "data", "symbols"),
    [
        (False, DATA, ["RELEASED", "VIRUS"]),
        (True, DATA, ["RELEASED"]),
        (True, DATA + b"more\r\n", ["SPAM", "VIRUS"]),
    ],
    ids=["released", "with its virus", "another message"],
)
def test_the_chain_lets_it_pass(
    tmp_path: Path, viruses: bool, data: bytes, symbols: list[str]
) -> None:
    key = load_key(tmp_path)
    chain = Chain([Link(Spam()), Link(Virus())])
    chain.released = Verifier(key, ("::1/128",))
    found = chain.examine(released(key, viruses=viruses, data=data))
    assert [symbol.name for symbol in found.verdict.symbols] == symbols
    assert (found.verdict.action is Action.REJECT) == (symbols != ["RELEASED"])


def test_a_chain_that_was_told_nothing_honours_nothing(tmp_path: Path) -> None:
    found = Chain([Link(Spam())]).examine(released(load_key(tmp_path)))
    assert [symbol.name for symbol in found.verdict.symbols] == ["SPAM"]


def test_clamav_is_a_virus_scanner() -> None:
    assert ClamAV.examines_released


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "q"
    key = load_key(folder)
    assert load_key(folder) == key
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="32 bytes"):
        load_key(folder)


def test_the_mark_fits_into_envid() -> None:
    # RFC 3461 §4.4: at most 100 characters of xtext.
    mark = envelope_id(b"k" * 32, "digest-" + "a" * 24, DATA, TO)
    assert len(mark) <= 100
    assert set(mark).isdisjoint("+= ")


def test_what_is_no_mark(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    verify = Verifier(key, ("127.0.0.0/8",))
    good = envelope_id(key, "id1", DATA, ())
    for parameters, address in (
        ((), ""),
        (("SIZE=100", "ENVID=QQ314159"), ""),
        ((f"ENVID={good}x",), ""),
        ((f"ENVID={good}",), "192.0.2.1"),
        ((f"ENVID={good}",), "no address"),
    ):
        found = Envelope(client=Client(address=address), sender_parameters=parameters)
        assert verify(Message(DATA, found)) is None
    found = Envelope(sender_parameters=("SIZE=100", f"envid={good}"))
    assert verify(Message(DATA, found)) == Mark("id1", viruses=False)


@pytest.mark.parametrize(
    ("recipients", "good"),
    [
        (TO, True),
        (TO[::-1], True),
        (("JOE@MX.example.", '"sue"@mx.example'), True),
        (TO[:1], False),
        ((*TO, "eve@mx.example"), False),
        (("eve@mx.example",), False),
        ((), False),
    ],
)
def test_a_mark_is_good_for_its_recipients_only(
    tmp_path: Path, recipients: Sequence[str], good: bool
) -> None:
    key = load_key(tmp_path)
    verify = Verifier(key, ("::1/128",))
    mark = envelope_id(key, "id1", DATA, TO)
    assert (verify(Message(DATA, envelope(mark, recipients))) is not None) == good


@pytest.mark.parametrize(
    ("later", "good"), [(0, True), (3600, True), (86_401, False), (-200, True), (-400, False)]
)
def test_a_mark_is_good_for_a_day(tmp_path: Path, later: int, good: bool) -> None:
    key = load_key(tmp_path)
    mark = envelope_id(key, "id1", DATA, TO, now=1_800_000_000)
    verify = Verifier(key, ("::1/128",), clock=lambda: 1_800_000_000 + later)
    assert (verify(Message(DATA, envelope(mark))) is not None) == good


# --- what a person released passes everything but a virus -------------------------------------


@dataclasses.dataclass
class Scanner:
    """A virus scanner that does what its opinion says, or fails."""

    name: ClassVar[str] = "scanner"
    examines_released: ClassVar[bool] = True

    opinion: Verdict | OSError = dataclasses.field(default_factory=Verdict)

    def examine(self, message: Message) -> Verdict:
        if isinstance(self.opinion, OSError):
            raise self.opinion
        return self.opinion


@pytest.mark.parametrize(
    "opinion",
    [
        Verdict(),
        Verdict(Action.QUARANTINE, (Symbol("CLAM_LIMIT", 0.0),)),
        Verdict(symbols=(Symbol("CLAM_SUSPICION", 25.0),)),
        OSError("no clamd answers"),
    ],
    ids=["clean", "gave up", "a suspicion", "away"],
)
@pytest.mark.parametrize(
    "settings",
    [
        PolicySettings(),
        PolicySettings(rules=(PolicyRule("all", quarantine=0.0, label=0.0),)),
        PolicySettings(label=-5.0, quarantine=-5.0, reject=0.0),
    ],
    ids=["default", "a rule that holds all", "thresholds below 0"],
)
def test_a_released_message_is_delivered(
    tmp_path: Path, opinion: Verdict | OSError, settings: PolicySettings
) -> None:
    key = load_key(tmp_path)
    chain = Chain([Link(Spam()), Link(Scanner(opinion), LinkSettings(on_error="quarantine"))])
    chain.released = Verifier(key, ("::1/128",))
    result = Pipeline(chain, Policy(settings)).process(released(key))
    assert result.decision.action is Action.ACCEPT
    assert not result.decision.labelled
    assert result.examination.verdict.score == 0.0
    assert result.examination.verdict.released == "id1"


def test_a_virus_in_a_released_message_stops_it(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    chain = Chain([Link(Virus())])
    chain.released = Verifier(key, ("::1/128",))
    result = Pipeline(chain, Policy(PolicySettings())).process(released(key))
    assert result.decision.action is not Action.ACCEPT
