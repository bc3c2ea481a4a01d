"""RelayEval, as a table: Received fields, a test, and whether it hits."""

from __future__ import annotations

import pytest

from filterd.message.message import Message
from filterd.rules.evals.relay_eval import PLUGIN
from filterd.rules.view.view import View


def view(*received: tuple[str, str, str, str]) -> View:
    lines = [
        f"Received: from {helo} ({rdns} [{ip}]) by {by} (Postfix) with SMTP id 4F00"
        for helo, rdns, ip, by in received
    ]
    return View(Message("\n".join([*lines, "", ""]).encode()))


GOOD = ("a.example.com", "a.example.com", "192.0.2.7", "mx.example.net")
INSIDE = ("a.example.com", "unknown", "10.0.0.1", "mx.example.net")

CASES = {
    "numeric HELO": ("check_for_numeric_helo", [("192.0.2.9", *GOOD[1:])], [GOOD]),
    "numeric HELO of a private network": (
        *("check_for_numeric_helo", [("192.0.2.9", *GOOD[1:])]),
        [("10.0.0.9", *GOOD[1:])],
    ),
    "HELO and address": (
        *("helo_ip_mismatch", [("198.51.100.1", *GOOD[1:])]),
        [("192.0.2.200", *GOOD[1:])],
    ),
    "all trusted": ("check_all_trusted", [INSIDE], [INSIDE, GOOD]),
    "no relays": ("check_no_relays", [], [GOOD]),
    "no name, but a big provider's HELO": (
        *("check_for_no_rdns_dotcom_helo", [("x.hotmail.com", "unknown", *GOOD[2:])]),
        [("x.hotmail.com", *GOOD[1:])],
    ),
    "sender with a name": ("check_for_sender_no_reverse", [GOOD], [("a", "unknown", *GOOD[2:])]),
    "a trail that does not hold": (
        "check_for_forged_received_trail",
        [GOOD, (*GOOD[:3], "x.example.org"), (*GOOD[:3], "y.example.org")],
        [GOOD, (*GOOD[:3], "b.example.com")],
    ),
    "HELO of another network": (
        *("check_for_forged_received_ip_helo", [("198.51.100.1", *GOOD[1:])]),
        [("192.0.100.1", *GOOD[1:])],
    ),
}


@pytest.mark.parametrize(("name", "hit", "miss"), CASES.values(), ids=CASES)
def test_it_hits_and_does_not(
    name: str, hit: list[tuple[str, str, str, str]], miss: list[tuple[str, str, str, str]]
) -> None:
    assert PLUGIN.tests[name](view(*hit))
    assert not PLUGIN.tests[name](view(*miss))


def test_forms_that_are_not_known() -> None:
    odd = View(Message(b"Received: from nowhere\n\n"))
    assert PLUGIN.tests["check_relays_unparseable"](odd)
    assert not PLUGIN.tests["check_no_relays"](odd)
