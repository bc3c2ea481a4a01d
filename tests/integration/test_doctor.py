"""`filterd doctor` on configurations as the MTAs' own tools make them, and on a running Postfix."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import Settings, load
from filterd.doctor.findings import Finding
from filterd.doctor.postfix import postfix
from filterd.doctor.sendmail import sendmail
from tests.helpers.process import folder
from tests.helpers.servers import sendmail as sendmail_server
from tests.helpers.servers.postfix import Postfix
from tests.helpers.servers.sendmail import Sendmail


def site(path: Path) -> Settings:
    config = path / "filterd.toml"
    config.write_text(f'[daemon]\nsocket = "unix:{path}/s"\nspool = "{path}/spool"\n')
    return load(config)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.level.value, one.found) for one in findings]


@pytest.mark.parametrize(
    ("flags", "timeouts", "expected"),
    [
        (None, None, ("OK", "{0}/sendmail.cf asks filterd at unix:{0}/s")),
        (
            "",
            None,
            ("WARN", "Xfilterd: no F=: mail passes without being scanned while filterd is down"),
        ),
        (
            "T",
            "C:5s;S:5s;R:60s;E:20s",
            (
                "FAIL",
                "Xfilterd: T=E: is 20 s, a verdict may take 62 s ([chain] timeout and "
                "[workers] grace)",
            ),
        ),
    ],
)
def test_the_snippet_as_m4_writes_it(
    flags: str | None, timeouts: str | None, expected: tuple[str, str]
) -> None:
    with folder("doctor") as path:
        lines = sendmail_server.snippet(f"unix:{path}/s", flags, timeouts)
        Sendmail(path, lines)
        found = told(list(sendmail(site(path), path / "sendmail.cf")))
        assert found == [(expected[0], expected[1].format(path))]


def test_a_sendmail_cf_without_filterd() -> None:
    with folder("doctor") as path:
        Sendmail(path, sendmail_server.input_mail_filter("other", "inet:1@127.0.0.1"))
        found = told(list(sendmail(site(path), path / "sendmail.cf")))
        assert found == [
            ("WARN", f"{path}/sendmail.cf: no filter at unix:{path}/s (but other)"),
        ]


def test_main_cf_as_postfix_runs_with_it() -> None:
    with folder("doctor") as path:
        server = Postfix(
            path,
            f"smtpd_milters = unix:{path}/s\nmilter_default_action = tempfail\n",
            ["-o milter_default_action=accept", "-o smtpd_milters="],
        )
        server.start()
        main = path / "etc/main.cf"
        one, two, _ = (f"127.0.0.1:{port}" for port in [server.port, *server.ports.values()])
        accepts = (
            f"{two}: default_action is accept: mail passes without being scanned "
            "while filterd is down"
        )
        assert told(list(postfix(site(path), main))) == [
            ("OK", f"{one} asks unix:{path}/s"),
            ("WARN", accepts),
        ]
        # Postfix's processes run as its own user, who may not write to a socket of root's.
        (path / "s").touch(0o660)
        (path / "s").chmod(0o660)
        hindered = ("FAIL", f"mail may not write to {path}/s")
        assert told(list(postfix(site(path), main))) == [hindered, ("WARN", accepts), hindered]
