"""`filterd dkim`: a key is made, and what the DNS says of it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from filterd.auth.dkim.record import key_name
from filterd.auth.dkim.signing import SigningKey
from filterd.config.load import load
from filterd.filters.sign.keys import KeyRing, read_key, write_key
from filterd.filters.sign.published import published
from filterd.filters.sign.settings import SignSettings
from filterd.resolver.answer import DnsStatus
from tests.helpers.commands import filterd
from tests.helpers.dkim import signing_key
from tests.helpers.name_server import NameServer, zone
from tests.helpers.zones import Zones

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]
KEY = signing_key(domain="mx.example", selector="s1")
NAME = "s1._domainkey.mx.example"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of filterd with the settings file of tmp_path."""
    (tmp_path / "filterd.toml").write_text(
        '[quarantine]\nfolder = "q"\n[filters.bayes]\nmodels = "lib/models"\n'
    )

    def run(*arguments: str) -> tuple[int, str, str]:
        settings = tmp_path / "filterd.toml"
        return filterd(monkeypatch, capsys, "dkim", *arguments, "-c", settings)

    return run


def test_without_settings_the_key_is_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = filterd(monkeypatch, capsys, "dkim", "genkey", "mx.example", "--selector=one")
    assert status == 0
    assert f"wrote {tmp_path}/dkim/mx.example.one.key (RSA, 2048 bits)" in out


def test_a_key_is_made_and_its_settings_and_record_are_right(run: Run, tmp_path: Path) -> None:
    status, out, err = run("genkey", "MX.example", "--selector=one")

    assert (status, err) == (0, "")
    file = tmp_path / "lib/dkim/mx.example.one.key"
    assert file.stat().st_mode & 0o777 == 0o600
    key = read_key(file, "mx.example", "one")
    assert (key.algorithm, key.bits) == ("rsa-sha256", 2048)
    assert f"Publish this TXT record of one._domainkey.mx.example:\n\n{key.record}\n" in out
    zoned = re.search(r"^one\._domainkey\.mx\.example\. IN TXT \(\n(.*) \)$", out, re.M | re.S)
    assert zoned is not None
    strings = re.findall(r'"([^"]*)"', zoned[1])
    assert "".join(strings) == key.record and max(map(len, strings)) <= 255
    lines = out[out.index("[[filters.sign.keys]]") :].partition("\n\n")[0]
    settings = tmp_path / "filterd.toml"
    settings.write_text(settings.read_text() + lines + "\n")
    own = load(settings).filters["sign"].own
    assert isinstance(own, SignSettings)
    assert KeyRing.read(own.keys).keys_for("mx.example")[0].record == key.record


def test_ed25519_and_json(run: Run, tmp_path: Path) -> None:
    where = str(tmp_path / "keys")
    status, out, _ = run(
        "genkey", "mx.example", "--algorithm=ed25519", f"--folder={where}", "--json"
    )
    told = json.loads(out)
    assert (status, told["domain"]) == (0, "mx.example")
    assert re.fullmatch(r"s\d{8}e", told["selector"])
    assert told["record"].startswith("v=DKIM1; k=ed25519; p=")
    assert Path(told["file"]).is_relative_to(where)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["mx.example", "--selector=a b"], 64, "'a b' is not a selector"),
        (["ann@mx.example"], 64, "'ann@mx.example' is more than a domain"),
        (["mx.example", "--bits=512"], 64, "1024"),
        (["mx.example", "--folder=/proc/none"], 73, "cannot be written"),
    ],
)
def test_what_genkey_refuses(run: Run, arguments: list[str], status: int, text: str) -> None:
    ended, out, err = run("genkey", *arguments)
    assert (ended, out) == (status, "")
    assert text in err and "Traceback" not in err


def test_a_key_that_is_there_stays(run: Run) -> None:
    assert run("genkey", "mx.example", "--selector=one")[0] == 0
    status, _, err = run("genkey", "mx.example", "--selector=one")
    assert (status, "exists already; expected another --selector" in err) == (73, True)


# The DNS


def text(*records: object) -> Zones:
    return Zones({NAME: {"TXT": records}})  # type: ignore[dict-item]


RECORD = KEY.record.encode()
OTHER = signing_key(domain="other.example").record.encode()
SMALL = signing_key(domain="mx.example", selector="s1", bits=1024)


