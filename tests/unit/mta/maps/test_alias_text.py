"""Alias files whose names the rules make the keys: the map class stab, newaliases."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from filterd.mta.cf.parser import parse
from filterd.mta.maps.alias_text import logical_lines
from filterd.mta.maps.newaliases import NewAliases
from filterd.mta.sendmail.engine import RuleEngine
from tests.helpers.bt import session
from tests.helpers.maps import look_in

CF = """\
V10/Berkeley
Djmx.own.test
Cwown.test
O OperatorChars=.:%@!^/[]+
O DontBlameSendmail=TrustStickyBit
O AliasFile=SPEC
Kst stab FOLDER/aliases
Kother stab FOLDER/other
Scanonify=3
R$*<$*>$*	$2
R$* @ $=w	$1
Sparse=0
R$* @ $*	$#esmtp $@ $2 $: $1 @ $2
Rlater	$#error $@ 4.2.2 $: "450 soon"
Runknown	$#nosuch $: x
R$*	$#local $: $1
Mlocal, P=/bin/true, F=lsDFMAw5:/|@qPSXmn9, A=true $u
Mprog, P=/bin/true, F=lsDFMoqeu9, A=true $u
Mesmtp, P=[IPC], F=m, A=TCP $h
"""

ALIASES = b"""\
postmaster: root
# nobody
Joe : a, b,
  c
