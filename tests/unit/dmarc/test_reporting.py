"""Reports of a day: made of the history, kept in a folder, sent once."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from filterd.chain.marks import Verifier, load_key
from filterd.cli.dmarc import app
from filterd.config.assembly import open_history, site_state
from filterd.config.load import ConfigError, Settings, load
from filterd.dmarc import run as run_module
from filterd.dmarc.ledger import CLAIM_SECONDS, KIND, ReportLedger
from filterd.dmarc.reading import read_report
from filterd.dmarc.run import (
    UNREACHED_LIMIT,
    ReportingError,
    day_of,
    folder_of,
    is_over,
    make_reports,
    remove_old,
    send_reports,
)
from filterd.history import Record
from filterd.message import Client, Envelope, Message, Recipient
from filterd.quarantine.submission import Server, SubmissionResult, submit
from filterd.state.facts import StateError
from tests.helpers.authenticated import PUBLISHED, authenticated
from tests.helpers.feedback import DAY, schema
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.stores import empty
from tests.helpers.zones import Zone, Zones

pytestmark = pytest.mark.slow

DATE = date(2026, 9, 21)
NOW = DAY + 86400.0 + 7200
ZONE: Zone = {"_dmarc.example.org": {"TXT": [PUBLISHED.encode()]}}


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


def site(folder: Path, port: int = 1, more: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        "[chain]\nfilters = []\n"
        f'[quarantine]\nfolder = "{folder}/q"\nrelease_port = {port}\nrelease_timeout = 5.0\n'
        '[dmarc]\norg_name = "Receiver Ltd"\nemail = "reports@receiver.example"\n'
        f'contact = "https://receiver.example/"\n{more}'
    )
    return load(config)


def came(settings: Settings, *records: Record) -> None:
    settings.quarantine.folder.mkdir(exist_ok=True)
    history = open_history(settings)
    history.add(records)
    history.close()


def sent(settings: Settings, now: float = NOW, zone: Zone = ZONE) -> list[tuple[str, str, str]]:
    """Make the reports of the day and send them: domain, address, what became of it."""
    made = make_reports(settings, DATE)
    return [
        (sending.made.report.policy.domain, one.address, one.outcome)
        for sending in send_reports(settings, made, now, Zones(zone))
        for one in sending.sent
    ]


def mail(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.slow
def test_the_reports_of_a_day(tmp_path: Path) -> None:
    settings = site(tmp_path)
    came(
        settings,
        authenticated("before", DAY - 0.001),
        authenticated("a", DAY),
        authenticated("b", DAY + 86399.9, spf=True),
        authenticated("after", DAY + 86400),
        authenticated("other", policy_domain="other.example", published=PUBLISHED),
        authenticated("silent", policy_domain="silent.example", published="v=DMARC1; p=none"),
    )
    made = make_reports(settings, DATE)
    assert [one.report.policy.domain for one in made] == ["example.org", "other.example"]
    first = made[0]
    assert first.path.parent == folder_of(settings) == tmp_path / "q" / "dmarc-reports"
    assert first.path.name == (
        f"receiver.example!example.org!{DAY}!{DAY + 86399}!{first.report.id}.xml.gz"
    )
    assert first.report.id.isalnum()
    assert first.path.stat().st_mode & 0o777 == 0o600
    data = gzip.decompress(first.path.read_bytes())
    schema().validate(data.decode())
    found = read_report(data)
    assert (found.organization, found.email) == ("Receiver Ltd", "reports@receiver.example")
    assert (found.begin, found.end, found.messages) == (DAY, DAY + 86399, 2)
    assert found.generator.startswith("filterd ")


def test_the_same_report_is_the_same_file(tmp_path: Path) -> None:
    settings = site(tmp_path)
    came(settings, authenticated("a"))
    (one,) = make_reports(settings, DATE)
    content = one.path.read_bytes()
    (other,) = make_reports(settings, DATE)
    assert (other.path, other.path.read_bytes()) == (one.path, content)


@pytest.mark.parametrize("length", [174, 175, 184, 185, 253])
def test_a_long_domain_does_not_hinder_the_others(tmp_path: Path, length: int) -> None:
    settings = site(tmp_path)
    long = "b" + f"{'a.' * 130}example"[1 - length :]
    came(settings, authenticated("a", policy_domain=long), authenticated("b"))
    made = {one.report.policy.domain: one for one in make_reports(settings, DATE)}
    assert set(made) == {long, "example.org"}
    assert all(one.path.is_file() for one in made.values())


def test_more_mail_than_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("filterd.history.records._PAGE", 7)
    settings = site(tmp_path)
    # Some at the same moment, across the end of a page.
    came(settings, *[authenticated(f"m{n}", DAY + n // 5) for n in range(40)])
    (one,) = make_reports(settings, DATE)
    assert one.report.messages == 40


def test_on_postgresql(tmp_path: Path, postgresql: str) -> None:
    empty(postgresql)
    settings = site(tmp_path, more=f'[history]\ndatabase = "{postgresql}"\n')
    came(settings, *[authenticated(f"m{n}", DAY + n // 5) for n in range(40)])
    (one,) = make_reports(settings, DATE)
    assert one.report.messages == 40


def test_a_report_is_sent_as_the_rfc_wants(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a"))
    assert sent(settings) == [("example.org", "dmarc@example.org", "sent")]
    (taken,) = mta.taken
    assert taken.mail.startswith("MAIL FROM:<reports@receiver.example>")
    assert taken.rcpt == ["dmarc@example.org"]
    message = mail(taken.data)
    (id,) = [one.stem for one in map(Path, folder_of(settings).iterdir())]
    id = id.removesuffix(".xml").rpartition("!")[2]
    assert message["Subject"] == (
        f"Report Domain: example.org Submitter: receiver.example Report-ID: <{id}>"
    )
    assert message["From"] == "Receiver Ltd <reports@receiver.example>"
    assert message["To"] == "dmarc@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{id}@receiver.example>"
    text, report = message.iter_parts()
    assert "1 message" in text.get_content()
    assert report.get_content_type() == "application/gzip"
    assert report.get_filename() == (
        f"receiver.example!example.org!{DAY}!{DAY + 86399}!{id}.xml.gz"
    )
    assert read_report(gzip.decompress(report.get_content())).id == id
    assert not message.defects
    assert max(map(len, taken.data.split(b"\r\n"))) < 998


def test_our_own_filters_let_it_pass_and_sign_it(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a"))
    sent(settings)
    (taken,) = mta.taken
    (envid,) = [word for word in taken.mail.split() if word.startswith("ENVID=")]
    verify = Verifier(load_key(settings.quarantine.folder), ["127.0.0.0/8"])
    envelope = Envelope(
        "reports@receiver.example",
        (Recipient("dmarc@example.org"),),
        Client("localhost", "127.0.0.1"),
        (envid,),
    )
    mark = verify(Message(taken.data, envelope))
    assert mark is not None
    assert mark.outbound


def test_it_is_sent_once(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a"))
    assert [sent(settings)[0][2] for _ in range(3)] == ["sent", "before", "before"]
    assert len(mta.taken) == 1


def test_what_is_deferred_is_sent_later(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    published = PUBLISHED + ",mailto:two@example.org"
    came(settings, authenticated("a", published=published))
    mta.answers["RCPT:two@example.org"] = "451 4.3.0 later"
    assert [one[2] for one in sent(settings)] == ["sent", "later"]
    mta.answers.clear()
    assert [one[2] for one in sent(settings)] == ["before", "sent"]
    assert [one.rcpt for one in mta.taken] == [
        ["dmarc@example.org"],
        ["two@example.org"],
    ]


def test_what_is_refused_is_not_tried_again(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a"))
    mta.answers["RCPT:dmarc@example.org"] = "550 5.1.1 nobody"
    assert [sent(settings)[0][2] for _ in range(2)] == ["refused", "refused"]
    mta.answers.clear()
    assert sent(settings)[0][2] == "refused"


def test_while_the_mta_is_away(tmp_path: Path) -> None:
    settings = site(tmp_path, port=1)
    came(settings, authenticated("a"))
    assert sent(settings)[0][2] == "later"


@pytest.mark.slow
def test_an_mta_that_is_away_is_not_tried_for_each_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection may take half a minute, and a day has a thousand addresses."""
    many = 12
    settings = site(tmp_path, port=1)
    names = [f"d{number:02}.example" for number in range(many)]
    published = {name: PUBLISHED.replace("dmarc@example.org", f"dmarc@{name}") for name in names}
    came(
        settings,
        *(authenticated(name, policy_domain=name, published=published[name]) for name in names),
    )
    tried = Counter[str]()
    original = submit

    def noted(server: Server, sender: str, to: Sequence[str], *rest: Any) -> Any:
        tried.update(to)
        return original(server, sender, to, *rest)

    monkeypatch.setattr(run_module, "submit", noted)
    assert [outcome for *_, outcome in sent(settings)] == ["later"] * many
    assert len(tried) == UNREACHED_LIMIT
    # Nothing is claimed by what was not tried.
    with running() as mta:
        again = dataclasses.replace(
            settings, quarantine=dataclasses.replace(settings.quarantine, release_port=mta.port)
        )
        assert [outcome for *_, outcome in sent(again)] == ["sent"] * many


