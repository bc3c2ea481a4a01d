"""Mail that a person released passes the chain; only virus scanners look at it again."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path
from typing import ClassVar

import pytest

from filterd.chain import Chain, Link
from filterd.filters.clamav import ClamAV
from filterd.marks import Mark, Verifier, envelope_id, load_key
from filterd.message import Client, Envelope, Message
from filterd.verdict import Action, Symbol, Verdict

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


def released(key: bytes, *, viruses: bool = False, data: bytes = DATA) -> Message:
    mark = f"ENVID={envelope_id(key, 'id1', DATA, viruses=viruses)}"
    return Message(data, Envelope(client=Client(address="::1"), sender_parameters=(mark,)))


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
    with pytest.raises(OSError, match="32 octets"):
        load_key(folder)


def test_the_mark_fits_into_envid() -> None:
    # RFC 3461 §4.4: at most 100 characters of xtext.
    mark = envelope_id(b"k" * 32, "1m832zjby7595m34", DATA)
    assert len(mark) <= 100
    assert set(mark).isdisjoint("+= ")


def test_what_is_no_mark(tmp_path: Path) -> None:
    key = load_key(tmp_path)
    verify = Verifier(key, ("127.0.0.0/8",))
    good = envelope_id(key, "id1", DATA)
    for parameters, address in (
        ((), ""),
        (("SIZE=100", "ENVID=QQ314159"), ""),
        ((f"ENVID={good}x",), ""),
        ((f"ENVID={good}",), "192.0.2.1"),
        ((f"ENVID={good}",), "no address"),
    ):
        envelope = Envelope(client=Client(address=address), sender_parameters=parameters)
        assert verify(Message(DATA, envelope)) is None
    envelope = Envelope(sender_parameters=("SIZE=100", f"envid={good}"))
    assert verify(Message(DATA, envelope)) == Mark("id1", viruses=False)
