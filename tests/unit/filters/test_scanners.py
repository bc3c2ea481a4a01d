"""Several scanners: who is asked, whose word counts, and what is never called clean."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from filterd.chain.chain import Chain
from filterd.chain.filter import load as load_filter
from filterd.chain.links import Link
from filterd.chain.verdict import Action, Verdict
from filterd.config.load import ConfigError, load
from filterd.filters.scanners.engine import ScanError
from filterd.filters.scanners.filter import Scanners
from filterd.filters.scanners.settings import (
    ClamdSettings,
    CommandSettings,
    IcapSettings,
    ScannersSettings,
)
from filterd.message import Message
from filterd.message.fields import Buffer
from filterd.scanners import hosts
from filterd.scanners.answer import (
    CLEAN,
    Answer,
    GivenUp,
    Infected,
    ScannerError,
    Signatures,
    Unavailable,
)
from filterd.scanners.cache import AnswerCache, Remembering
from filterd.scanners.hosts import Hosts
from filterd.scanners.limited import Limited
from filterd.scanners.several import Answers, Several
from filterd.scanners.slots import Slots
from tests.helpers import icap, messages
from tests.helpers.icap import IcapStub
from tests.helpers.scanner import Scanner as ClamdStub
from tests.helpers.scanner import clean, finds

BAD = b"this is very bad"
FOUND = "X-Infection-Found: Type=0; Resolution=2; Threat=Evil.Other;"
MAIL = (
    b"From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\n\r\nhello\r\n--x\r\n"
    b"Content-Type: application/octet-stream; name=x.bin\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(BAD)
    + b"--x\r\n\r\nbye\r\n--x--\r\n"
)
GOOD = MAIL.replace(base64.encodebytes(BAD), base64.encodebytes(b"good"))

AWAY, EVIL, OTHER, LIMIT = (
    Unavailable("away"),
    Infected("Evil"),
    Infected("Other"),
    GivenUp("too deep"),
)


@dataclass
class Says:
    """A scanner that says what the test wants."""

    answer: Answer | Callable[[bytes], Answer]
    name: str = "a"
    size_limit: int = 1 << 30
    seen: list[bytes] = field(default_factory=list)
    tag: str = "1"

    def scan(self, content: Buffer, deadline: float) -> Answer:
        self.seen.append(bytes(content))
        return self.answer(bytes(content)) if callable(self.answer) else self.answer

    def signatures(self, deadline: float) -> Signatures:
        if not self.tag:
            raise ScannerError("does not say")
        return Signatures(self.name, tag=self.tag)


def asked(decide: Any, *answers: Answer) -> Answers:
    scanners = [Says(answer, "abc"[place]) for place, answer in enumerate(answers)]
    return Several(scanners, decide).scan(b"x", time.monotonic() + 5)


def short(answers: Answers) -> str:
    """In a word each: who found, who was outvoted, who gave up, and whether it failed."""
    found = [f"{one.by}:{one.name}" for one in answers.infected]
    found += [f"({one.by}:{one.name})" for one in answers.outvoted]
    found += ["limit" for _one in answers.given_up]
    return " ".join([*found, *(["failed"] if answers.failed else [])]) or "clean"


@pytest.mark.parametrize(
    "answers, any_, majority, first",
    [
        ((CLEAN, CLEAN), "clean", "clean", "clean"),
        ((EVIL, CLEAN), "a:Evil", "a:Evil", "a:Evil"),
        ((CLEAN, EVIL), "b:Evil", "b:Evil", "clean"),
        ((CLEAN, EVIL, CLEAN), "b:Evil", "(b:Evil)", "clean"),
        ((EVIL, CLEAN, OTHER), "a:Evil c:Other", "a:Evil c:Other", "a:Evil"),
        ((AWAY, CLEAN), "failed", "failed", "clean"),
        ((AWAY, EVIL), "b:Evil", "b:Evil", "b:Evil"),
        ((AWAY, CLEAN, CLEAN), "failed", "clean", "clean"),
        ((AWAY, EVIL, CLEAN), "b:Evil", "failed", "b:Evil"),
        ((AWAY, AWAY), "failed", "failed", "failed"),
        ((LIMIT, CLEAN), "limit", "limit", "clean"),
        ((LIMIT, EVIL), "b:Evil limit", "b:Evil limit", "b:Evil"),
        ((LIMIT, CLEAN, CLEAN), "limit", "clean", "clean"),
        ((LIMIT, LIMIT), "limit limit", "limit limit", "limit limit"),
        ((LIMIT, AWAY), "limit failed", "failed", "limit"),
        ((LIMIT, EVIL, CLEAN), "b:Evil limit", "b:Evil limit", "b:Evil"),
    ],
)
def test_whose_word_counts(
    answers: tuple[Answer, ...], any_: str, majority: str, first: str
) -> None:
    found = [short(asked(decide, *answers)) for decide in ("any", "majority", "first")]
    assert found == [any_, majority, first]


def test_all_are_asked_at_the_same_time() -> None:
    gate = threading.Barrier(3, timeout=20)

    def answer(_content: bytes) -> Answer:
        gate.wait()
        return CLEAN

    several = Several([Says(answer, name) for name in "abc"], "any")
    assert several.scan(b"x", time.monotonic() + 5) == Answers()


# Hosts.


def test_the_next_host_answers_and_the_first_one_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Says(AWAY, "one"), Says(CLEAN, "two")
    both = Hosts("clamd", [first, second], patience=0)
    assert [both.scan(b"x") for _ in range(3)] == [CLEAN] * 3
    assert (len(first.seen), len(second.seen)) == (1, 3)
    now = time.monotonic()
    monkeypatch.setattr(hosts.time, "monotonic", lambda: now + 31)
    first.answer = CLEAN
    both.scan(b"x")
    assert len(first.seen) == 2


def test_one_that_gives_up_is_not_one_that_failed() -> None:
    first, second = Says(LIMIT, "one"), Says(CLEAN, "two")
    assert Hosts("clamd", [first, second], patience=0).scan(b"x") == LIMIT
    assert second.seen == []


def test_weights() -> None:
    scanners = [Says(CLEAN, name) for name in "abc"]
    group = Hosts("clamd", scanners, patience=0, weights=[3, 1, 0])
    for _ in range(40):
        group.scan(b"x")
    assert [len(one.seen) for one in scanners] == [30, 10, 0]
    scanners[0].answer = scanners[1].answer = AWAY
    assert group.scan(b"x") == CLEAN
    assert len(scanners[2].seen) == 1


def test_all_are_away() -> None:
    group = Hosts("clamd", [Says(AWAY, "one"), Says(AWAY, "two")], patience=0)
    assert group.scan(b"x") == Unavailable("no clamd answered: away; away")


# What is remembered.


def test_the_same_content_is_scanned_once() -> None:
    one = Says(lambda content: EVIL if content == b"bad" else CLEAN)
    now = [0.0]
    remembering = Remembering(one, AnswerCache(100, 60, lambda: now[0]))

    def scan(content: bytes) -> Answer:
        return remembering.scan(content, time.monotonic() + 5)

    assert [scan(c) for c in (b"bad", b"good") * 3] == [EVIL, CLEAN] * 3
    assert one.seen == [b"bad", b"good"]
    one.tag = "2"
    assert scan(b"good") == CLEAN
    assert len(one.seen) == 3, "other signatures"
    now[0] = 61.0
    assert scan(b"good") == CLEAN
    assert len(one.seen) == 4, "too old"


def test_signatures_that_were_read_during_the_scan() -> None:
    one = Says(CLEAN)

    def reloads(_content: bytes) -> Answer:
        one.tag = "2"
        return CLEAN

    one.answer = reloads
    remembering = Remembering(one, AnswerCache(100, 60))
    remembering.scan(b"x", time.monotonic() + 5)
    one.answer = EVIL
    assert remembering.scan(b"x", time.monotonic() + 5) == EVIL
    one.tag = "1"
    assert remembering.scan(b"x", time.monotonic() + 5) == EVIL


@pytest.mark.parametrize("answer", [AWAY, LIMIT])
def test_what_is_no_answer_is_not_remembered(answer: Answer) -> None:
    one = Says(answer)
    remembering = Remembering(one, AnswerCache(100, 60))
    assert [remembering.scan(b"x", time.monotonic() + 5) for _ in range(2)] == [answer] * 2
    assert len(one.seen) == 2


def test_a_scanner_that_does_not_say_its_signatures_is_always_asked() -> None:
    one = Says(CLEAN, tag="")
    remembering = Remembering(one, AnswerCache(100, 60))
    for _ in range(2):
        remembering.scan(b"x", time.monotonic() + 5)
    assert len(one.seen) == 2


def test_the_number_is_bounded() -> None:
    cache = AnswerCache(16, 60)
    size = len(cache._memory)
    keys = [hashlib.sha256(str(number).encode()).digest() for number in range(1000)]
    for key in keys:
        cache.put(key, EVIL)
    assert len(cache._memory) == size
    assert 0 < sum(cache.get(key) == EVIL for key in keys) <= 16
    assert cache.get(keys[-1]) == EVIL


def test_a_torn_entry_is_none() -> None:
    cache = AnswerCache(8, 60)
    key = hashlib.sha256(b"x").digest()
    cache.put(key, CLEAN)
    assert cache.get(key) == CLEAN
    for place in range(0, 256):
        before = cache._memory[place]
        cache._memory[place] = before ^ 1
        assert cache.get(key) is None, place
        cache._memory[place] = before


def test_workers_share_what_is_remembered() -> None:
    import os

    cache = AnswerCache(8, 60)
    key = hashlib.sha256(b"x").digest()
    child = os.fork()
    if child == 0:
        cache.put(key, EVIL)
        os._exit(0)
    os.waitpid(child, 0)
    assert cache.get(key) == EVIL


# The filter.


def names(verdict: Verdict) -> list[str]:
    return [f"{symbol.name} {symbol.score:g} {symbol.detail}" for symbol in verdict.symbols]


@pytest.fixture
def clamd(tmp_path: Path) -> Iterator[ClamdStub]:
    with ClamdStub(finds(BAD, "Evil"), tmp_path / "s") as stub:
        yield stub


def clamd_settings(stub: ClamdStub, name: str = "clamd") -> ClamdSettings:
    return ClamdSettings(name, (stub.address,), patience=0)


def icap_settings(stub: IcapStub, name: str = "second", **more: Any) -> IcapSettings:
    return IcapSettings(name, (stub.address,), patience=0, verify_seconds=0, **more)


def test_a_virus_by_two(clamd: ClamdStub) -> None:
    with IcapStub(icap.finds(BAD, FOUND)) as second:
        own = ScannersSettings(clamd=(clamd_settings(clamd),), icap=(icap_settings(second),))
        verdict = Scanners(own).examine(Message(MAIL))
        assert (verdict.virus, names(verdict)) == ("Evil", ["AV_VIRUS 0 Evil (clamd)"])
        assert verdict.scanner is not None
        assert "ClamAV 1.4.3/27450" in verdict.scanner
        clear = Scanners(own).examine(Message(GOOD))
        assert (clear.action, clear.symbols, clear.virus) == (Action.ACCEPT, (), None)


def test_one_table_for_all_names(clamd: ClamdStub) -> None:
    """Of one scanner only guesses are expected, of the other viruses; each name has its points."""
    with IcapStub(icap.finds(BAD, FOUND)) as second:
        both = (clamd_settings(clamd),), (icap_settings(second),)
        own = ScannersSettings(
            clamd=both[0], icap=both[1], suspicions={"second:*": 2.5, "clamd:Evil": 1.0}
        )
        verdict = Scanners(own).examine(Message(MAIL))
        assert verdict.virus is None
        assert names(verdict) == [
            "AV_SUSPICION 1 Evil (clamd)",
            "AV_SUSPICION 2.5 Evil.Other (second)",
        ]
        own = ScannersSettings(clamd=both[0], icap=both[1], suspicions={"second:*": 2.5})
        assert Scanners(own).examine(Message(MAIL)).virus == "Evil"


def test_a_name_may_be_a_virus_of_one_scanner_and_points_of_another(clamd: ClamdStub) -> None:
    """The first pattern that matches counts, whatever it says."""
    with IcapStub(icap.finds(BAD, FOUND)) as second:
        both: dict[str, Any] = {
            "clamd": (clamd_settings(clamd),),
            "icap": (icap_settings(second),),
        }
        table: dict[str, Any] = {"second:*": 2.5, "clamd:Ev*": "virus", "*": 1.0}
        verdict = Scanners(ScannersSettings(**both, suspicions=table)).examine(Message(MAIL))
        assert (verdict.virus, names(verdict)) == (
            "Evil",
            ["AV_VIRUS 0 Evil (clamd)", "AV_SUSPICION 2.5 Evil.Other (second)"],
        )
        table = {"*": 1.0, "clamd:Ev*": "virus"}
        verdict = Scanners(ScannersSettings(**both, suspicions=table)).examine(Message(MAIL))
        assert verdict.virus is None


def test_two_that_contradict_each_other(clamd: ClamdStub) -> None:
    with IcapStub(lambda _c: icap.CLEAN) as one, IcapStub(lambda _c: icap.CLEAN) as two:
        own = ScannersSettings(
            decide="majority",
            clamd=(clamd_settings(clamd),),
            icap=(icap_settings(one, "one"), icap_settings(two, "two")),
        )
        verdict = Scanners(own).examine(Message(MAIL))
    assert (verdict.virus, verdict.action) == (None, Action.ACCEPT)
    assert names(verdict) == ["AV_OUTVOTED 3 Evil (clamd)"]


def test_one_that_is_away_lets_nothing_pass(clamd: ClamdStub) -> None:
    nobody = IcapSettings("second", ("icap://127.0.0.1:1/x",), patience=0, verify_seconds=0)
    own = ScannersSettings(clamd=(clamd_settings(clamd),), icap=(nobody,))
    with pytest.raises(ScanError, match="no second answered"):
        Scanners(own).examine(Message(GOOD))
    assert Scanners(own).examine(Message(MAIL)).virus == "Evil", "what one finds is found"
    examined = Chain([Link(Scanners(own))]).examine(Message(GOOD))
    assert examined.verdict.action is Action.TEMPFAIL
    first = ScannersSettings(
        clamd=own.clamd, icap=own.icap, decide="first", order=("second", "clamd")
    )
    assert Scanners(first).examine(Message(GOOD)).action is Action.ACCEPT


def test_beside_the_filter_clamav(tmp_path: Path, clamd: ClamdStub) -> None:
    """`[filters.clamav]` goes on as it was."""
    config = tmp_path / "filterd.toml"
    with IcapStub(icap.finds(BAD, FOUND)) as second:
        config.write_text(
            '[chain]\nfilters = ["clamav", "scanners"]\n'
            f'[filters.clamav]\nserver = "{clamd.address}"\n'
            '[[filters.scanners.icap]]\nname = "second"\n'
            f'server = ["{second.address}"]\nverify_seconds = 0.0\n'
        )
        settings = load(config)
        links = [Link(settings.filters[name].own.build()) for name in settings.chain.filters]
        verdict = Chain(links).examine(Message(b"Subject: x\r\n\r\n" + BAD)).verdict
    assert verdict.virus == "Evil"
    assert names(verdict) == ["CLAM_VIRUS 0 Evil", "AV_VIRUS 0 Evil.Other (second)"]


def test_a_server_that_finds_nothing_any_more_is_noticed_beside_what_is_remembered() -> None:
    with IcapStub(icap.finds(b"EICAR", FOUND)) as stub:
        own = dataclasses.replace(icap_settings(stub), verify_seconds=0.000_001)
        filter = Scanners(ScannersSettings(icap=(own,), cache_seconds=600.0))
        assert filter.examine(Message(b"\r\none")).virus is None
        asked = len(stub.seen)
        assert filter.examine(Message(b"\r\none")).virus is None
        assert len(stub.seen) == asked, "remembered"
        stub.judge = lambda _content: icap.CLEAN
        with pytest.raises(ScanError, match="does not find the antivirus test file"):
            filter.examine(Message(b"\r\ntwo"))


def test_infected_parts_are_located(clamd: ClamdStub) -> None:
    filter = Scanners(ScannersSettings(clamd=(clamd_settings(clamd),)))
    filter.locates = True
    (found,) = filter.examine(Message(MAIL)).infected
    assert (found.part.filename, found.part.reason) == ("x.bin", "it contains the virus Evil")


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_parts_side_by_side(tmp_path: Path, at_once: int) -> None:
    with ClamdStub(finds(BAD, "Evil"), tmp_path / "s") as stub:
        own = ScannersSettings(clamd=(clamd_settings(stub),), scan="parts", parts_at_once=at_once)
        assert Scanners(own).examine(Message(MAIL)).virus == "Evil"
        stub.seen.clear()
        assert Scanners(own).examine(Message(GOOD)).virus is None
        assert sorted(stub.seen) == [b"bye", b"good", b"hello"]


def test_scans_of_one_scanner_at_once_are_capped(tmp_path: Path) -> None:
    """Of six parts that are scanned side by side, two at a time: more never meet."""
    meeting = threading.Barrier(2, timeout=20)
    at_once, most, mutex = 0, 0, threading.Lock()

    def judge(content: bytes) -> bytes:
        nonlocal at_once, most
        with mutex:
            at_once += 1
            most = max(most, at_once)
        meeting.wait()
        with mutex:
            at_once -= 1
        return clean(content)

    parts = messages.multipart([(f"{n}.txt", b"%d" % n) for n in range(5)])
    with ClamdStub(judge, tmp_path / "s") as stub:
        one = dataclasses.replace(clamd_settings(stub), scans_at_once=2)
        own = ScannersSettings(clamd=(one,), scan="parts", parts_at_once=6)
        assert Scanners(own).examine(Message(parts)).symbols == ()
    assert (len(stub.seen), most) == (6, 2)


def test_a_scanner_without_a_free_slot_is_away() -> None:
    """Not clean, and not waited for without end."""
    slots = Slots(1)
    one = Says(CLEAN)
    with slots.one(0):
        found = Limited(one, slots, 0.05).scan(b"x", time.monotonic() + 5)
    assert isinstance(found, Unavailable)
    assert "scans_at_once" in found.why
    assert one.seen == []
    assert Limited(one, slots, 0.05).scan(b"x", time.monotonic() + 5) == CLEAN


@pytest.mark.parametrize("setting, action", [("quarantine", "quarantine"), ("reject", "reject")])
def test_a_part_that_is_too_large_is_its_own_verdict(
    tmp_path: Path, setting: Any, action: str
) -> None:
    with ClamdStub(clean, tmp_path / "s", limit=4, descriptors=False) as stub:
        own = ScannersSettings(clamd=(clamd_settings(stub),), scan="parts", too_large=setting)
        verdict = Scanners(own).examine(Message(MAIL))
    assert verdict.action.word == action
    assert [symbol.name for symbol in verdict.symbols] == ["AV_TOO_LARGE"]


def zipped(*contents: bytes) -> bytes:
    """A message with an archive of these files, compressed so that nobody sees them outside."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.bin", content * 3)
    return messages.multipart([("a.zip", file.getvalue()), ("b.txt", b"hello")])


