"""What honest ways do to mail of a domain with p=reject: a table that docs/filters/auth.md has."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.chain.verdict import Action
from filterd.message import Message
from tests.helpers.authentication import (
    LINES,
    OTHER,
    OWN,
    auth,
    key_line,
    mail,
    points,
    verdict,
)
from tests.helpers.dkim import signed, signing_key
from tests.helpers.name_server import name_server, zone

pytestmark = pytest.mark.server

KEY = signing_key("ed25519-sha256", "bank.example", "mail")
LIST_KEY = signing_key("ed25519-sha256", "list.example", "l")
ANN = "ann@bank.example"
LIST = "List-Id: <l.list.example>\r\n"
DATED = "Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n"


def sent(
    sender: str = ANN,
    client: str = OTHER,
    *,
    by_ann: bool = True,
    by_list: bool = False,
    author: str = ANN,
    change: Callable[[bytes], bytes] = lambda data: data,
) -> Message:
    """Mail as it arrives: signed where it was written, changed on its way, signed there."""
    message = mail(author, sender=sender, client=client, fields=DATED)
    data = signed(bytes(message.data), KEY) if by_ann else bytes(message.data)
    data = change(data)
    if by_list:
        data = signed(data, LIST_KEY)
    return Message(data, message.envelope, "id1")


def listed(data: bytes) -> bytes:
    return LIST.encode() + data


def tagged(data: bytes) -> bytes:
    return listed(data).replace(b"Subject: hi", b"Subject: [l] hi")


WAYS = {
    "from its own host": sent(client=OWN),
    "from its own host, not signed": sent(client=OWN, by_ann=False),
    "forwarded as it is": sent(),
    "forwarded with a rewritten sender (SRS)": sent("SRS0=x=bank.example=ann@list.example"),
    "forwarded, not signed": sent(by_ann=False),
    "a list that changes nothing": sent("l@list.example", change=listed),
    "a list that tags the Subject": sent("l@list.example", change=tagged),
    "a list that tags, and signs in its own name": sent(
        "l@list.example", change=tagged, by_list=True
    ),
    "a list that puts itself into From": sent(
        "l@list.example", author="l@list.example", by_ann=False, change=tagged, by_list=True
    ),
    "a service that sends in its name and signs for it": sent("b@service.example"),
    "forged": sent("x@evil.example", by_ann=False),
}

PAGE = Path(__file__).parents[3] / "docs" / "filters" / "auth.md"

ROWS = {
    cells[0].strip(): [cell.strip() for cell in cells[1:]]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if len(cells := line.strip("|").split("|")) == 5 and "`DMARC_" in cells[3]
}


def test_the_page_has_every_way() -> None:
    assert ROWS.keys() == WAYS.keys()


@pytest.mark.parametrize("way", WAYS)
def test_what_the_page_says_is_what_happens(way: str) -> None:
    lines = (*LINES, key_line(KEY), key_line(LIST_KEY))
    with name_server(zone(*lines)) as server, auth(server.address) as checks:
        told = verdict(checks, WAYS[way])
        found = points(told)
        spf, dkim, dmarc, what = ROWS[way]
        for cell in (spf, dkim, dmarc):
            assert all(name in found for name in re.findall(r"`(\w+)`", cell)), found
        assert dkim or not any(name.startswith("DKIM") for name in found)
        held = what.startswith(("**held**", "the same"))
        assert told.action is (Action.QUARANTINE if held else Action.ACCEPT)


@pytest.mark.parametrize(
    ("way", "settings"),
    [
        ("forwarded, not signed", {"forwarders": (f"{OTHER}/32",)}),
        ("a list that tags the Subject", {"mailing_lists": ("list.example",)}),
        ("a list that tags, and signs in its own name", {"mailing_lists": ("list.example",)}),
    ],
)
def test_what_is_held_is_delivered_with_the_setting_that_the_page_names(
    way: str, settings: dict[str, tuple[str, ...]]
) -> None:
    lines = (*LINES, key_line(KEY), key_line(LIST_KEY))
    with name_server(zone(*lines)) as server, auth(server.address, **settings) as checks:
        assert verdict(checks, WAYS[way]).action is Action.ACCEPT
        assert verdict(checks, WAYS["forged"]).action is (
            # A host that forwards is believed whatever it hands over.
            Action.ACCEPT if "forwarders" in settings else Action.QUARANTINE
        )