remote@far.test : x
bad<: y
"q:q": z
nocolon
empty:
:none
JOE: d
unknown: e
later: f
(of) long(words): g
ann@own.test: h
j\xf6e: i
j\x85e: j
|prog: k
/file: l
:include:x: m
<angle>: n
"open: o
PostMaster: p
"""

COMPLAINTS = [
    "5: remote@far.test ... cannot alias non-local names",
    "6: bad<: y... Unbalanced '<'",
    "8: missing colon",
    "9: empty:... missing value for alias",
    "10: :none... illegal alias name",
    "12: buildaddr: unknown mailer nosuch",
    "12: unknown... cannot alias non-local names",
    "13: later... soon",
    "13: later... cannot alias non-local names",
    '17: 8-bit character in mailbox address "j?e"',
    "17: j?e: j... illegal alias name",
    "18: |prog... cannot alias non-local names",
    "19: /file... cannot alias non-local names",
    "20: :include:x: m... illegal alias name",
    "22: \"open: o... Unbalanced '\"'",
]
"""With the numbers of their lines, as sendmail 8.17 says them."""

SUM = "11 aliases, longest 8 bytes, 82 bytes total"


@pytest.fixture
def cf(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    for name, text in (("aliases", ALIASES), ("other", b"only: z\n")):
        (tmp_path / name).write_bytes(text)
        (tmp_path / name).chmod(0o644)
    path = tmp_path / "x.cf"
    path.write_text(CF.replace("FOLDER", str(tmp_path)).replace("SPEC", f"{tmp_path}/aliases"))
    return path


def _told(cf: Path, *lines: str) -> list[str]:
    """What test mode prints, without what the rules do and what comes before the first line."""
    text = "".join(session(cf, lines)[1:]).replace(f"{cf.parent}/", "")
    return [one for one in text.split("\n") if " input:" not in one and "returns: " not in one]


def test_the_rules_make_the_names_of_a_stab_map(cf: Path) -> None:
    lines = [f"aliases: line {one}" for one in COMPLAINTS]
    found = {
        "joe": "d",
        "JOE": "d",
        "long": "g",
        "ann": "h",
        "angle": "n",
        '"q:q"': 'q": z',
        "postmaster": "p",
        ":y": "y",
        "ann@own.test": None,
        "remote@far.test": None,
        "q:q": None,
        "later": None,
    }
    answers = [
        f"map_lookup: st ({key}) {'no match' if value is None else f'returns {value}'} (0)"
        for key, value in found.items()
    ]
    assert _told(cf, *(f"/map st {key}" for key in found)) == [
        *lines,
        f"aliases: {SUM}",
        *answers,
        "",
    ]


def test_the_rules_are_seen_at_work(cf: Path) -> None:
    answer = session(cf, ["/map other only"])[1]
    assert answer == (
        "canonify           input: only\n"
        "canonify         returns: only\n"
        "parse              input: only\n"
        "parse            returns: $# local $: only\n"
        "2                  input: only\n"
        "2                returns: only\n"
        "4                  input: only\n"
        "4                returns: only\n"
        f"{cf.parent}/other: 1 aliases, longest 1 bytes, 5 bytes total\n"
        "map_lookup: other (only) returns z (0)\n"
    )


def test_stab_maps_have_one_table(cf: Path) -> None:
    assert _told(cf, "/map other joe", "/map st joe", "/map other joe", "/map st only") == [
        "other: 1 aliases, longest 1 bytes, 5 bytes total",
        "map_lookup: other (joe) no match (0)",
        *(f"aliases: line {one}" for one in COMPLAINTS),
        f"aliases: {SUM}",
        "map_lookup: st (joe) returns d (0)",
        "map_lookup: other (joe) returns d (0)",
        "map_lookup: st (only) returns z (0)",
        "",
    ]


def test_the_text_of_an_alias_file_without_a_database(cf: Path) -> None:
    told = _told(cf, "/map aliases ann")
    notice = "WARNING: cannot open alias database aliases; reading text version"
    assert told[0] == f"map_lookup: aliases (ann) {notice}"
    assert told[-3:] == [f"aliases: {SUM}", "returns h (0)", ""]


def _newaliases(cf: Path, spec: str) -> tuple[int, list[str]]:
    said: list[str] = []
    text = CF.replace("FOLDER", str(cf.parent)).replace("SPEC", spec)
    status = NewAliases(parse(text, "x.cf", lambda path: path.read_bytes()), said.append).run()
    return status, [one.replace(f"{cf.parent}/", "") for one in said]


def test_the_rules_make_the_names_of_newaliases(cf: Path) -> None:
    duplicates = {
        11: "11: JOE... Warning: duplicate alias name joe",
        23: "23: PostMaster... Warning: duplicate alias name postmaster",
    }
    said = sorted([*COMPLAINTS, *duplicates.values()], key=lambda one: int(one.partition(":")[0]))
    file = f"{cf.parent}/aliases"
    assert _newaliases(cf, f"hash:{file}") == (
        70,
        [*(f"aliases: line {one}" for one in said), f"aliases: {SUM}"],
    )
    for key, value in {"joe": "d", "ann": "h", "angle": "n", '"q:q"': 'q": z'}.items():
        lines = "O DontBlameSendmail=TrustStickyBit", f"Ka hash -q {file}"
        assert look_in(lines, key).value == value
    assert look_in(lines, "ann@own.test").value is None


def _engine(cf: Path, *rules: str) -> RuleEngine:
    text = cf.read_text().replace("Sparse=0\n", "\n".join(("Sparse=0", *rules, "")))
    return RuleEngine(parse(text, "x.cf", lambda path: path.read_bytes()))


def _users(engine: RuleEngine, names: Sequence[str]) -> list[str]:
    with engine.session().asking() as question:
        found = [question.resolver.parse(one) for one in names]
    return ["" if one is None else one.user for one in found]


def test_a_rule_that_asks_the_map_it_is_read_for_finds_nothing_yet(cf: Path) -> None:
    """sendmail never ends here."""
    engine = _engine(cf, "R$-	$: $(st $1 $)")
    assert _users(engine, ["joe", "nobody"]) == ["d", "nobody"]


@pytest.mark.parametrize("attempt", range(5))
def test_rules_that_ask_the_other_of_two_maps_do_not_wait_for_each_other(
    cf: Path, attempt: int
) -> None:
    del attempt
    engine = _engine(cf, "R$-	$: $(st $1 $)", "R$-	$: $(other $1 $)")
    answers: list[list[str]] = []
    start = threading.Barrier(2)

    def ask(*names: str) -> None:
        start.wait()
        answers.append(_users(engine, names))

    threads = [threading.Thread(target=ask, args=("joe", "only"), daemon=True) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert answers == [["d", "z"]] * 2


def test_a_stab_map_is_read_again_when_its_file_changes(
    cf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = _engine(cf)
    map = engine.maps.find("other")
    assert map is not None
    assert map.lookup("only").value == "z"
    (cf.parent / "other").write_bytes(b"New@own.test: y\nremote@far.test: x\n")
    with caplog.at_level("INFO", "filterd.mta"):
        assert map.lookup("new").value == "y"
    assert map.lookup("new").entry == f"{cf.parent}/other:1"
    assert map.lookup("only").value is None
    assert [one.message.replace(f"{cf.parent}/", "") for one in caplog.records] == [
        "other: line 2: remote@far.test... cannot alias non-local names",
        "other: 1 aliases, longest 1 bytes, 4 bytes total",
    ]


def test_the_macros_of_a_session_stay_while_names_are_read(cf: Path) -> None:
    """A lookup in the middle of an address may be the one that has a file read again."""
    engine = _engine(cf)
    session, map = engine.current.definitions, engine.maps.find("other")
    session.set("addr_type", "e s")
    session.set("h", "far.test")
    assert map is not None
    assert map.lookup("only").value == "z"
    assert (session.get("addr_type"), session.get("h")) == ("e s", "far.test")


def test_a_line_of_many_lines_is_put_together_in_linear_time() -> None:
    """Each octet is copied a few times, however many lines there are."""
    data = b"a: b\n" + b" c\n" * 200_000
    ((first, last, line),) = logical_lines(data)
    assert (first, last, len(line)) == (1, 200_001, 4 + 2 * 200_000)
