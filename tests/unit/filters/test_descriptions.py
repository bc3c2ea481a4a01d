"""Every symbol that filterd can give has a description, in words that people understand."""

from __future__ import annotations

import ast
import importlib
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import filterd
from filterd.chain.descriptions import (
    DESCRIPTION_LIMIT,
    OF_CHAIN,
    Describing,
    Descriptions,
)
from filterd.chain.filter import Buildable, Filter, available, load
from filterd.chain.links import LinkSettings, failed_symbol
from filterd.chain.verdict import Failure, FailureKind, Symbol
from filterd.config.descriptions import descriptions
from filterd.config.load import FilterSettings, Settings
from filterd.filters.auth.symbols import POINTS
from filterd.filters.bayes.symbols import STEPS, symbol_name
from filterd.filters.clamav.filter import ClamAV
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings
from filterd.filters.dnslists.symbols import received_name
from filterd.filters.gtube import GtubeSettings
from filterd.filters.known.settings import KnownSettings
from filterd.filters.locallists.settings import LocalList, LocalListsSettings
from filterd.filters.parts.symbols import GROUPS
from filterd.filters.rules.sources import OWN
from filterd.filters.scanners import symbols as of_scanners
from filterd.filters.scanners.filter import Scanners
from filterd.filters.sklearn.settings import PREFIX
from filterd.rules.conf.read import read

PACKAGE = Path(filterd.__file__).parent

LISTS = DnsListsSettings(
    (
        DnsList("zen.spamhaus.org"),
        DnsList("key.dq.example", like="list.dnswl.org"),
        DnsList("bl.example", codes={"127.0.0.2": "OWN_CODE 2"}, symbol="OWN_REST"),
    )
)
LOCAL = LocalListsSettings(
    (
        LocalList(Path("/etc/own/friends"), "client", "allow"),
        LocalList(Path("/etc/own/enemies"), "url", symbol="OWN_URLS"),
        LocalList(Path("/etc/own/more"), "from", symbol="OWN_URLS"),
    )
)

SETTINGS: Mapping[str, Buildable] = {"dnslists": LISTS, "locallists": LOCAL}
"""Of filters whose symbols the settings name; the defaults count for the others."""


def _of_lists() -> Collection[str]:
    return [*LISTS.symbols, *map(received_name, LISTS.symbols)]


MADE: Mapping[tuple[str, str], Collection[str]] = {
    ("auth/filter.py", "one.name"): POINTS,
    ("auth/filter.py", "_OVERRIDE"): POINTS,
    ("auth/symbols.py", "name"): POINTS,
    ("bayes/filter.py", "symbol_name(probability)"): [symbol_name(p) for p, _ in STEPS],
    ("dnslists/asking.py", "name"): _of_lists(),
    ("locallists/filter.py", "name"): [one.name for one in LOCAL.lists],
    ("locallists/filter.py", "one.own.name"): [one.name for one in LOCAL.lists],
    ("parts/filter.py", "name"): GROUPS,
    # Those of rules have their `describe`; see below.
    ("rules/filter.py", "hit.name"): (),
    **{
        ("scanners/findings.py", source): [
            *of_scanners.names(ClamAV.prefix).values(),
            *of_scanners.names(Scanners.prefix).values(),
        ]
        for source in (
            "self._symbol(name)",
            "self._names[what]",
            "self._names[symbols.OUTVOTED]",
            "self._names[symbols.VIRUS]",
        )
    },
    ("sklearn/filter.py", "symbol_name(p, PREFIX)"): [symbol_name(p, PREFIX) for p, _ in STEPS],
}
"""Where a filter computes the name of a symbol: file and expression → all that it can be, of the
table that the code itself looks into."""


SHIPPED = [name for name, value in available().items() if value.startswith("filterd.")]


@cache
def known() -> Descriptions:
    return Descriptions({name: SETTINGS.get(name) or load(name)() for name in SHIPPED})


@cache
def calls() -> list[tuple[str, ast.expr]]:
    """File below `filterd/filters` and first argument, of each `Symbol(…)`."""
    sources = {path: path.read_bytes() for path in sorted((PACKAGE / "filters").rglob("*.py"))}
    return [
        (path.relative_to(PACKAGE / "filters").as_posix(), node.args[0])
        for path, source in sources.items()
        if b"Symbol(" in source
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Symbol"
    ]


def names(file: str, argument: ast.expr) -> Collection[str]:
    """All that this argument can be."""
    if isinstance(argument, ast.IfExp):
        return [*names(file, argument.body), *names(file, argument.orelse)]
    made = MADE.get((file, ast.unparse(argument)))
    if made is not None:
        return made
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return [argument.value]
    module = importlib.import_module("filterd.filters." + file[:-3].replace("/", "."))
    constant = getattr(module, argument.id, None) if isinstance(argument, ast.Name) else None
    assert isinstance(constant, str), f"{file}: what can {ast.unparse(argument)} be? See MADE"
    return [constant]


@pytest.mark.parametrize("file", sorted({file for file, _ in calls()}))
def test_each_symbol_that_a_filter_makes_is_described(file: str) -> None:
    found = {name for one, argument in calls() if one == file for name in names(file, argument)}
    assert found or file == "rules/filter.py"
    assert [name for name in sorted(found) if not known().of(name)] == []


