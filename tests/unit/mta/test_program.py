"""Programs that mail is delivered to: what they get, and what their end means."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.mta.delivery.program import DeliveryProgram, prepared
from filterd.mta.delivery.router import DeliveryError


def program(script: str, *words: str) -> DeliveryProgram:
    return DeliveryProgram("/bin/sh", ("sh", "-c", script, "sh", *words))


def test_a_program_gets_the_message_and_its_words(tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = prepared(b"Subject: x\n\nbody\n", "ann@x.test", "lPn")
    program(f'echo "$@" > {out}; cat >> {out}', "joe; rm -rf x", "ann@x.test").run(data)
    assert out.read_text() == (
        "joe; rm -rf x ann@x.test\nReturn-Path: <ann@x.test>\nSubject: x\n\nbody\n"
    )


@pytest.mark.parametrize(
    ("script", "temporary", "code", "text"),
    [
        ("exit 75", True, "4.0.0", "Deferred"),
        ("exit 67", False, "5.1.1", "User unknown"),
        ("echo no room >&2; exit 73", False, "5.0.0", "Can't create output: no room"),
        ("exit 99", False, "5.3.0", "unknown mailer error 99"),
        ("kill -9 $$", True, "4.3.0", "killed by signal 9"),
    ],
)
def test_exit_statuses(script: str, temporary: bool, code: str, text: str) -> None:
    with pytest.raises(DeliveryError, match=text) as caught:
        program(script).run(b"x\n")
    assert (caught.value.temporary, caught.value.code) == (temporary, code)


@pytest.mark.parametrize("words", [("x",), ("x\0y",), ()])
def test_a_program_that_is_not_there_may_come_back(words: tuple[str, ...]) -> None:
    with pytest.raises(DeliveryError) as caught:
        DeliveryProgram("/no/such", words).run(b"")
    assert caught.value.temporary


def test_flags_of_a_mailer_shape_the_message() -> None:
    assert prepared(b"A: b\n\nFrom x\n", "a@x", "nPE") == (b"Return-Path: <a@x>\nA: b\n\n>From x\n")
    assert prepared(b"x\n", "", "").startswith(b"From MAILER-DAEMON ")
    cut = prepared(b"From abcdefgh\n", "a@b.example", "nPE", 10)
    assert cut == b"Return-Pa!\n th: <a@b!\n .example>\n>From abcd!\n efgh\n"
