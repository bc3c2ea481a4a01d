"""How strict recipients want the filter: the list, and points for their copies alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from filterd.chain.chain import Chain
from filterd.chain.links import Link
from filterd.chain.pipeline import Pipeline
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import Action, Symbol, Verdict
from filterd.config.load import ConfigError, load
from filterd.filters.senders.list import ListEntryError
from filterd.filters.strictness.filter import StrictnessFilter
from filterd.filters.strictness.list import StrictnessEntry, change, read
from filterd.filters.strictness.settings import StrictnessSettings
from filterd.message import Envelope, Message, Recipient

LIST = """\
# what people chose
strict joe@mx.example  # by web:joe
normal ann@mx.example

lenient max@other.example
strict @mx.example
lenient .example
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "strictness.list"
    file.write_text(LIST)
    return file


def found(filter: StrictnessFilter, *recipients: str) -> dict[str, list[str]]:
    """Symbols by recipient."""
    envelope = Envelope("a@b.example", tuple(map(Recipient, recipients)))
    verdict = filter.examine(Message(b"Subject: x\r\n\r\n", envelope))
    assert verdict.symbols == ()
    return {one.recipient: [symbol.name for symbol in one.symbols] for one in verdict.points_apart}


def test_each_recipient_gets_points_of_its_own(file: Path) -> None:
    filter = StrictnessFilter(StrictnessSettings(file))
    filter.prepare()
    assert found(
        filter,
        "joe@mx.example",
        "JOE+shop@MX.example",
        "ann@mx.example",
        "eve@mx.example",
        "max@other.example",
        "eve@deep.other.example",
        "eve@elsewhere.test",
    ) == {
        "joe@mx.example": ["RECIPIENT_STRICT"],
        "JOE+shop@MX.example": ["RECIPIENT_STRICT"],
        "eve@mx.example": ["RECIPIENT_STRICT"],
        "max@other.example": ["RECIPIENT_LENIENT"],
        "eve@deep.other.example": ["RECIPIENT_LENIENT"],
    }


class Says:
    """A filter with an opinion of its own."""

    name = "says"

    def __init__(self, score: float) -> None:
        self._score = score

    def prepare(self) -> None:
        pass

    def examine(self, _message: Message) -> Verdict:
        return Verdict(symbols=(Symbol("X", self._score),))


def test_one_message_is_held_for_one_and_delivered_to_the_other(file: Path) -> None:
    chain = Chain([Link(Says(7.0)), Link(StrictnessFilter(StrictnessSettings(file)))])
    policy = Policy(PolicySettings(label=5, quarantine=8))
    to = (Recipient("joe@mx.example"), Recipient("max@other.example"), Recipient("a@x.test"))
    message = Message(b"Subject: x\r\n\r\n", Envelope("a@b.example", to), "id7")
    kept: list[tuple[str, ...]] = []
    pipeline = Pipeline(chain, policy, keep=lambda *what: kept.append(what[2]))
    result = pipeline.process(message)
    assert kept == [("joe@mx.example",)]
    assert result.decision.action is Action.ACCEPT
    scores = {
        one.recipient: sum(symbol.score for symbol in one.symbols) for one in result.report.outcomes
    }
    assert (scores["joe@mx.example"], scores["max@other.example"]) == (2.0, -2.0)


def test_a_step_that_the_admin_does_not_want_has_no_points(file: Path) -> None:
    filter = StrictnessFilter(StrictnessSettings(file, lenient_score=0.0))
    assert found(filter, "joe@mx.example", "max@other.example") == {
        "joe@mx.example": ["RECIPIENT_STRICT"]
    }


def test_no_list_is_no_opinion(tmp_path: Path) -> None:
    filter = StrictnessFilter(StrictnessSettings(tmp_path / "none"))
    filter.prepare()
    assert found(filter, "joe@mx.example") == {}


def test_a_list_is_read_again_and_a_broken_one_leaves_the_last(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filter = StrictnessFilter(StrictnessSettings(file))
    assert "joe@mx.example" in found(filter, "joe@mx.example")
    file.write_text("strict\n")
    os.utime(file, ns=(1, 1))
    assert "joe@mx.example" in found(filter, "joe@mx.example")
    assert found(filter, "joe@mx.example")
    assert [one.levelno for one in caplog.records] == [logging.ERROR]
    assert f"{file}:1: is not an entry; expected `strict RECIPIENT`" in caplog.text
    file.write_text("lenient joe@mx.example\n")
    os.utime(file, ns=(2, 2))
    assert found(filter, "joe@mx.example") == {"joe@mx.example": ["RECIPIENT_LENIENT"]}
    file.unlink()
    assert found(filter, "joe@mx.example") == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("severe joe@mx.example", "is not an entry; expected `strict RECIPIENT`"),
        ("strict joe@mx.example for ann@mx.example", "is not an entry"),
        ("strict *joe@mx.example", "there are no wildcards"),
        ("strict joe@mx.example,ann@mx.example", "has several addresses"),
    ],
)
def test_a_line_that_could_never_match_is_named(file: Path, line: str, words: str) -> None:
    file.write_text(f"# a list\n{line}\n")
    with pytest.raises(ListEntryError, match=r":2: ") as error:
        read(file)
    assert words in str(error.value)
    with pytest.raises(ListEntryError):
        StrictnessFilter(StrictnessSettings(file)).prepare()


def test_what_is_chosen_goes_to_the_top_and_all_else_stays(file: Path) -> None:
    file.write_text(LIST + "nonsense line\n")
    new = [StrictnessEntry("lenient", "joe@mx.example"), StrictnessEntry("strict", "i@x.test")]
    change(file, new, "by web:joe")
    assert file.read_text() == (
        "lenient joe@mx.example  # by web:joe\n"
        "strict i@x.test  # by web:joe\n"
        + LIST.replace("strict joe@mx.example  # by web:joe\n", "")
        + "nonsense line\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_list_is_made(tmp_path: Path) -> None:
    change(tmp_path / "new", [StrictnessEntry("strict", "joe@mx.example")])
    assert read(tmp_path / "new") == (StrictnessEntry("strict", "joe@mx.example"),)


@pytest.mark.parametrize(
    "settings", ["strict_score = -1", "lenient_score = 1", "strict_score = 101"]
)
def test_points_on_the_wrong_side_are_refused(tmp_path: Path, settings: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(f'[chain]\nfilters = ["strictness"]\n[filters.strictness]\n{settings}\n')
    with pytest.raises(ConfigError, match=r"filters\.strictness\."):
        load(file)
