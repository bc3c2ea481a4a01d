"""What sendmail and Postfix do not have in common, and that nothing else asks which one it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import filterd.mta
from filterd.mta.delivery.builtin import BuiltInRouter
from filterd.mta.flavours import personality
from filterd.mta.mail.address import Route
from filterd.mta.mail.peer import Peer
from filterd.mta.milters.macros import ClientConnection
from filterd.mta.milters.settings import InputMailFilter
from filterd.mta.sendmail.cf_files import parse_cf
from filterd.mta.sendmail.personality import sendmail
from filterd.mta.sendmail.site import site
from filterd.mta.settings import Flavour, MtaSettings

pytestmark = pytest.mark.slow

FLAVOURS: tuple[Flavour, ...] = ("sendmail", "postfix")
SENDMAIL, POSTFIX = (MtaSettings(flavour=flavour) for flavour in FLAVOURS)
FILTER = InputMailFilter("f1", "unix:/f1", "T", default_action="accept")


@pytest.mark.parametrize(
    ("forbidden", "size", "announced"),
    [
        ((), 100, "ENHANCEDSTATUSCODES PIPELINING EXPN VERB 8BITMIME SIZE 100 DSN ETRN"),
        (("noetrn",), 0, "ENHANCEDSTATUSCODES PIPELINING EXPN VERB 8BITMIME SIZE DSN"),
        (("noexpn",), 0, "ENHANCEDSTATUSCODES PIPELINING 8BITMIME SIZE DSN ETRN"),
        (("noverb", "noreceipts"), 0, "ENHANCEDSTATUSCODES PIPELINING EXPN 8BITMIME SIZE ETRN"),
    ],
)
def test_sendmail_announces_what_no_privacy_flag_forbids(
    forbidden: tuple[str, ...], size: int, announced: str
) -> None:
    made = sendmail(MtaSettings(), size_limit=size)
    found = made.announced(frozenset(forbidden))
    assert " ".join(found) == f"{announced} AUTH STARTTLS DELIVERBY HELP"


@pytest.mark.parametrize(
    ("option", "announced"),
    [("", "DELIVERBY"), ("=0", "DELIVERBY"), ("=2m", "DELIVERBY 120"), ("=-1", "")],
)
def test_deliverby_says_the_shortest_time(tmp_path: Path, option: str, announced: str) -> None:
    text = "V10\nDjmx.test\n" + (f"O DeliverByMin{option}\n" if option else "")
    made = site(parse_cf(text), spool=tmp_path).personality()
    found = [one for one in made.extensions if one.startswith("DELIVERBY")]
    assert "".join(found) == announced


def test_a_sendmail_cf_has_its_own_size_greeting_and_version(tmp_path: Path) -> None:
    text = "V10\nDjmx.test\nDZours\nO MaxMessageSize=%s\nO SmtpGreetingMessage=$j $Z $v; $b\n"
    sized, unsized = (
        site(parse_cf(text % size), spool=tmp_path).personality() for size in ("5000", "")
    )
    assert "SIZE 5000" in sized.extensions
    assert "SIZE" in unsized.extensions
    assert sized.replies.greeting("now").lines == (b"220 mx.test ESMTP ours 8.17.1.9; now",)
    connection = ClientConnection("MTA", Peer("client.test", "192.0.2.1", 4000), ("192.0.2.9", 25))
    assert sized.macros(connection).now["Z"] == "ours"


def test_filters_are_shown_a_recipients_route_by_sendmail_and_a_virtual_one_by_postfix() -> None:
    real = Route("local", "", "joe")
    assert personality(SENDMAIL).filter_route("Joe", real) == real
    assert personality(POSTFIX).filter_route("Joe", real) == Route(
        "virtual", "mx.example.test", "joe@mx.example.test"
    )


def test_vrfy_and_expn() -> None:
    router = BuiltInRouter(MtaSettings(local_domains=("x.test",)))
    verify = personality(SENDMAIL).verify
    assert verify(router, "<Joe+list>", False).lines == (b"250 2.1.5 <joe@mx.example.test>",)
    assert verify(router, "joe@x.test", True).lines == (b"250 2.1.5 <joe@x.test>",)
    assert verify(router, "joe@else.test", False).code == 550
    assert personality(POSTFIX).verify(router, "<joe@else.test>", False).lines == (
        b"252 2.0.0 joe@else.test",
    )


def test_what_a_failing_filter_means() -> None:
    assert personality(SENDMAIL).on_failure(FILTER) == {
        "flags": "T",
        "on_failure": "451, try again",
        "connect": 300.0,
        "write": 10.0,
        "read": 10.0,
        "eom": 300.0,
    }
    assert personality(POSTFIX).on_failure(FILTER) == {
        "on_failure": "accept",
        "connect": 30.0,
        "command": 30.0,
        "content": 300.0,
    }


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_queue_ids_differ(flavour: Flavour) -> None:
    new = personality(MtaSettings(flavour=flavour)).queue_id
    assert len({new() for _ in range(100)}) == 100


def test_only_the_choice_itself_asks_for_the_flavour() -> None:
    root = Path(filterd.mta.__file__).parent.parent
    asking = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "flavour"
    }
    # `Source` passes the option on.
    assert asking == {"mta/flavours.py", "cli/mta_run.py"}