def test_what_an_archive_holds(clamd: ClamdStub) -> None:
    """For scanners that unpack nothing; the archive is the part that is taken out."""
    data = zipped(b"good", BAD)
    own = ScannersSettings(clamd=(clamd_settings(clamd),))
    assert Scanners(own).examine(Message(data)).virus is None
    filter = Scanners(dataclasses.replace(own, unpack=True))
    filter.locates = True
    verdict = filter.examine(Message(data))
    assert verdict.virus == "Evil"
    assert [one.part.filename for one in verdict.infected] == ["a.zip"]
    assert filter.examine(Message(zipped(b"good"))).virus is None


def test_more_files_than_are_scanned(clamd: ClamdStub) -> None:
    own = ScannersSettings(clamd=(clamd_settings(clamd),), unpack=True)
    verdict = Scanners(own).examine(Message(zipped(*(b"%d" % n for n in range(300)))))
    assert (verdict.action, [one.name for one in verdict.symbols]) == (
        Action.QUARANTINE,
        ["AV_TOO_LARGE"],
    )


# Lists.


def listed(path: Path, *contents: bytes) -> str:
    lines = sorted(hashlib.sha256(content).hexdigest() + "  Listed.Evil" for content in contents)
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines) + "\n")
    new.replace(path)
    return str(path)


