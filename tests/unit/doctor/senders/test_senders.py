"""The doctor asks a real name server about the site's own domains."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from filterd.chain.headers import LabelSettings
from filterd.config.doctor import DoctorSettings
from filterd.config.load import Settings, load
from filterd.doctor.findings import Level
from filterd.doctor.senders import DOMAINS_LIMIT, keys_of, own_domains, senders
from filterd.doctor.senders.https import FetchError, HttpsAnswer
from filterd.resolver.settings import ResolverSettings
from filterd.system.mistakes import SettingsError
from tests.helpers.commands import filterd
from tests.helpers.name_server import Question, name_server, zone

pytestmark = pytest.mark.server

RECORDS = (
    "mx.a.example 60 A 8.8.4.4",
    "4.4.8.8.in-addr.arpa 60 PTR mx.a.example.",
    "a.example 60 MX 10 mx.a.example.",
    'a.example 60 TXT "v=spf1 mx -all"',
    '_dmarc.a.example 60 TXT "v=DMARC1; p=quarantine; rua=mailto:d@a.example"',
    '_mta-sts.a.example 60 TXT "v=STSv1; id=1"',
    "mta-sts.a.example 60 A 192.0.2.1",
    "xn--mller-kva.example 60 A 192.0.2.1",
)


def nobody(_host: str, _address: str, _seconds: float) -> HttpsAnswer:
    raise FetchError("Connection refused")


def settings(server: str, *domains: str, **more: object) -> Settings:
    return Settings(
        resolver=ResolverSettings(nameservers=(server,) if server else ()),
        labels=LabelSettings(hostname="mx.a.example"),
        doctor=DoctorSettings(domains=domains, **more),  # type: ignore[arg-type]
    )


def test_all_of_a_domain() -> None:
    with name_server(zone(*RECORDS)) as server:
        found = list(senders(settings(server.address, "A.example."), get=nobody))
    assert [(one.level.value, one.about) for one in found] == [
        ("OK", "outgoing"),
        ("OK", "outgoing"),
        ("OK", "spf"),
        ("OK", "spf"),
        ("WARN", "dkim"),
        ("OK", "dmarc"),
        ("OK", "dmarc"),
        ("OK", "dmarc"),
        ("FAIL", "mta-sts"),
        ("WARN", "tlsrpt"),
        ("OK", "bulk mail"),
    ]
    assert found[0].found == "8.8.4.4 is mx.a.example, and mx.a.example is 8.8.4.4"
    assert found[2].found == "a.example lets 8.8.4.4 send (mx)"


def test_domains_that_are_named_count_in_place_of_those_of_the_settings() -> None:
    with name_server(zone(*RECORDS)) as server:
        given = settings(server.address, "a.example", addresses=("8.8.8.8",))
        found = list(senders(given, ["müller.example"], ["s1"], nobody))
    texts = [one.found for one in found]
    assert "8.8.8.8 has no PTR record; Gmail, Yahoo and Microsoft refuse mail from there" in texts
    assert "s1._domainkey.xn--mller-kva.example: there is no key record" in texts
    assert not any(text.startswith(("a.example ", "_dmarc.a.example ")) for text in texts)


def test_nothing_is_asked_unless_domains_are_named() -> None:
    with name_server(zone(*RECORDS)) as server:
        assert list(senders(settings(server.address))) == []
        assert not server.asked


def test_a_name_server_that_says_nothing() -> None:
    def silent(_question: Question) -> None:
        return None

    with name_server(silent) as server:
        given = settings(server.address, "a.example", addresses=("8.8.4.4",), seconds=0.3)
        found = list(senders(given, get=nobody))
    assert not any(one.level is Level.FAIL for one in found)
    unknown = {one.about for one in found if one.level is Level.WARN}
    assert unknown == {"outgoing", "spf", "dkim", "dmarc", "mta-sts", "tlsrpt"}


def test_the_keys_that_sign(tmp_path: Path) -> None:
    file = tmp_path / "filterd.toml"
    key = "[[filters.sign.keys]]\nfile = 'k'\n"
    file.write_text(
        "[chain]\nfilters = ['sign']\n[doctor]\ndomains = ['b.example']\nselectors = ['d1']\n"
        f"{key}domain = 'A.example'\nselector = 's1'\nsubdomains = true\n"
        f"{key}domain = 'a.example'\nselector = 's0'\nuntil = 2020-01-01\n"
        f"{key}domain = 'c.example'\nselector = 's2'\n"
    )
    given = load(file)
    assert own_domains(given) == ["b.example", "a.example", "c.example"]
    assert keys_of(given, "a.example", []) == [("a.example", "d1"), ("a.example", "s1")]
    below = keys_of(given, "news.a.example", ["x"])
    assert below == [
        ("news.a.example", "x"),
        ("news.a.example", "d1"),
        ("a.example", "s1"),
    ]
    assert keys_of(given, "nota.example", []) == [("nota.example", "d1")]


def test_of_very_many_domains_the_first_are_looked_at() -> None:
    many = [f"d{number}.example" for number in range(DOMAINS_LIMIT + 1)]
    with name_server(zone(*RECORDS)) as server:
        found = list(senders(settings(server.address, *many), get=nobody))
    assert found[0].found == "only the first 100 of 101 domains are looked at"
    assert {one.found for one in found if one.about == "dmarc"} == {
        f"{name} has no DMARC record, which Gmail, Yahoo and Microsoft ask of bulk senders"
        for name in many[:DOMAINS_LIMIT]
    }


def test_domains_are_looked_at_side_by_side() -> None:
    """The name servers of some may be silent, and each may take its 30 seconds."""
    names = [f"d{number}.example" for number in range(5)]
    lines = [
        line
        for name in names
        for line in (f'_mta-sts.{name} 60 TXT "v=STSv1; id=1"', f"mta-sts.{name} 60 A 192.0.2.1")
    ]
    all_are_here = threading.Barrier(len(names))

    def get(host: str, _address: str, _seconds: float) -> HttpsAnswer:
        all_are_here.wait(60)
        raise FetchError(f"{host} refuses")

    with name_server(zone(*RECORDS, *lines)) as server:
        found = list(senders(settings(server.address, *names), get=get))
    told = [one.found for one in found if "refuses" in one.found]
    assert told == [
        f"https://mta-sts.{name}/.well-known/mta-sts.txt: mta-sts.{name} refuses" for name in names
    ]


def test_without_a_resolver() -> None:
    given = Settings(
        resolver=ResolverSettings(enabled=False), doctor=DoctorSettings(domains=("a.example",))
    )
    (found,) = senders(given)
    assert (found.level, found.about) == (Level.WARN, "resolver")


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(SettingsError, match=r"mx\.example"):
        DoctorSettings(domains=("a b",), addresses=("mx.a.example",), selectors=("",))


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "filterd.toml"
    with name_server(zone(*RECORDS[:5])) as server:
        file.write_text(
            f'[resolver]\nnameservers = ["{server.address}"]\n[labels]\nhostname = "mx.a.example"\n'
        )
        words = ("doctor", "--domain", "a.example", "--selector", "s1", "-c", file)
        status, out, _ = filterd(monkeypatch, capsys, *words)
    assert status == 69
    assert "OK    spf: a.example lets 8.8.4.4 send (mx)\n" in out
    assert "FAIL  dkim: s1._domainkey.a.example: there is no key record\n        → publish" in out
    status, _, error = filterd(monkeypatch, capsys, "doctor", "--domain", "x@y", "-c", file)
    assert (status, 'expected "y"' in error) == (64, True)
