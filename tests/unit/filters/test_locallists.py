"""Local lists: what entries fit, which of them decide for whom, and when changes count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from filterd.chain.stages import Session, Stage
from filterd.chain.verdict import NO_OPINION, Action, RecipientAction, Verdict
from filterd.filters.locallists.entries import read
from filterd.filters.locallists.filter import LocalLists
from filterd.filters.locallists.settings import Fact, LocalList, LocalListsSettings
from filterd.filters.senders.list import ListEntryError
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import Authentication, AuthResult, DmarcCheck, SpfCheck
from filterd.system.mistakes import SettingsError


def mail(
    *recipients: str,
    client: str = "203.0.113.9",
    name: str = "pc.isp.example",
    helo: str = "helo.example",
    sender: str = "ann@a.example",
    head: str = "",
    text: str = "",
) -> Message:
    envelope = Envelope(
        sender,
        tuple(map(Recipient, recipients or ("joe@mx.example",))),
        Client(name, client, 1025, helo),
    )
    return Message(f"{head}Content-Type: text/html\r\n\r\n{text}".encode(), envelope, "id1")


def lists(
    folder: Path, *files: tuple[Fact, str, dict[str, object]], early: bool = False
) -> LocalLists:
    """The filter, with these files: what they are about, their text, other settings."""
    own = []
    for number, (about, text, settings) in enumerate(files):
        path = folder / f"{number}.list"
        path.write_text(text)
        own.append(LocalList(path, about, **settings))  # type: ignore[arg-type]
    made = LocalListsSettings(tuple(own), early).build()
    assert isinstance(made, LocalLists)
    made.prepare()
    return made


def points(verdict: Verdict) -> dict[str, float]:
    return {symbol.name: symbol.score for symbol in verdict.symbols}


HEAD = 'From: "Ann" <ann@From.example>\r\nSubject: =?utf-8?q?Big_LOTTERY_=C3=A9?=\r\n'
TEXT = '<a href="https://www.shop.example/buy?id=77">x</a> http://www.shop.example/to.zip'

ENTRIES: list[tuple[Fact, str, bool]] = [
    ("client", "203.0.113.9", True),
    ("client", "203.0.113.0/24", True),
    ("client", "203.0.113.77/24", True),
    ("client", "0.0.0.0/0", True),
    ("client", "203.0.113.8", False),
    ("client", "::ffff:203.0.113.9", True),
    ("client", "2001:db8::/32", False),
    ("client", r"/^203\.0\.113\./", True),
    ("rdns", "isp.example", False),
    ("rdns", ".isp.example", True),
    ("rdns", "pc.isp.example", True),
    ("rdns", "/^pc[.]/", True),
    ("rdns", "/^PC[.]/ for mx.example", True),
    ("helo", "helo.example", True),
    ("helo", "lo.example", False),
    ("sender", "ann@a.example", True),
    ("sender", "a.example", True),
    ("sender", ".example", True),
    ("sender", "bob@a.example", False),
    ("sender", "<>", False),
    ("recipient", "joe@mx.example", True),
    ("recipient", "sue@mx.example", False),
    ("from", "from.example", True),
    ("from", "ann@from.example", True),
    ("from", "a.example", False),
    ("subject", "/lottery é/", True),
    ("subject", "/lottery$/", False),
    ("subject", "/lottery é/  # not /this/ nor /that/ ", True),
    ("url", "www.shop.example", True),
    ("url", ".shop.example", True),
    ("url", "shop.example", False),
    ("url", ".zip", False),
    ("url", "/[.]zip/", True),
    ("url", "/[?]id=[0-9]+$/", True),
]


@pytest.mark.parametrize(("about", "line", "fits"), ENTRIES)
def test_entries(tmp_path: Path, about: Fact, line: str, fits: bool) -> None:
    found = lists(tmp_path, (about, f"# a comment\n\n{line}   # why\n", {}))
    verdict = found.examine(mail(head=HEAD, text=TEXT))
    assert points(verdict) == ({f"LOCAL_BLOCKED_{about.upper()}": 5.0} if fits else {})


def test_the_null_sender(tmp_path: Path) -> None:
    found = lists(tmp_path, ("sender", "<>\n", {"points": 1.0}))
    assert points(found.examine(mail(sender=""))) == {"LOCAL_BLOCKED_SENDER": 1.0}
    assert found.examine(mail()) is NO_OPINION


def test_smtputf8_and_a_labels_are_one(tmp_path: Path) -> None:
    found = lists(
        tmp_path, ("sender", "müller.example\n", {}), ("helo", "xn--mller-kva.example", {})
    )
    told = found.examine(mail(sender="jü@xn--mller-kva.example", helo="müller.example"))
    assert set(points(told)) == {"LOCAL_BLOCKED_SENDER", "LOCAL_BLOCKED_HELO"}


BLOCK = "203.0.113.0/24"

LEVELS = {
    "nothing else": ("", "", {"BLOCKED": 5.0}, Action.REJECT),
    "allowed on the same level": (
        "",
        "a.example",
        {"ALLOWED": -5.0, "BLOCKED": 0.0},
        Action.ACCEPT,
    ),
    "allowed for the domain": (
        "",
        "a.example for mx.example",
        {"ALLOWED": -5.0, "BLOCKED": 0.0},
        Action.ACCEPT,
    ),
    "allowed for the user": (
        " for mx.example",
        "a.example for joe@mx.example",
        {"ALLOWED": -5.0, "BLOCKED": 0.0},
        Action.ACCEPT,
    ),
    "blocked for the user": (
        " for joe@mx.example",
        "a.example for mx.example",
        {"BLOCKED": 5.0, "ALLOWED": 0.0},
        Action.REJECT,
    ),
    "blocked for the domain": (
        " for mx.example",
        "a.example",
        {"BLOCKED": 5.0, "ALLOWED": 0.0},
        Action.REJECT,
    ),
    "allowed for somebody else": (
        "",
        "a.example for sue@mx.example",
        {"BLOCKED": 5.0},
        Action.REJECT,
    ),
    "blocked for somebody else": (" for sue@mx.example", "", {}, Action.ACCEPT),
}


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(("blocked", "allowed", "symbols", "action"), LEVELS.values(), ids=LEVELS)
def test_levels(
    tmp_path: Path,
    blocked: str,
    allowed: str,
    symbols: dict[str, float],
    action: Action,
    early: bool,
) -> None:
    """User before domain before all; on one level allow before block."""
    found = lists(
        tmp_path,
        ("client", BLOCK + blocked, {"symbol": "BLOCKED", "action": "reject"}),
        ("sender", allowed, {"kind": "allow", "symbol": "ALLOWED"}),
        early=early,
    )
    message = mail()
    if early:
        session = Session("s1", Stage.RECIPIENT, message.envelope)
        verdict = found.recipient(session, Recipient("joe@mx.example"))
        assert (points(verdict), verdict.action) == (symbols, action)
        assert found.examine(message) is NO_OPINION
        return
    verdict = found.examine(message)
    assert points(verdict) == symbols
    assert max((one.action for one in verdict.apart), default=Action.ACCEPT) is action


def test_the_detail_says_where_and_at_what_level(tmp_path: Path) -> None:
    found = lists(
        tmp_path,
        ("client", f"# ours\n{BLOCK}\n", {"symbol": "BLOCKED"}),
        ("sender", "a.example for joe@mx.example", {"kind": "allow", "symbol": "ALLOWED"}),
    )
    details = {one.name: one.detail for one in found.examine(mail()).symbols}
    assert details == {
        "ALLOWED": "ann@a.example in 1.list:1, user level",
        "BLOCKED": "203.0.113.9 in 0.list:2, global level; ALLOWED outweighs it (+5 points)",
    }


def test_recipients_of_one_message(tmp_path: Path) -> None:
    """Points count where they are the same for all; an action is each recipient's own."""
    found = lists(
        tmp_path,
        ("client", f"{BLOCK} for joe@mx.example\n", {"action": "quarantine"}),
        ("sender", "a.example\n", {"points": 2.0}),
    )
    verdict = found.examine(mail("joe@mx.example", "sue@mx.example"))
    assert points(verdict) == {"LOCAL_BLOCKED_CLIENT": 0.0, "LOCAL_BLOCKED_SENDER": 0.0}
    assert verdict.apart == (
        RecipientAction("joe@mx.example", Action.QUARANTINE, "LOCAL_BLOCKED_CLIENT"),
    )
    assert points(found.examine(mail("sue@mx.example"))) == {"LOCAL_BLOCKED_SENDER": 2.0}


