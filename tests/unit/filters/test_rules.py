"""The filter `rules`: hits become symbols, and broken files do not take the rules away."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.chain.chain import Chain
from filterd.chain.links import Link
from filterd.chain.services import Services
from filterd.chain.verdict import Symbol, Verdict
from filterd.filters.rules.filter import Rules
from filterd.filters.rules.settings import RulesSettings
from filterd.message import Message
from filterd.resolver.settings import ResolverSettings
from filterd.system.mistakes import SettingsError
from tests.helpers.dns_lists import mail
from tests.helpers.name_server import name_server, zone

pytestmark = pytest.mark.server

RULES = """\
body     __PILLS     /cheap pills/i
header   __SHOUTS    Subject =~ /^[A-Z !]+$/
meta     SHOUTED_PILLS __PILLS && __SHOUTS
describe SHOUTED_PILLS Pills, and a Subject in capitals
score    SHOUTED_PILLS 4.0 3.0 2.0 1.0
header   TO_JOE      To =~ /joe/
describe TO_JOE      For Joe
score    TO_JOE      -1.5
"""

SPAM = b"From: a@a.example\r\nTo: joe@mx.example\r\nSubject: BUY NOW\r\n\r\nOur cheap pills\r\n"
HAM = b"From: a@a.example\r\nTo: sue@mx.example\r\nSubject: lunch\r\n\r\nAt one?\r\n"


class Site:
    """A folder with a rule file, and the filter."""

    def __init__(self, folder: Path, text: str = RULES) -> None:
        self.file = folder / "local.cf"
        self.file.write_text(text)
        self.settings = RulesSettings(
            (str(self.file),), stock=False, own=False, cache=folder / "cache"
        )

    def filter(self, services: Services | None = None, **settings: object) -> Rules:
        found = Rules(
            replace(self.settings, **settings),  # type: ignore[arg-type]
            services or Services(),
        )
        found.prepare()
        return found

    def symbols(self, data: bytes = SPAM, **settings: object) -> dict[str, float]:
        return {s.name: s.score for s in self.filter(**settings).examine(Message(data)).symbols}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_hits_are_symbols_and_parts_of_rules_are_not(site: Site) -> None:
    assert site.symbols() == {"SHOUTED_PILLS": 4.0, "TO_JOE": -1.5}
    assert site.symbols(HAM) == {}


def test_a_symbol_says_what_the_rule_describes(site: Site) -> None:
    (symbol,) = (s for s in site.filter().examine(Message(SPAM)).symbols if s.name == "TO_JOE")
    assert symbol.detail == "For Joe"


@pytest.mark.parametrize(
    ("classifies", "use_network", "points"),
    [(False, False, 4.0), (False, True, 3.0), (True, False, 2.0), (True, True, 1.0)],
)
def test_the_score_set_is_that_of_the_chain(
    site: Site, classifies: bool, use_network: bool, points: float
) -> None:
    rules = site.filter(Services(classifies=classifies), use_network=use_network)
    assert Symbol("SHOUTED_PILLS", points, "Pills, and a Subject in capitals") in (
        rules.examine(Message(SPAM)).symbols
    )


def test_settings_name_the_score_set(site: Site) -> None:
    assert site.symbols(score_set=3)["SHOUTED_PILLS"] == 1.0


def test_settings_change_points_and_leave_rules_out(site: Site) -> None:
    assert site.symbols(scores={"SHOUTED_PILLS": 7.5}, exclude=("TO_*",)) == {"SHOUTED_PILLS": 7.5}
    assert site.symbols(scores={"SHOUTED_PILLS": 0.0}) == {"TO_JOE": -1.5}


def test_the_sum_has_a_limit(site: Site) -> None:
    assert site.symbols(most=2.0) == {"SHOUTED_PILLS": 4.0, "TO_JOE": -1.5, "RULES_LIMIT": -0.5}
    assert site.symbols(least=3.0, most=9.0)["RULES_LIMIT"] == 0.5
    assert "RULES_LIMIT" not in site.symbols(most=2.5)


class Earlier:
    """A filter that gives a symbol with the name of a rule."""

    name = "earlier"

    def examine(self, _message: Message) -> Verdict:
        return Verdict(symbols=(Symbol("SHOUTED_PILLS", 9.0),))


def test_what_another_filter_has_found_does_not_count_twice(site: Site) -> None:
    chain = Chain([Link(Earlier()), Link(site.filter())])

    verdict = chain.examine(Message(SPAM)).verdict

    assert [(s.name, s.score) for s in verdict.symbols] == [
        ("SHOUTED_PILLS", 9.0),
        ("TO_JOE", -1.5),
    ]


class Classifier:
    """The filter `bayes`, as the rules see it."""

    name = "bayes"

    def examine(self, _message: Message) -> Verdict:
        return Verdict(symbols=(Symbol("BAYES_99", 8.0),), probability=0.995)


def test_the_classifier_is_asked_by_rules_and_counts_once(tmp_path: Path) -> None:
    text = """\