@pytest.mark.parametrize("scan", ["message", "parts", "both"])
def test_known_bad_parts(tmp_path: Path, clamd: ClamdStub, scan: Any) -> None:
    bad = listed(tmp_path / "bad", b"good")
    own = ScannersSettings(clamd=(clamd_settings(clamd),), known_bad=(bad,), scan=scan)
    filter = Scanners(own)
    filter.prepare()
    verdict = filter.examine(Message(GOOD))
    assert (verdict.virus, names(verdict)) == (
        "Listed.Evil",
        ["AV_VIRUS 0 Listed.Evil (known_bad)"],
    )
    listed(tmp_path / "bad", b"something else")
    assert filter.examine(Message(GOOD)).virus is None


def test_lists_alone(tmp_path: Path) -> None:
    own = ScannersSettings(known_bad=(listed(tmp_path / "bad", BAD),))
    assert Scanners(own).examine(Message(MAIL)).virus == "Listed.Evil"
    assert Scanners(own).examine(Message(GOOD)).virus is None


def test_known_good_parts_are_not_scanned(tmp_path: Path, clamd: ClamdStub) -> None:
    good = listed(tmp_path / "good", BAD)
    own = ScannersSettings(clamd=(clamd_settings(clamd),), known_good=(good,), scan="parts")
    assert Scanners(own).examine(Message(MAIL)).virus is None
    assert sorted(clamd.seen) == [b"bye", b"hello"]