def test_an_mta_that_answers_now_and_then_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = SubmissionResult("later", "away", reached=False)
    answers = itertools.cycle([away, away, SubmissionResult("later", "451 busy")])
    monkeypatch.setattr(
        run_module, "submit", lambda _server, _sender, to, *_rest: {to[0]: next(answers)}
    )
    settings = site(tmp_path)
    names = [f"d{number}.example" for number in range(9)]
    came(
        settings,
        *(
            authenticated(
                name,
                policy_domain=name,
                published=PUBLISHED.replace("dmarc@example.org", f"dmarc@{name}"),
            )
            for name in names
        ),
    )
    made = make_reports(settings, DATE)
    replies = [
        one.reply for all in send_reports(settings, made, NOW, Zones(ZONE)) for one in all.sent
    ]
    assert replies == ["away", "away", "451 busy"] * 3


@pytest.mark.parametrize(
    ("first", "errors"),
    [
        (DAY - 5.0, ()),
        (float(DAY), ()),
        (DAY + 3600.0, ("messages before 2026-09-21T01:00:00Z are not counted",)),
    ],
)
def test_a_day_whose_beginning_the_history_does_not_know(
    tmp_path: Path, first: float, errors: tuple[str, ...]
) -> None:
    settings = site(tmp_path)
    silent = authenticated("a", first, policy_domain="x.example", published="v=DMARC1; p=none")
    came(settings, silent, authenticated("b", DAY + 7200))
    (one,) = make_reports(settings, DATE)
    assert one.report.errors == errors
    schema().validate(gzip.decompress(one.path.read_bytes()).decode())