body BAYES_99 eval:check_bayes('0.99', '0.999')
score BAYES_99 0 0 3.5 3.5
tflags BAYES_99 learn
meta SURE_PILLS BAYES_99 && __PILLS
body __PILLS /pills/
score SURE_PILLS 0 0 1.25 1.25
"""
    rules = Site(tmp_path, text).filter(Services(classifies=True))

    verdict = Chain([Link(Classifier()), Link(rules)]).examine(Message(SPAM)).verdict

    assert {s.name: s.score for s in verdict.symbols} == {"BAYES_99": 8.0, "SURE_PILLS": 1.25}
    assert len(verdict.symbols) == 2


LISTED = """\
header RCVD_IN_BL eval:check_rbl('bl', 'bl.example.')
tflags RCVD_IN_BL net
score RCVD_IN_BL 0 2.5 0 2.5
"""


@pytest.mark.parametrize(("use_network", "points"), [(True, {"RCVD_IN_BL": 2.5}), (False, {})])
def test_lists_are_asked_only_where_that_is_allowed(
    tmp_path: Path, use_network: bool, points: dict[str, float]
) -> None:
    with name_server(zone("9.113.0.203.bl.example 60 A 127.0.0.2")) as server:
        services = Services(ResolverSettings(nameservers=(server.address,), timeout=30.0))
        rules = Site(tmp_path, LISTED).filter(services, use_network=use_network)

        found = rules.examine(mail(client="203.0.113.9")).symbols

        services.resolver.close()
    assert {symbol.name: symbol.score for symbol in found} == points
    assert bool(server.asked) is use_network


def test_a_line_that_cannot_be_used_costs_that_line(tmp_path: Path) -> None:
    site = Site(tmp_path, RULES + "body BROKEN /(unfinished/\nscore TO_JOE some\n")
    rules = site.filter()

    assert len(rules.loaded.problems) == 2
    assert all(str(one).startswith(f"{site.file}:") for one in rules.loaded.problems)
    assert site.symbols() == {"SHOUTED_PILLS": 4.0, "TO_JOE": -1.5}


BREAKS = {
    "a pattern that does not end": "body MORE /(unfinished/\n",
    "a condition that does not end": "if (version > 3)\n" + RULES,
    "half a line": RULES[:-20],
}


@pytest.mark.parametrize("text", BREAKS.values(), ids=BREAKS)
def test_broken_rules_leave_the_last_good_ones(
    site: Site, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    before = site.symbols()
    site.file.write_text(text if text.endswith("\n") else text + "sco TO_JOE")

    with caplog.at_level(logging.ERROR):
        rules = site.filter()

    assert {s.name: s.score for s in rules.examine(Message(SPAM)).symbols} == before
    assert str(site.file) in rules.loaded.broken
    assert f"the last good rules stay in force: {site.file}" in caplog.text


def test_rules_that_are_gone_leave_the_last_good_ones(site: Site) -> None:
    before = site.symbols()
    site.file.unlink()

    assert site.symbols() == before


def test_rules_that_were_never_good_do_not_start(site: Site) -> None:
    site.file.unlink()
    with pytest.raises(OSError, match="No such file"):
        site.filter()


def test_mended_rules_come_into_force(site: Site) -> None:
    site.symbols()
    site.file.write_text("body MORE /(unfinished/\n")
    site.symbols()
    site.file.write_text("body MORE /pills/\nscore MORE 2.5\n")

    assert site.symbols() == {"MORE": 2.5}
    site.file.write_text("nonsense\n")
    assert site.symbols() == {"MORE": 2.5}


def test_a_damaged_copy_of_the_last_good_rules_is_not_used(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.symbols()
    (copy,) = site.settings.cache.glob("last-good.json")
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    site.file.write_text("body MORE /(unfinished/\nbody PILLS /pills/\n")

    assert site.symbols() == {"PILLS": 1.0}
    assert "its checksum is wrong" in caplog.text


def test_a_copy_for_other_files_is_not_used(site: Site, tmp_path: Path) -> None:
    site.symbols()
    other = tmp_path / "other.cf"
    other.write_text("body PILLS /pills/\nbody MORE /(unfinished/\n")

    assert site.symbols(files=(str(other),)) == {"PILLS": 1.0}


def test_included_files_are_among_the_last_good_ones(site: Site, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_text("body MORE /pills/\nscore MORE 2.5\n")
    site.file.write_text(f"include {more.name}\n")
    assert site.symbols() == {"MORE": 2.5}

    more.unlink()
    assert site.symbols() == {"MORE": 2.5}


def test_the_signature_changes_with_every_file(site: Site, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.write_text("body MORE /pills/\n")
    seen = {site.settings.signature()}
    for change in (
        lambda: site.file.write_text(f"{RULES}include more\n"),
        lambda: more.write_text("body MORE /more pills/\n"),
        more.unlink,
        site.file.unlink,
    ):
        change()
        assert site.settings.signature() == site.settings.signature()
        seen.add(site.settings.signature())
    assert len(seen) == 5


def test_a_folder_that_cannot_be_written_costs_no_rules(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Site(tmp_path).symbols(cache=tmp_path / "file" / "cache")["TO_JOE"] == -1.5


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "a path that is not absolute": ({"files": ("local.cf",)}, "'local.cf' is not absolute"),
    "points that are no number": ({"scores": {"A": float("nan")}}, "nan is not a number"),
    "most below least": ({"most": 1.0, "least": 2.0}, "2.0 is above most = 1.0"),
    "most is no number": ({"most": float("nan")}, "is not a number"),
}


@pytest.mark.parametrize(("settings", "why"), WRONG.values(), ids=WRONG)
def test_settings_that_cannot_be(settings: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        RulesSettings(**settings)  # type: ignore[arg-type]


def test_a_message_whose_rules_took_too_long_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Site(tmp_path).filter()
    now = iter(range(0, 10_000, 15))
    monkeypatch.setattr("filterd.rules.checker.time.monotonic", lambda: float(next(now)))
    (late,) = (one for one in found.examine(Message(SPAM)).symbols if not one.score)
    assert late.name == "TIME_LIMIT_EXCEEDED"
    assert late.detail == "The rules took more than 20 seconds: not all of them have run"
