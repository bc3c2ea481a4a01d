"""Reports of what the running daemon saw, made and sent: real nsd says who wants them, and an MTA
takes them."""

from __future__ import annotations

import email
import email.policy
import gzip
import json
import os
import subprocess
import sys
from email.message import EmailMessage

import pytest

from filterd.dmarc.reading import read_report
from filterd.milter.commands import Connect, Helo, Mail, Rcpt
from tests.helpers.daemon import PLUGIN, STAGED, RunningDaemon
from tests.helpers.milter import MilterClient
from tests.helpers.process import folder, wait_for
from tests.helpers.receiving_mta import running
from tests.helpers.servers.nsd import Nsd

pytestmark = pytest.mark.minutes

ZONES = {
    "example": "bank NS ns\nreports NS ns\n",
    "test": "",
    "bank.example": (
        '@ TXT "v=spf1 ip4:192.0.2.1 -all"\n'
        '_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@bank.example!1m,'
        'mailto:bank@reports.example,mailto:victim@example"\n'
    ),
    "reports.example": 'bank.example._report._dmarc TXT "v=DMARC1"\n',
}

SETTINGS = """\
[filters.auth]
[resolver]
nameservers = ["{server}"]
[dmarc]
org_name = "Receiver"
email = "reports@receiver.example"
"""


def come(daemon: RunningDaemon, client: bytes) -> None:
    """A message of bank.example, or one that says so."""
    with MilterClient(daemon.socket) as made:
        made.say(Connect(b"host.test", b"4", 4711, client), Helo(b"host.test"))
        made.say(Mail((b"<ann@bank.example>",)), Rcpt((b"<joe@mx.example.test>",)))
        made.content([(b"From", b" ann@bank.example"), (b"Subject", b" hi")])
        made.end()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python, with the daemon's plugins."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (PLUGIN, STAGED)))},
        text=True,
        check=False,
    )


def filterd(daemon: RunningDaemon, *words: str) -> subprocess.CompletedProcess[str]:
    return run("-m", "filterd", *words, f"--config={daemon.config}")


# What the command does where the day is over, on mail of today.
TODAY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from filterd.cli.dmarc import _tell
from filterd.config.load import load
from filterd.dmarc.run import make_reports, send_reports
settings, now = load(Path(sys.argv[1])), datetime.now(UTC)
made = make_reports(settings, now.date())
for sending in send_reports(settings, made, now.timestamp()):
    _tell(sending)
"""


def test_what_the_daemon_saw_is_reported_to_those_who_ask() -> None:
    with folder("nsd") as place, folder("daemon") as home, running() as mta:
        server = Nsd(place, ZONES)
        server.start()
        daemon = RunningDaemon(
            home,
            filters='["auth"]',
            more=SETTINGS.format(server=server.address),
            quarantine=f"release_port = {mta.port}",
            count=1,
            timeout=30.0,
        )
        try:
            daemon.start()
            for client in (b"192.0.2.1", b"192.0.2.1", b"198.51.100.7"):
                come(daemon, client)

            def noted() -> bool:
                told = filterd(daemon, "history", "--json")
                return len(told.stdout.splitlines()) == 3

            wait_for("three messages in the history", noted)
            # Nobody is told of a day that is not over.
            told = filterd(daemon, "dmarc", "report", "today", "--send")
            assert told.returncode == 64
            first, second = (run("-c", TODAY, str(daemon.config)) for _ in range(2))
            assert (first.stderr, second.stderr) == ("", "")
        finally:
            daemon.process.stop()
            server.stop()
        lines = first.stdout.splitlines()
        assert lines[0].startswith("bank.example: 3 messages, 2 records: ")
        assert [line.split()[:2] for line in lines[1:]] == [
            ["dmarc@bank.example:", "sent"],
            ["bank@reports.example:", "sent"],
            ["victim@example:", "refused"],
        ]
        assert [line.split()[1] for line in second.stdout.splitlines()[1:]] == [
            "before",
            "before",
            "refused",
        ]
        assert [one.rcpt for one in mta.taken] == [
            ["dmarc@bank.example"],
            ["bank@reports.example"],
        ]
        message = email.message_from_bytes(mta.taken[0].data, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        (attached,) = message.iter_attachments()
        report = read_report(gzip.decompress(attached.get_content()))
        assert [
            (str(one.source), one.count, one.disposition, one.spf_passes) for one in report.records
        ] == [("192.0.2.1", 2, "pass", True), ("198.51.100.7", 1, "quarantine", False)]
        assert [one.type for one in report.records[1].reasons] == ["local_policy"]
        # What we send is what we can read.
        path = home / "report.eml"
        path.write_bytes(mta.taken[0].data)
        value = json.loads(run("-m", "filterd", "dmarc", "read", "--json", str(path)).stdout)
        assert [one["source"] for one in value["sources"]] == ["198.51.100.7", "192.0.2.1"]