def test_a_claim_that_nobody_settles_expires(tmp_path: Path) -> None:
    settings = site(tmp_path)
    settings.quarantine.folder.mkdir()
    ledger = ReportLedger(site_state(settings))
    assert ledger.claim("id", "a@b.example", NOW) == ""
    assert ledger.claim("id", "a@b.example", NOW + CLAIM_SECONDS - 1) == "sending"
    assert ledger.claim("id", "c@b.example", NOW) == ""
    assert ledger.claim("id", "a@b.example", NOW + CLAIM_SECONDS + 1) == ""


def test_a_host_whose_clock_is_behind_does_not_shorten_a_claim(tmp_path: Path) -> None:
    settings = site(tmp_path)
    settings.quarantine.folder.mkdir()
    ledger = ReportLedger(site_state(settings))
    assert ledger.claim("id", "a@b.example", NOW + 30) == ""
    ledger.settle("id", "a@b.example", "sent", NOW + 30)
    assert ledger.claim("id", "a@b.example", NOW) == "sent"
    assert ledger.claim("id", "a@b.example", NOW + CLAIM_SECONDS + 60) == "sent"


def test_a_claim_counts_from_when_it_is_made(
    tmp_path: Path, mta: Mta, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look at the clock is an hour after the one before: the MTA takes its time.
    monkeypatch.setattr("filterd.dmarc.run.monotonic", itertools.count(0.0, 3600.0).__next__)
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a", published=PUBLISHED + ",mailto:two@example.org"))
    assert [one[2] for one in sent(settings)] == ["sent", "sent"]
    entries = site_state(settings).entries(KIND, NOW, 10)
    assert sorted(one.first for one in entries) == [NOW + 3600, NOW + 7200]


def test_while_another_process_sends_it(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a"))
    (made,) = make_reports(settings, DATE)
    ReportLedger(site_state(settings)).claim(made.report.id, "dmarc@example.org", NOW)
    assert sent(settings) == [("example.org", "dmarc@example.org", "later")]
    assert sent(settings, NOW + CLAIM_SECONDS + 1)[0][2] == "sent"
    assert len(mta.taken) == 1


def test_strangers_get_nothing_without_asking_for_it(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    published = "v=DMARC1; p=none; rua=mailto:you@victim.example"
    came(settings, authenticated("a", published=published))
    assert sent(settings) == [("example.org", "you@victim.example", "refused")]
    assert mta.taken == []


def test_a_report_that_is_too_large_stays_here(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port)
    came(settings, authenticated("a", published=PUBLISHED + "!100"))
    assert sent(settings) == [("example.org", "dmarc@example.org", "refused")]
    assert mta.taken == []


def test_old_reports_go(tmp_path: Path) -> None:
    settings = site(tmp_path)
    came(settings, authenticated("a"))
    (one,) = make_reports(settings, DATE)
    other = one.path.with_name("notes.txt")
    other.write_text("mine")
    now = one.path.stat().st_mtime
    assert remove_old(settings, now + 29 * 86400) == 0
    assert remove_old(settings, now + 31 * 86400) == 1
    assert [path.name for path in one.path.parent.iterdir()] == ["notes.txt"]


def test_days() -> None:
    now = datetime(2026, 9, 22, 0, 30, tzinfo=UTC).timestamp()
    assert day_of("yesterday", now) == DATE
    assert day_of("today", now) == date(2026, 9, 22)
    assert day_of("2026-09-21", now) == DATE
    assert is_over(DATE, now)
    assert not is_over(date(2026, 9, 22), now)
    for wrong in ("tomorrow", "21.9.2026", "2026-09-23", "0000-00-00", ""):
        with pytest.raises(ValueError, match=r"expected 2026-11-28|has not come yet"):
            day_of(wrong, now)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('at = "25:00"', "dmarc.at: '25:00' is not a time of day"),
        ('at = "01:30+02:00"', "is not a time of day"),
        ("max_megabytes = 0", "dmarc.max_megabytes"),
        ("keep_days = -1", "dmarc.keep_days"),
    ],
)
def test_settings_that_are_wrong(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site(tmp_path, more=more + "\n")
    assert words in str(raised.value).replace("[dmarc] ", "dmarc.")


def test_sending_wants_a_name_and_an_address(tmp_path: Path) -> None:
    path = tmp_path / "filterd.toml"
    path.write_text("[dmarc]\nsend = true\n")
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert "email" in str(raised.value)
    assert "org_name" in str(raised.value)
    path.write_text(f'[quarantine]\nfolder = "{tmp_path}/q"\n')
    with pytest.raises(ReportingError, match="org_name and email are not set"):
        make_reports(load(path), DATE)
    path.write_text('[dmarc]\norg_name = "a"\nemail = "a@b.example"\n[history]\nenabled = false\n')
    with pytest.raises(ReportingError, match="enabled is false"):
        make_reports(load(path), DATE)


def run(settings: Settings, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*words, f"--config={settings.source}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command(tmp_path: Path, mta: Mta) -> None:
    settings = site(tmp_path, mta.port, "[resolver]\nenabled = false\n")
    came(settings, authenticated("a"), authenticated("b"))
    status, output = run(settings, "report", "2026-09-21")
    assert status == 0
    assert output.startswith("example.org: 2 messages, 1 record: ")
    assert mta.taken == []
    status, output = run(settings, "report", "2026-09-21", "--send")
    assert (status, len(mta.taken)) == (0, 1), output
    assert "  dmarc@example.org: sent (250" in output
    status, output = run(settings, "report", "2026-09-21", "--send", "--json")
    value = json.loads(output)
    assert (value["domain"], value["messages"]) == ("example.org", 2)
    assert value["sent"] == [
        {"address": "dmarc@example.org", "outcome": "before", "reply": "it was sent"}
    ]
    status, output = run(settings, "report", "2026-09-20")
    assert (status, output) == (0, "2026-09-20: no mail of a domain that asks for reports\n")


def test_a_day_that_is_not_over_is_not_sent(tmp_path: Path) -> None:
    settings = site(tmp_path)
    status, output = run(settings, "report", "today", "--send")
    assert status == 64
    assert "is not over in UTC; it can be reported, but not sent" in output


def test_deferred_is_exit_status_75(tmp_path: Path) -> None:
    settings = site(tmp_path, port=1)
    came(settings, authenticated("a"))
    status, output = run(settings, "report", "2026-09-21", "--send")
    assert status == 75, output
    assert "dmarc@example.org: later" in output


def test_a_state_that_cannot_be_used(tmp_path: Path) -> None:
    settings = site(tmp_path, more='[state]\nurl = "redis://127.0.0.1:1/0"\n')
    came(settings, authenticated("a"))
    made = make_reports(settings, DATE)
    with pytest.raises(StateError):
        list(send_reports(settings, made, NOW, Zones(ZONE)))
