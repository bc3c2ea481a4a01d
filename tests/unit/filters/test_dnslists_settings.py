"""Settings of DNS lists: return codes, what they mean, and what must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.filters.dnslists.codes import Code, CodeMeaning, meanings, packed, table
from filterd.filters.dnslists.known import KNOWN
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings

FITS = [
    ("127.0.0.2", "127.0.0.2", True),
    ("127.0.0.2", "127.0.0.3", False),
    ("127.0.0.4-7", "127.0.0.4", True),
    ("127.0.0.4-7", "127.0.0.7", True),
    ("127.0.0.4-7", "127.0.0.8", False),
    ("127.0.*.3", "127.0.12.3", True),
    ("127.0.*.3", "127.1.12.3", False),
    ("127.0.1.0/24", "127.0.1.255", True),
    ("127.0.1.0/24", "127.0.2.1", False),
    ("127.0.0.64/26", "127.0.0.100", True),
    ("127.0.0.64/26", "127.0.0.63", False),
    ("&8", "127.0.0.8", True),
    ("&8", "127.0.0.72", True),
    ("&8", "127.0.0.64", False),
    ("&8", "127.255.255.255", False),
    ("&8", "192.0.2.8", False),
]


@pytest.mark.parametrize(("code", "answer", "fits"), FITS)
def test_a_code_fits(code: str, answer: str, fits: bool) -> None:
    numbers = packed(answer)
    assert numbers is not None
    assert Code.parse(code).fits(numbers) is fits


@pytest.mark.parametrize(
    "code",
    ["", "127.0.0", "127.0.0.256", "127.0.0.7-4", "&0", "&256", "127.0.0.1/24", "x", "127.0.0.2 "],
)
def test_what_is_not_a_code(code: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Code.parse(code)


@pytest.mark.parametrize("code", ["192.0.2.1", "*.0.0.2", "126.0.0.0/7", "0-255.0.0.1"])
def test_a_code_outside_of_127(code: str) -> None:
    with pytest.raises(ValueError, match=r"outside of 127\.0\.0\.0/8"):
        Code.parse(code)


def test_an_error_of_every_list_cannot_be_a_listing() -> None:
    with pytest.raises(ValueError, match="always an error"):
        table({"127.255.255.254": "RCVD_IN_X 3"})
    assert table({"127.255.255.254": "error"})


MEANINGS = [
    ("RCVD_IN_X", CodeMeaning("RCVD_IN_X")),
    ("RCVD_IN_X 2.5", CodeMeaning("RCVD_IN_X", 2.5)),
    ("RCVD_IN_X -1 allow", CodeMeaning("RCVD_IN_X", -1.0, allows=True)),
    ("RCVD_IN_X allow", CodeMeaning("RCVD_IN_X", allows=True)),
    ("RCVD_IN_X 2 client", CodeMeaning("RCVD_IN_X", 2.0, client_only=True)),
    ("error", CodeMeaning("")),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_a_meaning(text: str, meaning: CodeMeaning) -> None:
    assert CodeMeaning.parse(text) == meaning


@pytest.mark.parametrize(
    "text", ["", "x", "rcvd_in_x 1", "RCVD_IN_X y", "RCVD_IN_X nan", "RCVD_IN_X 1 2", "ERROR 1 x"]
)
def test_what_is_not_a_meaning(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        CodeMeaning.parse(text)


def said(*answers: str, codes: dict[str, str], unnamed: CodeMeaning | None = None) -> list[str]:
    numbers = [found for found in map(packed, answers) if found is not None]
    return [meaning.symbol for meaning in meanings(numbers, table(codes), unnamed)]


def test_what_answers_mean() -> None:
    codes = {"127.0.0.1": "error", "&2": "BLACK 5", "&4": "GREY 1"}
    assert said("127.0.0.2", codes=codes) == ["BLACK"]
    assert said("127.0.0.6", codes=codes) == ["BLACK", "GREY"]
    assert said("127.0.0.2", "127.0.0.4", codes=codes) == ["BLACK", "GREY"]
    assert said("127.0.0.8", codes=codes) == []
    assert said("127.0.0.8", codes=codes, unnamed=CodeMeaning("OTHER")) == ["OTHER"]
    for error in ("127.0.0.1", "127.255.255.254", "127.255.255.1", "192.0.2.2", "10.0.0.2"):
        assert said(error, codes=codes, unnamed=CodeMeaning("OTHER")) == [""], error


@pytest.mark.parametrize("zone", KNOWN)
def test_what_is_known_can_be_used(zone: str) -> None:
    own = DnsList(zone)
    assert own.table
    assert own.asked == KNOWN[zone].about


@pytest.mark.parametrize("zone", KNOWN)
def test_the_docs_show_what_is_known(zone: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "filters" / "dnslists.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith(f"| `{zone}` |")]
    for meaning in KNOWN[zone].codes.values():
        name, _, rest = meaning.partition(" ")
        assert meaning == "error" or f"`{name}` {rest}" in line
    assert f"| {', '.join(KNOWN[zone].about)} |" in line


def test_a_copy_of_a_known_list() -> None:
    own = DnsList("key.zen.dq.example", like="zen.spamhaus.org", ask=("client", "received"))
    assert own.table == DnsList("zen.spamhaus.org").table
    assert own.asked == ("client", "received")


WRONG = [
    ({"zone": "x y"}, "zone"),
    ({"zone": "bl.example"}, "symbol.*a listing means nothing"),
    ({"zone": "bl.example", "symbol": "bl"}, "symbol.*expected capitals"),
    ({"zone": "bl.example", "like": "zen.example"}, r"like.*zen\.spamhaus\.org"),
    ({"zone": "bl.example", "symbol": "BL", "points": float("nan")}, "points"),
    ({"zone": "bl.example", "codes": {"127.0.0.2": "x"}}, r"codes\.127\.0\.0\.2"),
    ({"zone": "wl.example", "ask": ("url",), "symbol": "WL", "points": -1.0}, "sender's own word"),
    ({"zone": "list.dnswl.org", "ask": ("received",)}, "sender's own word"),
    ({"zone": "wl.example", "ask": ("helo",), "codes": {"127.0.0.2": "WL 1 allow"}}, "own word"),
]


@pytest.mark.parametrize(("values", "text"), WRONG)
def test_what_must_not_be(values: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DnsList(**values)  # type: ignore[arg-type]


def test_settings_as_a_whole() -> None:
    with pytest.raises(ValueError, match=r"reject\[1\].*expected one of .*RCVD_IN_SBL"):
        DnsListsSettings((DnsList("zen.spamhaus.org"),), reject=("RCVD_IN_SBX",))
    DnsListsSettings((DnsList("zen.spamhaus.org"),), reject=("RCVD_IN_SBL",))
    with pytest.raises(ValueError, match="scores"):
        DnsListsSettings(scores={"RCVD_IN_SBL": float("inf")})
    with pytest.raises(ValueError, match=r'expected "w3\.org"'):
        DnsListsSettings(exempt_domains=(".w3.org",))