def test_the_most_points_of_a_symbol_count(tmp_path: Path) -> None:
    two = [("sender", "a.example\n", {"points": most}) for most in (8.0, 2.0)]
    found = lists(tmp_path, *two)  # type: ignore[arg-type]
    assert points(found.examine(mail())) == {"LOCAL_BLOCKED_SENDER": 8.0}


def test_an_action_has_the_symbol_that_forces_it(tmp_path: Path) -> None:
    found = lists(
        tmp_path,
        ("client", BLOCK, {}),
        ("sender", "a.example\n", {"action": "quarantine"}),
        ("helo", "helo.example\n", {"action": "reject"}),
    )
    assert found.examine(mail()).apart == (
        RecipientAction("joe@mx.example", Action.REJECT, "LOCAL_BLOCKED_HELO"),
    )


@pytest.mark.slow
def test_ten_thousand_urls_have_a_short_detail(tmp_path: Path) -> None:
    """The last counts like the first, and an entry is told once, however many fit it."""
    entries = "".join(f".h{n}.example\n" for n in range(9990, 10_000))
    found = lists(tmp_path, ("url", f"{entries}/^http:/\n.other.example\n", {}))
    text = "".join(f"http://www.h{n}.example/\n" for n in range(10_000))
    (symbol,) = found.examine(mail(text=text)).symbols
    assert symbol.detail.count(" in 0.list:") == 5
    assert symbol.detail.endswith("; and 6 more")