def test_what_is_computed_is_still_computed() -> None:
    assert set(MADE) <= {(file, ast.unparse(argument)) for file, argument in calls()}


NOT_SYMBOLS = {"SC_CLK_TCK", of_scanners.TOO_LARGE}
"""Words in capitals that are something else: a name of sysconf(3), a symbol without its prefix."""


@pytest.mark.slow
def test_each_name_in_capitals_is_described() -> None:
    """Findings of `filterd.message` and of unpacking become symbols far from where they stand."""
    shape = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
    found = set()
    for room in ("chain", "config", "daemon", "filters", "message", "workers"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found |= {node.value} if shape.fullmatch(node.value) else set()
    assert len(found) > 60
    assert sorted(name for name in found - NOT_SYMBOLS if not known().of(name)) == []


def test_each_filter_describes() -> None:
    silent = [name for name in SHIPPED if not isinstance(load(name)(), Describing)]
    assert silent == []


def test_rules_of_filterd_describe_themselves() -> None:
    rules = read([(OWN.name, OWN.read_bytes())]).rules.values()
    assert [one.name for one in rules if not one.is_part and not one.description] == []


def test_descriptions_are_short_sentences() -> None:
    every = {**OF_CHAIN, **{n: t for name in SHIPPED for n, t in _own(name).items()}}
    assert len(every) > 150
    for name, text in every.items():
        assert text == " ".join(text.split()), name
        assert text.endswith("."), name
        assert 10 < len(text) <= 120 or " Or: " in text, name
        assert name not in text, name


def _own(name: str) -> Mapping[str, str]:
    own = SETTINGS.get(name) or load(name)()
    assert isinstance(own, Describing)
    return own.describe()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SPF_FAIL", "SPF: the sender's domain says that this client may not send its mail."),
        ("BAYES_99", "The classifier says: spam with 99 to 99.9 % probability."),
        ("BAYES_999", "The classifier says: spam with 99.9 % or more probability."),
        ("SKLEARN_00", "The pipeline of the site says: spam with 0 to 1 % probability."),
        ("CLAM_VIRUS", "A scanner found a virus."),
        ("AV_VIRUS", "A scanner found a virus."),
        ("RCVD_IN_XBL", "Spamhaus XBL: the client is a hijacked computer."),
        (
            "RECEIVED_XBL",
            "Of an earlier host on the way: Spamhaus XBL: the client is a hijacked computer.",
        ),
        # A zone with the site's key in its name is called by the list that it is like.
        ("RCVD_IN_DNSWL_HI", "DNSWL: the client is a known mail server, with high trust."),
        ("OWN_CODE", "It is listed in bl.example."),
        ("OWN_REST", "It is listed in bl.example."),
        ("LOCAL_ALLOWED_CLIENT", "The client's address is on the site's allow list friends."),
        (
            "OWN_URLS",
            "A URL in the message is on the site's block list enemies. Or: "
            "The address in From is on the site's block list more.",
        ),
        ("PARTS_FAILED", "The filter parts failed: it has no opinion of the message."),
        ("RELEASED", "A person released the message from the quarantine; filters let it pass."),
        ("NEVER_HEARD_OF", ""),
    ],
)
def test_descriptions(name: str, text: str) -> None:
    assert known().of(name) == text


@pytest.mark.parametrize(
    ("symbol", "told"),
    [
        # A rule's detail is its `describe`.
        (Symbol("FD_OWN", 1.0, "Asks for money"), ("Asks for money", "")),
        (Symbol("GREYLIST", 0.0, "new, 300 s to go"), (known().of("GREYLIST"), "new, 300 s to go")),
        (Symbol("UNKNOWN_ONE", 1.0), ("", "")),
    ],
)
def test_what_is_shown_of_a_symbol(symbol: Symbol, told: tuple[str, str]) -> None:
    assert known().told(symbol) == told


def test_a_failure_is_described_under_the_name_that_the_chain_gives_it() -> None:
    (symbol,) = failed_symbol(Failure("inner", FailureKind.CRASH, "boom")).symbols
    assert "inner failed" in Descriptions({"inner": KnownSettings()}).of(symbol.name)


def test_filters_that_the_chain_has_no_more_are_described_all_the_same() -> None:
    own = {"gtube": FilterSettings(LinkSettings(), GtubeSettings())}
    assert descriptions(Settings(filters=own)).of("RATELIMIT")


@dataclass(frozen=True)
class Odd:
    """Settings of a filter that describes oddly."""

    described: object

    def describe(self) -> object:
        if isinstance(self.described, Exception):
            raise self.described
        return self.described

    def build(self) -> Filter:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("described", "text"),
    [
        ({"ODD_ONE": "Is odd."}, "Is odd."),
        ({"ODD_ONE": "Is\nodd.\x1b[31m"}, "Is odd.\N{REPLACEMENT CHARACTER}[31m"),
        ({"ODD_ONE": "x" * 1000}, "x" * DESCRIPTION_LIMIT),
        ({"ODD_ONE": 5}, ""),
        (None, ""),
        (ValueError("broken"), ""),
    ],
)
def test_what_a_plugin_says_wrong_breaks_nothing(
    described: object, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = Descriptions({"odd": Odd(described), "gtube": GtubeSettings()})  # type: ignore[dict-item]
    assert found.of("ODD_ONE") == text
    assert found.of("GTUBE")
    assert ("the filter odd does not describe" in caplog.text) is (not text)
