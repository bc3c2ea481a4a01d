"""Where the DNS sends the mail of a domain (RFC 5321 §5.1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from filterd.mta.delivery import relay
from filterd.mta.delivery.router import DeliveryError
from filterd.resolver.resolver import Resolver
from filterd.resolver.settings import ResolverSettings
from tests.helpers.name_server import Question, name_server, zone

pytestmark = pytest.mark.server

ZONE = zone(
    "example 60 MX 20 backup.example.",
    "example 60 MX 10 Mail.example.",
    "host.example 60 A 192.0.2.1",
    "null.example 60 MX 0 .",
)


def say(question: Question) -> bytes | None:
    if question.name == "broken.example":
        return question.answer(rcode="SERVFAIL")
    return ZONE(question)


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with name_server(say) as server:
        made = Resolver(ResolverSettings(nameservers=(server.address,)))
        monkeypatch.setattr(relay, "system_resolver", lambda: made)
        yield
        made.close()


def test_hosts_by_preference() -> None:
    assert relay.mail_exchangers("example") == ["mail.example", "backup.example"]


def test_a_host_without_mx_records_is_its_own() -> None:
    assert relay.mail_exchangers("host.example") == ["host.example"]


@pytest.mark.parametrize(
    ("domain", "text", "code", "temporary"),
    [
        ("nobody.example", "Host unknown (nobody.example)", "5.1.2", False),
        ("a..b", "Host unknown (a..b)", "5.1.2", False),
        ("null.example", "null.example accepts no mail (null MX)", "5.1.10", False),
        ("broken.example", "name server: broken.example: servfail", "4.4.3", True),
    ],
)
def test_no_host(domain: str, text: str, code: str, temporary: bool) -> None:
    with pytest.raises(DeliveryError) as caught:
        relay.mail_exchangers(domain)
    error = caught.value
    assert (str(error), error.code, error.temporary) == (text, code, temporary)