def test_stages(tmp_path: Path) -> None:
    assert lists(tmp_path, ("client", BLOCK, {})).stages == frozenset()
    assert lists(tmp_path, ("client", BLOCK, {}), early=True).stages == {Stage.RECIPIENT}
    assert lists(tmp_path, ("subject", "/x/", {}), early=True).stages == frozenset()


def test_early_leaves_the_message_its_own_lists(tmp_path: Path) -> None:
    found = lists(tmp_path, ("client", BLOCK, {}), ("subject", "/lottery/", {}), early=True)
    assert points(found.examine(mail(head=HEAD))) == {"LOCAL_BLOCKED_SUBJECT": 5.0}


def test_a_change_counts_with_the_next_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found, file = lists(tmp_path, ("client", BLOCK, {})), tmp_path / "0.list"
    assert points(found.examine(mail()))
    file.write_text("198.51.100.0/24\n")
    assert found.examine(mail()) is NO_OPINION
    file.write_text("198.51.100.0/24\n203.0.113.\n")
    for _ in range(2):
        assert points(found.examine(mail(client="198.51.100.1")))
    assert caplog.text.count("0.list:2: '203.0.113.' is not a network") == 1
    file.unlink()
    assert found.examine(mail(client="198.51.100.1")) is NO_OPINION
    file.write_text(f"{BLOCK}\n")
    assert points(found.examine(mail()))


WRONG: list[tuple[Fact, str, str]] = [
    ("client", "203.0.113.0/33", "is not a network"),
    ("client", "mx.example", "is not a network"),
    ("client", "local", "is not a network"),
    ("helo", "ann@a.example", "is not a domain"),
    ("helo", "*.a.example", 'written ".a.example"'),
    ("sender", "a,b", "several addresses"),
    ("subject", "lottery", "expected a regular expression"),
    ("sender", "a.example for", "is not an entry"),
    ("sender", "a.example to b.example", "is not an entry"),
    ("sender", "a.example for x@y@z", "is not an address"),
    ("subject", "/(/", "is not a regular expression of RE2"),
    ("subject", "/(?=x)/", "is not a regular expression of RE2"),
    ("subject", "/x", "expected a regular expression"),
    ("subject", f"/{'x' * 1001}/", "more than 1000 characters"),
    ("subject", "/x{1000}{1000}/", "is not a regular expression of RE2"),
]


@pytest.mark.parametrize(("about", "line", "text"), WRONG)
def test_what_is_not_an_entry(tmp_path: Path, about: Fact, line: str, text: str) -> None:
    path = tmp_path / "x.list"
    path.write_text(f"# first\n{line}\n")
    with pytest.raises(ListEntryError, match=r"x\.list:2: ") as error:
        read(path, about)
    assert text in str(error.value)


