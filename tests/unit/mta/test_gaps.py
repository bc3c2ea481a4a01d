"""What a sendmail.cf asks for in vain is listed by line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from filterd.mta.cf.names import OPTIONS
from filterd.mta.sendmail import support
from filterd.mta.sendmail.gaps import gaps


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("O ErrorHeader=/x", ["O ErrorHeader=/x"]),
        ("O errorheader = /x", ["O ErrorHeader=/x"]),
        ("OE/x", ["O ErrorHeader=/x"]),
        ("O ClientPortOptions=Family=inet, Addr=192.0.2.1", []),
        ("O ClientPortOptions=M=h, Port=26", []),
        ("O ClientPortOptions=Family=unix", ["Family=unix in ClientPortOptions"]),
        ("O Timeout.rcpt=5m", ["O Timeout.rcpt=5m"]),
        ("O Timeout.command=5m", []),
        ("O Timeout.queuereturn=5d", []),
        ("O Timeout.queuereturn.urgent=1d", []),
        ("O MaxHopCount=25", []),
        ("O TempFileMode=0600", []),
        ("O SevenBitInput=False", []),
        ("O SevenBitInput=f", []),
        ("O SevenBitInput=True", []),
        ("O MatchGECOS=f", []),
        ("O MatchGECOS=True", ["O MatchGECOS=True"]),
        ("O DeliveryMode=background", []),
        ("O DeliveryMode=queueonly", []),
        ("O DeliveryMode=deferred", []),
        ("O DaemonPortOptions=Name=MTA, Port=25, Addr=127.0.0.1", []),
        ("O DaemonPortOptions=Name=MSA, M=Ea", []),
        ("O DaemonPortOptions=Name=TLSMTA, M=sObhr, Port=smtps", []),
        (
            "O DaemonPortOptions=listen=5, children=9",
            ["listen=5 in DaemonPortOptions", "children=9 in DaemonPortOptions"],
        ),
        ("O PrivacyOptions=authwarnings,novrfy,restrictqrun", []),
        ("O PrivacyOptions=needvrfyhelo,goaway", []),
        ("O PrivacyOptions=nobodyreturn", ["nobodyreturn of PrivacyOptions"]),
        ("Kaccess hash /etc/mail/access", []),
        ("HSubject: $>check", []),
        ("H?D?Date: $a", []),
        ("Qslow, P=/var/spool/slow", ["Qslow"]),
        ("Fw|/bin/names", []),
        ("F{R}-o /etc/mail/relay-domains", []),
        ("Mlocal, P=/bin/cat, F=lsDFMAw5:/|@qPn9, A=cat $u, z", []),
        ("Mlocal, P=/bin/cat, F=lz, E=\\r\\n, A=cat", []),
        ("Mprog, P=/bin/sh, F=l, D=$z:/, U=mail, A=sh -c $u", []),
        ("Mprog, P=/bin/sh, F=Ul, N=5, A=sh -c $u", ["F=U of mailer prog", "N=5 of mailer prog"]),
    ],
)
def test_a_line_and_what_of_it_is_not_carried_out(line: str, what: list[str]) -> None:
    found = gaps(f"V10/Berkeley\n{line}\n")
    assert {one.line for one in found} <= {2}
    assert [one.what for one in found] == what
    assert all(one.instead for one in found)


def test_rules_and_maps_are_carried_out() -> None:
    assert gaps("V10\nKx hash /x\nSparse=0\nR$*\t$: $1\nR$+\t$@ x\nScheck\nR$*\t$@ OK\n") == []


def test_every_option_of_sendmail_has_its_place() -> None:
    tables = support.CARRIED_OUT, support.WITHOUT_EFFECT, frozenset(support.NOT_CARRIED_OUT)
    known = [name for table in tables for name in table]
    assert len(known) == len(set(known)), "in two tables"
    assert set(known) >= OPTIONS - {"Timeout", "Milter"}
    assert {name.partition(".")[0] for name in known} <= OPTIONS
    assert set(support.AS_ELSEWHERE) <= set(support.NOT_CARRIED_OUT)


def test_an_option_that_the_code_reads_is_not_called_ignored() -> None:
    """The tables follow the code: what some module of the MTA asks a file for is carried out."""
    folder = Path(support.__file__).parents[1]
    read = {
        name
        for path in (folder / "sendmail", folder / "delivery")
        for file in path.glob("*.py")
        for name in re.findall(
            r'(?:option\(|options\.get\(|\(cf, )"([A-Z]\w+(?:\.\w+)?)"', file.read_text()
        )
    }
    assert read >= {"MaxHopCount", "PrivacyOptions"}
    # Of some options only some values are carried out.
    assert read <= support.CARRIED_OUT | set(support.AS_ELSEWHERE)


@pytest.mark.slow
def test_they_are_listed_by_the_commands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/mta.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?s)\$ filterd mta test --cf sendmail.cf\n(.*?)```", page)[-1]
    (tmp_path / "sendmail.cf").write_text(
        "V10/Berkeley\nO ErrorHeader=/etc/mail/error\nMlocal, P=/bin/cat, F=lsU, A=cat $u\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "filterd", "mta", "test", "--cf", tmp_path / "sendmail.cf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.replace(f"{tmp_path}/", "") == shown