def test_a_list_that_is_broken_lets_nothing_pass(tmp_path: Path, clamd: ClamdStub) -> None:
    bad = tmp_path / "bad"
    own = ScannersSettings(clamd=(clamd_settings(clamd),), known_bad=(listed(bad, b"x"),))
    filter = Scanners(own)
    filter.prepare()
    bad.write_text("nonsense\n")
    examined = Chain([Link(filter)]).examine(Message(GOOD))
    assert examined.verdict.action is Action.TEMPFAIL
    assert "bad:1: expected 64" in str(examined.failures[0])
    with pytest.raises(OSError, match="expected 64"):
        Scanners(own).prepare()


# Settings.


@pytest.mark.slow
@pytest.mark.parametrize(
    "text, says",
    [
        ('[[filters.scanners.clamd]]\nname = "A b"', "is not a name"),
        ('[[filters.scanners.clamd]]\nserver = []\nname = "a"', "is empty"),
        ('[[filters.scanners.clamd]]\nname = "a"\nserver = ["x"]', "expected unix:/path"),
        ('[[filters.scanners.icap]]\nname = "a"\nserver = ["x"]', "expected icap://"),
        ('[[filters.scanners.icap]]\nname = "a"', "server: is not set"),
        ('[[filters.scanners.command]]\nname = "a"', "presets: clamscan"),
        ('[[filters.scanners.command]]\nname = "a"\ncommand = ["x"]', "expected { "),
        (
            '[[filters.scanners.command]]\nname = "a"\npreset = "clamscan"\n'
            'statuses = { "x" = "clean" }',
            "'x' is not an exit status",
        ),
        (
            '[[filters.scanners.command]]\nname = "a"\npreset = "clamscan"\n'
            'statuses = { "1" = "infected" }',
            'no status that is "clean"',
        ),
        (
            '[[filters.scanners.command]]\nname = "a"\npreset = "clamscan"\npattern = "("',
            "is not a regular expression",
        ),
        (
            '[[filters.scanners.clamd]]\nname = "a"\n[[filters.scanners.clamd]]\nname = "a"',
            "two scanners are called 'a'",
        ),
        ('[[filters.scanners.clamd]]\nname = "a"\nweights = [1.0, 2.0]', "2 numbers for 1 servers"),
        ('[filters.scanners]\norder = ["x"]', "expected each of these once"),
        ('[filters.scanners]\nknown_bad = ["x"]', "is not an absolute path"),
        ("[filters.scanners]\nfail_days = 1.0", "expected at least warn_days"),
        (
            '[[filters.scanners.clamd]]\nname = "a"\nwarn_days = 15.0',
            "clamd[1].fail_days: is 14; expected at least warn_days, 15",
        ),
        ('[filters.scanners.suspicions]\n"X.*" = "clean"', "virus"),
        ('[filters.scanners.suspicions]\n"X.*" = inf', "inf is not a number"),
    ],
)
def test_mistakes_in_settings(tmp_path: Path, text: str, says: str) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert says in str(caught.value)


def test_a_program_that_is_missing_is_said_at_the_start() -> None:
    own = ScannersSettings(
        command=(CommandSettings("a", command=("/no/such",), statuses={"0": "clean"}),)
    )
    with pytest.raises(OSError, match="scanner a: there is no program /no/such"):
        Scanners(own).prepare()


def test_it_is_found_by_name() -> None:
    assert load_filter("scanners") is ScannersSettings


def test_a_folder_of_signatures_counts_from_the_settings_file(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text('[[filters.scanners.clamd]]\nname = "a"\ndatabases = "x"\n')
    (clamd,) = load(config).of_filter(ScannersSettings).clamd
    assert clamd.databases == tmp_path / "x"