@pytest.mark.slow
def test_expressions_that_are_too_large_together(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The former list stays; at start and in `filterd check` it is an error."""
    found, file = lists(tmp_path, ("subject", "/lottery/", {})), tmp_path / "0.list"
    file.write_text("".join(f"/{n}(a|b|[^c]){{1,30}}x.{{20}}/\n" for n in range(1000)))
    with pytest.raises(
        ListEntryError, match=r"0\.list: its regular expressions are too large together"
    ):
        read(file, "subject")
    assert points(found.examine(mail(head=HEAD))) == {"LOCAL_BLOCKED_SUBJECT": 5.0}
    assert "are too large together" in caplog.text


def test_no_expression_takes_for_ever(tmp_path: Path) -> None:
    """With Python's own this one would not end."""
    found = lists(tmp_path, ("subject", "/^(a+)+$/\n/(x+x+)+y/\n", {}))
    assert found.examine(mail(head=f"Subject: {'a' * 2000}!\r\n")) is NO_OPINION
    assert found.examine(mail(head=f"Subject: {'x' * 2000}\r\n")) is NO_OPINION


def test_octets_of_no_charset(tmp_path: Path) -> None:
    found = lists(tmp_path, ("sender", "/^j.*@a/\n", {}), ("helo", "/x/", {}))
    told = found.examine(mail(sender="j\udcc3\udcff@a.example", helo="\udcff"))
    assert points(told) == {"LOCAL_BLOCKED_SENDER": 5.0}


@pytest.mark.slow
def test_a_long_list_costs_few_looks(tmp_path: Path) -> None:
    """One for each size of network that there is, however many networks."""
    text = "".join(f"10.{n >> 8 & 255}.{n & 255}.0/24\n" for n in range(65536))
    found = lists(tmp_path, ("client", text, {}))
    assert len(found._files[0]._lookup._networks) == 1
    assert points(found.examine(mail(client="10.200.3.4")))
    assert found.examine(mail()) is NO_OPINION


SETTINGS = [
    ({"kind": "allow", "points": 1.0}, "above 0, but the list allows"),
    ({"kind": "block", "points": -1.0}, "below 0, but the list blocks"),
    ({"kind": "allow", "action": "reject"}, "is for lists that block"),
    ({"symbol": "x"}, "is not a symbol"),
    ({"points": float("nan")}, "is not a number"),
]


@pytest.mark.parametrize(("values", "text"), SETTINGS)
def test_settings_that_must_not_be(values: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        LocalList(Path("x"), "client", **values)  # type: ignore[arg-type]


PROVEN = Authentication(
    SpfCheck(AuthResult.PASS, "a.example"),
    dmarc=DmarcCheck(AuthResult.PASS, "from.example", dkim_aligned=True),
)
FORGED = Authentication(
    SpfCheck(AuthResult.FAIL, "a.example"), dmarc=DmarcCheck(AuthResult.FAIL, "from.example")
)


@pytest.mark.parametrize(
    ("about", "text", "known", "counts"),
    [
        ("sender", "ann@a.example", PROVEN, True),
        ("sender", "ann@a.example", FORGED, False),
        ("sender", "ann@a.example", None, False),
        ("sender", "<>", PROVEN, False),
        ("from", "from.example", PROVEN, True),
        ("from", "from.example", FORGED, False),
        ("from", "from.example", None, False),
    ],
)
def test_an_allow_list_may_demand_proof(
    tmp_path: Path, about: Fact, text: str, known: Authentication | None, counts: bool
) -> None:
    made = lists(tmp_path, (about, f"{text}\n", {"kind": "allow", "proven": True}))
    message = mail(head=HEAD, sender="" if text == "<>" else "ann@a.example")
    message.authentication = known
    assert bool(points(made.examine(message))) is counts
    # Without the setting it counts as ever.
    made = lists(tmp_path, (about, f"{text}\n", {"kind": "allow"}))
    assert points(made.examine(message))


@pytest.mark.parametrize(
    ("settings", "early", "why"),
    [
        ({"about": "sender", "kind": "block"}, False, "is for allow lists about sender or from"),
        ({"about": "client", "kind": "allow"}, False, "is for allow lists about sender or from"),
        ({"about": "sender", "kind": "allow"}, True, "at RCPT nothing is proven yet"),
    ],
)
def test_where_no_proof_can_be_demanded(settings: dict[str, Any], early: bool, why: str) -> None:
    with pytest.raises((ValueError, SettingsError), match=why):
        LocalListsSettings((LocalList(Path("x"), proven=True, **settings),), early)
    LocalListsSettings((LocalList(Path("x"), "from", "allow", proven=True),), early=True)