@pytest.mark.parametrize(
    ("zones", "problem", "warnings"),
    [
        (text(RECORD), "", ()),
        (text(b"v=DKIM1; " + RECORD.partition(b"; ")[2]), "", ()),
        (text(RECORD + b"; t=y"), "", ("t=y",)),
        (text(RECORD, b"v=spf1 -all"), "", ("2 TXT records",)),
        (Zones({}), "there is no TXT record", ()),
        (text(OTHER), "of another private key", ()),
        (text(b"v=DKIM1; p="), "cannot be used: the key was revoked", ()),
        (text(RECORD[:100]), "cannot be used: ", ()),
        (text(b"v=spf1 -all"), "cannot be used: ", ()),
        (text(RECORD.replace(b"k=rsa", b"k=ed25519")), "cannot be used: ", ()),
        (text(RECORD + b"; h=sha1"), "cannot be used: ", ()),
        (text(RECORD + b"; s=tlsrpt"), "cannot be used: ", ()),
        (Zones({NAME: {"TXT": DnsStatus.SERVFAIL}}), "the DNS did not answer", ()),
    ],
)
def test_what_the_dns_says_of_a_key(zones: Zones, problem: str, warnings: Sequence[str]) -> None:
    found = published(KEY, zones)
    assert found.name == NAME == key_name(KEY.domain, KEY.selector)
    assert found.is_good is (not problem)
    assert problem in found.problem
    assert found.unknown is ("did not answer" in problem)
    assert len(found.warnings) == len(warnings)
    for told, part in zip(found.warnings, warnings, strict=True):
        assert part in told


def test_a_small_key_is_warned_of() -> None:
    found = published(SMALL, text(SMALL.record.encode()))
    assert (found.problem, found.warnings) == ("", ("an RSA key of 1024 bits, expected 2048",))


def configure(folder: Path, server: NameServer, *keys: SigningKey) -> None:
    lines = [f'[resolver]\nnameservers = ["{server.address}"]\n[filters.sign]\n']
    for key in keys:
        file = folder / f"{key.domain}.{key.selector}.key"
        write_key(file, key)
        lines.append(
            f'[[filters.sign.keys]]\ndomain = "{key.domain}"\nselector = "{key.selector}"\n'
            f'file = "{file}"\n'
        )
    with (folder / "filterd.toml").open("a") as settings:
        settings.write("".join(lines))


def strings(record: str) -> str:
    return " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))


@pytest.mark.slow
def test_check_asks_the_dns(run: Run, tmp_path: Path) -> None:
    missing = signing_key("ed25519-sha256", "mx.example", "s2")
    with NameServer(zone(f"{NAME} 60 TXT {strings(KEY.record)}")) as server:
        configure(tmp_path, server, KEY, missing)

        status, out, _ = run("check", "mx.example")
        assert status == 65
        assert f"{NAME}: ok, rsa-sha256 of 2048 bits; mail signed with it verifies\n" in out
        assert "s2._domainkey.mx.example: there is no TXT record\n" in out
        assert f"  expected {missing.record}\n" in out

        status, out, err = run("check", "--json")
        assert [json.loads(line)["problem"] for line in out.splitlines()] == [
            "",
            "there is no TXT record",
        ]
        status, out, err = run("check", "other.example")
        assert (status, out) == (66, "")
        assert "no key of other.example in the settings" in err


def test_check_says_that_the_dns_did_not_answer(run: Run, tmp_path: Path) -> None:
    with NameServer(lambda question: question.answer(rcode="SERVFAIL")) as server:
        configure(tmp_path, server, KEY)
        status, out, _ = run("check")
    assert status == 69
    assert out.startswith(f"{NAME}: the DNS did not answer")


def test_check_names_a_key_file_that_cannot_be_used(run: Run, tmp_path: Path) -> None:
    with NameServer(zone()) as server:
        configure(tmp_path, server, KEY)
        (tmp_path / "mx.example.s1.key").chmod(0o644)
        status, out, _ = run("check")
    assert status == 65
    assert "has mode 0644, expected 0600" in out


def test_the_check_of_the_settings_reads_the_keys(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "filterd.toml"
    settings.write_text(
        '[chain]\nfilters = ["sign"]\n[[filters.sign.keys]]\ndomain = "mx.example"\n'
        'selector = "s1"\nfile = "a.key"\nsince = 2026-12-01\n'
    )
    status, _, err = filterd(monkeypatch, capsys, "check", "-c", settings)
    assert status == 78
    assert f"filters.sign.keys[1].file: {tmp_path}/a.key: No such file or directory" in err
    write_key(tmp_path / "a.key", KEY)
    status, out, err = filterd(monkeypatch, capsys, "check", "-c", settings, "--show")
    assert (status, err) == (0, "")
    assert '"since" = 2026-12-01' in out
