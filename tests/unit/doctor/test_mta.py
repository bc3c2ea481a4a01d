"""`filterd doctor` reads sendmail.cf and main.cf: is the daemon asked, long enough, and safely?"""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli.app import _command
from filterd.config.load import Settings, load
from filterd.doctor import mta
from filterd.doctor.access import hindrance, milter_socket, unsafe_folder
from filterd.doctor.diagnosis import diagnose
from filterd.doctor.findings import Finding, Level
from filterd.doctor.mta import Mtas, time_warnings
from filterd.doctor.postfix import postfix
from filterd.doctor.sendmail import sendmail
from tests.helpers.process import folder as open_folder

pytestmark = pytest.mark.slow

TRUST = "O DontBlameSendmail=TrustStickyBit, nonrootsafeaddr\n"
"""Tests have their folders below /tmp."""

MACROS = "O Milter.macros.envfrom=i, {auth_type}, {auth_authen}\n"


def site(folder: Path, more: str = "", socket: str = "") -> Settings:
    config = folder / "filterd.toml"
    config.write_text(
        f'[daemon]\nsocket = "{socket or f"unix:{folder}/s"}"\nspool = "{folder}/spool"\n'
        f'[quarantine]\nfolder = "{folder}/q"\n[chain]\nfilters = ["gtube"]\n{more}'
    )
    return load(config)


def found(findings: object) -> list[tuple[str, str]]:
    assert isinstance(findings, list)
    return [(one.level.value, one.found) for one in findings]


def cf(folder: Path, text: str) -> Path:
    path = folder / "sendmail.cf"
    path.write_text(f"V10\nO QueueDirectory={folder}\nMlocal, P=/bin/true, A=true\n{TRUST}{text}")
    return path


def asks(folder: Path, equates: str = "F=T, T=C:30s;S:10s;R:60s;E:5m") -> str:
    return f"O InputMailFilters=filterd\nXfilterd, S=unix:{folder}/s, {equates}\n{MACROS}"


def of_sendmail(folder: Path, text: str, more: str = "", socket: str = "") -> list[Finding]:
    return list(sendmail(site(folder, more, socket), cf(folder, text)))


def test_sendmail_as_the_snippet_sets_it_up(tmp_path: Path) -> None:
    told = of_sendmail(tmp_path, asks(tmp_path))
    assert found(told) == [
        ("OK", f"{tmp_path}/sendmail.cf asks filterd at unix:{tmp_path}/s"),
    ]


@pytest.mark.parametrize(
    ("equates", "more", "level", "says"),
    [
        ("T=R:60s;E:5m", "", "WARN", "no F=: mail passes without being scanned"),
        ("F=T, T=R:60s;E:30s", "timeout = 60\n", "FAIL", "T=E: is 30 s"),
        ("F=T, T=R:60s;E:0", "timeout = 600\n", "OK", "asks filterd"),
        ("F=T, T=R:3s;E:5m", "", "FAIL", "T=R: is 3 s"),
        ("F=T, T=R:8s;E:5m", "", "WARN", "T=R: is 8 s"),
        # sendmail's own ten seconds.
        ("F=T", "", "WARN", "T=R: is 10 s"),
    ],
)
def test_what_sendmail_is_told_about_the_filter(
    tmp_path: Path, equates: str, more: str, level: str, says: str
) -> None:
    (told,) = of_sendmail(tmp_path, asks(tmp_path, equates), more)
    assert (told.level, says in told.found) == (level, True), told
    assert bool(told.advice) == (level != "OK")


def test_sendmail_with_another_filter_only(tmp_path: Path) -> None:
    (told,) = of_sendmail(tmp_path, "O InputMailFilters=a\nXa, S=inet:1@localhost\n")
    assert (told.level, "(but a)" in told.found) == ("WARN", True)
    assert f"INPUT_MAIL_FILTER(`filterd', `S=unix:{tmp_path}/s, F=T, " in told.advice


def test_a_long_chain_gets_a_long_time_in_the_line_that_is_advised(tmp_path: Path) -> None:
    (told,) = of_sendmail(tmp_path, "", "timeout = 400\n")
    assert "E:462s')dnl" in told.advice


def test_a_filter_that_is_defined_and_not_asked(tmp_path: Path) -> None:
    text = asks(tmp_path).partition("\n")[2]
    assert [
        (level, "does not use it" in says) for level, says in found(of_sendmail(tmp_path, text))
    ] == [("FAIL", True)]
    text = (
        asks(tmp_path)
        + "O DaemonPortOptions=Name=MTA\nO DaemonPortOptions=Name=MSA, Port=587, I=\n"
    )
    assert found(of_sendmail(tmp_path, text)) == [
        ("WARN", "Xfilterd is there, but MSA (port 587) does not use it")
    ]


def test_tcp_is_compared_by_port_and_host(tmp_path: Path) -> None:
    text = f"O InputMailFilters=f\nXf, S=inet:8891@HOST, F=T, T=R:60s\n{MACROS}"
    for own, other, same in (
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "mx.example", True),
        ("127.0.0.1", "192.0.2.1", False),
        ("192.0.2.1", "192.0.2.1", True),
    ):
        (told,) = of_sendmail(tmp_path, text.replace("HOST", other), socket=f"inet:8891@{own}")
        assert (told.level is Level.OK) is same, (own, other)


def test_macros_that_are_missed(tmp_path: Path) -> None:
    text = asks(tmp_path).replace(MACROS, "O Milter.macros.envfrom={auth_type}\n")
    assert [says.partition(":")[0] for _, says in found(of_sendmail(tmp_path, text))[1:]] == [
        "no Milter.macros option names i",
        "no Milter.macros option names {auth_authen}",
    ]


def test_a_folder_that_others_may_write(tmp_path: Path) -> None:
    inside = tmp_path / "run"
    inside.mkdir()
    inside.chmod(0o775)
    text = asks(inside)
    (_, told) = list(sendmail(site(tmp_path, socket=f"unix:{inside}/s"), cf(tmp_path, text)))
    assert (told.level, told.found) == (
        "FAIL",
        f"{inside} can be written by others: sendmail calls {inside}/s unsafe",
    )
    inside.chmod(0o755)
    assert unsafe_folder(inside / "s", {"truststickybit"}) is None


def test_what_sendmail_may_be_told_to_trust(tmp_path: Path) -> None:
    inside = tmp_path / "run"
    inside.mkdir()
    for mode, trusting, is_safe in (
        (0o775, set(), False),
        (0o775, {"groupwritabledirpathsafe"}, True),
        (0o1777, set(), True),
        (0o777, {"groupwritabledirpathsafe"}, False),
        (0o755, set(), True),
    ):
        inside.chmod(mode)
        found = unsafe_folder(inside / "s", {*trusting, "truststickybit"})
        assert found == (None if is_safe else inside), oct(mode)
    inside.chmod(0o1777)
    assert unsafe_folder(inside / "s") is not None


@pytest.mark.parametrize("text", ["Xbad\n", "O NoSuchOption=1\n"])
def test_a_sendmail_cf_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (told,) = of_sendmail(tmp_path, text)
    assert told.level == Level.WARN
    assert "line 5" in told.found


# Postfix


def of_postfix(
    folder: Path,
    main: str,
    master: str = "smtp inet n - n - - smtpd\n",
    socket: str = "",
    more: str = "",
) -> list[Finding]:
    (folder / "main.cf").write_text(f"queue_directory = {folder}/queue\n{main}")
    (folder / "master.cf").write_text(master)
    return list(postfix(site(folder, more, socket), folder / "main.cf"))


@pytest.mark.parametrize(
    "main",
    [
        "smtpd_milters = unix:{0}/s\n",
        "smtpd_milters =\n# a comment\n  inet:localhost:1,\n  unix:{0}/s\n",
        "milters = unix:$base/s\nbase = {0}\nsmtpd_milters = ${{milters}}\n",
        "smtpd_milters = {{ unix:{0}/s, content_timeout=5m, default_action=tempfail }}\n",
        "smtpd_milters = unix:../s\n",
    ],
)
def test_postfix_that_asks_the_daemon(tmp_path: Path, main: str) -> None:
    (told,) = of_postfix(tmp_path, main.format(tmp_path))
    assert (told.level, told.found.startswith("smtp asks unix:")) == ("OK", True), told


@pytest.mark.parametrize(
    ("main", "level", "says"),
    [
        ("", "WARN", "smtpd_milters is empty"),
        ("smtpd_milters = inet:localhost:1\n", "WARN", "smtp does not ask"),
        (
            "smtpd_milters = unix:{0}/s\nmilter_default_action = accept\n",
            "WARN",
            "without being scanned",
        ),
        (
            "smtpd_milters = {{unix:{0}/s, default_action=accept}}\n",
            "WARN",
            "without being scanned",
        ),
        ("smtpd_milters = unix:{0}/s\nmilter_content_timeout = 2s\n", "FAIL", "is 2 s"),
        ("smtpd_milters = unix:{0}/s\nmilter_content_timeout = 10\n", "WARN", "is 10 s"),
        ("smtpd_milters = $smtpd_milters\n", "WARN", "smtp does not ask"),
    ],
)
def test_what_postfix_is_told(tmp_path: Path, main: str, level: str, says: str) -> None:
    (told,) = of_postfix(tmp_path, main.format(tmp_path))
    assert (told.level, says in told.found) == (level, True), told
    assert told.advice


def test_a_chroot_hides_the_socket(tmp_path: Path) -> None:
    chrooted = "smtp inet n - y - - smtpd\n"
    (told,) = of_postfix(tmp_path, f"smtpd_milters = unix:{tmp_path}/s\n", chrooted)
    assert told.level == Level.FAIL
    assert f"looks for {tmp_path}/queue{tmp_path}/s" in told.found
    # Inside, both ways of writing it are right.
    for path in ("filterd/s", "/filterd/s"):
        (told,) = of_postfix(
            tmp_path, f"smtpd_milters = unix:{path}\n", chrooted, f"unix:{tmp_path}/queue/filterd/s"
        )
        assert told.level == Level.OK, path
    # `-` is a chroot up to Postfix 2.
    main, master = f"smtpd_milters = unix:{tmp_path}/s\n", "smtp inet n - - - - smtpd\n"
    assert of_postfix(tmp_path, main, master)[0].level == Level.FAIL
    assert of_postfix(tmp_path, f"compatibility_level = 3.6\n{main}", master)[0].level == Level.OK


def test_services_of_master_cf(tmp_path: Path) -> None:
    master = (
        "smtp inet n - n - - smtpd\n"
        "submission inet n - n - - smtpd\n  -o smtpd_tls_security_level=encrypt\n"
        "  -o { smtpd_milters = unix:" + str(tmp_path) + "/s }\n"
        # Behind a content filter, where mail comes a second time.
        "127.0.0.1:10025 inet n - n - - smtpd\n  -o smtpd_milters=\n"
        "pickup unix n - n 60 1 pickup\n"
    )
    told = found(of_postfix(tmp_path, "", master))
    assert [(level, says.split()[0]) for level, says in told] == [
        ("WARN", "smtp"),
        ("OK", "submission"),
    ]


def test_tcp_as_postfix_writes_it(tmp_path: Path) -> None:
    main = "smtpd_milters = inet:127.0.0.1:8891\n"
    assert of_postfix(tmp_path, main, socket="inet:8891@127.0.0.1")[0].level == Level.OK
    (told,) = of_postfix(tmp_path, main, socket="inet:8892@127.0.0.1")
    assert "smtpd_milters = inet:127.0.0.1:8892" in told.advice


def test_the_socket_as_postfix_has_to_write_it(tmp_path: Path) -> None:
    (told,) = of_postfix(tmp_path, "", socket=f"unix:{tmp_path}/queue/filterd/s")
    assert "smtpd_milters = unix:filterd/s in /" in told.advice


def test_no_main_cf(tmp_path: Path) -> None:
    (told,) = list(postfix(site(tmp_path), tmp_path / "main.cf"))
    assert (told.level, "No such file" in told.found) == ("WARN", True)


# Who may connect


@pytest.mark.skipif("os.getuid() != 0 and 'CI' not in os.environ")
@pytest.mark.parametrize(
    ("folder_mode", "socket_mode", "owner", "group", "why"),
    [
        (0o755, 0o660, "root", "root", "nobody may not write to {0}"),
        (0o755, 0o660, "nobody", "root", ""),
        (0o755, 0o660, "root", "nogroup", ""),
        (0o755, 0o640, "root", "nogroup", "nobody may not write to {0}"),
        (0o755, 0o666, "root", "root", ""),
        (0o750, 0o666, "root", "root", "nobody may not enter {1}"),
    ],
)
def test_who_may_connect(
    folder_mode: int, socket_mode: int, owner: str, group: str, why: str
) -> None:
    with open_folder("access") as path:
        inside = path / "run"
        inside.mkdir()
        (inside / "s").touch()
        os.chown(inside / "s", pwd.getpwnam(owner).pw_uid, 65534 if group == "nogroup" else 0)
        (inside / "s").chmod(socket_mode)
        inside.chmod(folder_mode)
        assert hindrance(inside / "s", "nobody") == why.format(inside / "s", inside)
        assert hindrance(inside / "s", "root") == ""
        assert hindrance(inside / "s", "no-such-user") == ""


def test_the_socket_itself(tmp_path: Path) -> None:
    settings = site(tmp_path)
    assert list(milter_socket(settings)) == []
    (tmp_path / "s").touch()
    (tmp_path / "s").chmod(0o660)
    (told,) = milter_socket(settings)
    assert (told.level, "and group" in told.found) == ("OK", True)
    (tmp_path / "s").chmod(0o666)
    assert [one.level for one in milter_socket(settings)] == ["WARN"]


# Filters before us


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("", True),
        ("[labels]\ntrusted_results = 1\n", False),
        ("[labels]\nremove_forged = false\n", False),
    ],
)
def test_results_of_a_filter_before_us(tmp_path: Path, more: str, warned: bool) -> None:
    text = asks(tmp_path).replace("=filterd\n", "=sign,filterd\n")
    told = found(of_sendmail(tmp_path, f"Xsign, S=inet:8891@127.0.0.1, F=T\n{text}", more))
    assert not any("runs before filterd" in says for _, says in told), "it need not be one"
    text = asks(tmp_path).replace("=filterd\n", "=opendkim,filterd\n")
    told = found(of_sendmail(tmp_path, f"Xopendkim, S=inet:8891@127.0.0.1, F=T\n{text}", more))
    assert any("runs before filterd" in says for _, says in told) is warned
    main = f"smtpd_milters = unix:/run/opendkim/opendkim.sock, unix:{tmp_path}/s\n"
    told = found(of_postfix(tmp_path, main, more=more))
    assert any("runs before filterd" in says for _, says in told) is warned
    # `check` and `run` say the same, each once.
    times = time_warnings(site(tmp_path, more), Mtas(main_cf=tmp_path / "main.cf"))
    assert sum("runs before filterd" in one for one in times) == warned
    main = f"smtpd_milters = unix:{tmp_path}/s, unix:/run/opendkim/opendkim.sock\n"
    told = found(of_postfix(tmp_path, main, more=more))
    assert not any("runs before filterd" in says for _, says in told)


# Which files


def test_the_files_that_are_named_or_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = site(tmp_path)
    monkeypatch.setattr(mta, "SENDMAIL_CF", tmp_path / "usual.cf")
    monkeypatch.setattr(mta, "MAIN_CF", tmp_path / "none.cf")
    monkeypatch.setattr(mta, "SENDMAIL_PROGRAMS", (tmp_path / "praliases",))

    def about(where: Mtas) -> list[str]:
        return [
            o.about for o in diagnose(settings, where) if o.about in ("mta", "sendmail", "postfix")
        ]

    assert about(Mtas()) == ["mta"]
    (tmp_path / "usual.cf").write_text("")
    # The settings of an MTA that was removed.
    assert about(Mtas()) == ["mta"]
    (tmp_path / "praliases").touch()
    assert about(Mtas()) == ["sendmail"]
    assert about(Mtas(main_cf=tmp_path / "main.cf")) == ["postfix"]


# What check, run and doctor say of times


SHORT = [
    ("sendmail", "F=T, T=C:30s;S:10s;R:60s;E:30s", "T=E: is 30 s"),
    ("sendmail", "F=T, T=C:30s;S:10s;R:8s;E:5m", "T=R: is 8 s"),
    ("sendmail", "F=T, T=C:2s;S:10s;R:60s;E:5m", "T=C: is 2 s"),
    ("sendmail", "F=T, T=C:30s;S:1s;R:60s;E:5m", "T=S: is 1 s"),
    ("postfix", "milter_content_timeout = 10s", "milter_content_timeout is 10 s"),
    ("postfix", "milter_connect_timeout = 1s", "milter_connect_timeout is 1 s"),
    ("postfix", "milter_command_timeout = 2s", "milter_command_timeout is 2 s"),
]
RIGHT = [
    ("sendmail", "F=T, T=C:30s;S:10s;R:60s;E:30m"),
    ("sendmail", "F=T, T=C:0;S:0;R:60s;E:0"),
    ("postfix", "milter_content_timeout = 300s"),
]


def written(folder: Path, kind: str, text: str) -> Path:
    if kind == "sendmail":
        return cf(folder, asks(folder, text))
    main = folder / "main.cf"
    main.write_text(f"queue_directory = {folder}/queue\nsmtpd_milters = unix:{folder}/s\n{text}\n")
    (folder / "master.cf").write_text("smtp inet n - n - - smtpd\n")
    return main


def checked(config: Path, *arguments: str) -> list[str]:
    done = CliRunner().invoke(_command("check"), [f"--config={config}", "--json", *arguments])
    assert done.exit_code == 0, done.output
    warnings: list[str] = json.loads(done.output)["warnings"]
    return warnings


@pytest.mark.parametrize(("kind", "text", "says"), SHORT)
def test_check_and_doctor_agree_on_the_mtas_times(
    tmp_path: Path, kind: str, text: str, says: str
) -> None:
    file, settings = written(tmp_path, kind, text), site(tmp_path)
    assert settings.source is not None
    (told,) = checked(settings.source, f"--{kind}={file}")
    assert says in told
    assert told.startswith(f"{file}: ")
    where = Mtas(file) if kind == "sendmail" else Mtas(None, file)
    assert [one for one in diagnose(settings, where) if says in one.found]
    # The settings may name it as well, then `run` knows it too.
    key = "sendmail_cf" if kind == "sendmail" else "main_cf"
    text = settings.source.read_text().replace("[daemon]", f'[daemon]\n{key} = "{file.name}"')
    settings.source.write_text(text)
    assert checked(settings.source) == [told]
    assert time_warnings(load(settings.source), Mtas()) == [told]


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("sendmail", "F=T, T=R:30s;E:5m", "T=R: is 30 s, filters at a stage may take 20 s"),
        ("postfix", "milter_command_timeout = 30s", "is 30 s, [stages] timeout is 20 s"),
        ("sendmail", "F=T, T=R:40s;E:5m", ""),
        ("postfix", "milter_command_timeout = 40s", ""),
    ],
)
def test_a_long_time_for_filters_at_stages(tmp_path: Path, kind: str, text: str, says: str) -> None:
    more = "timeout = 60\n[stages]\ntimeout = 20\n"
    file, settings = written(tmp_path, kind, text), site(tmp_path, more)
    where = Mtas(file) if kind == "sendmail" else Mtas(None, file)
    told = time_warnings(settings, where)
    assert [says in one for one in told] == ([True] if says else [])
    # Where no MTA is known, its defaults stand for it.
    assert any(
        "[stages] timeout is 20 s" in one for one in time_warnings(settings, Mtas(Path("/x")))
    )


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_times_that_are_long_enough(tmp_path: Path, kind: str, text: str) -> None:
    file, settings = written(tmp_path, kind, text), site(tmp_path, "timeout = 400\n")
    assert settings.source is not None
    # Without the file, an MTA's defaults would be too short for this chain.
    assert any("MTAs wait 300 s" in one for one in time_warnings(settings, Mtas(Path("/no/x"))))
    assert checked(settings.source, f"--{kind}={file}") == []


def test_a_file_that_check_is_told_of_and_cannot_read(tmp_path: Path) -> None:
    settings = site(tmp_path)
    assert settings.source is not None
    told = checked(settings.source, f"--postfix={tmp_path}/none")
    assert told == [f"{tmp_path}/none: cannot be read: No such file or directory"]


def test_an_mta_that_asks_another_daemon_says_nothing_of_this(tmp_path: Path) -> None:
    file = written(
        tmp_path, "postfix", "smtpd_milters = inet:localhost:1\nmilter_content_timeout = 1s"
    )
    assert time_warnings(site(tmp_path), Mtas(None, file)) == []


def test_the_usual_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "postfix", "milter_content_timeout = 10s")
    monkeypatch.setattr(mta, "MAIN_CF", file)
    monkeypatch.setattr(mta, "SENDMAIL_CF", tmp_path / "none")
    monkeypatch.setattr(mta, "POSTFIX_PROGRAMS", (tmp_path / "postfix",))
    assert not any("milter_content_timeout" in one for one in time_warnings(site(tmp_path), Mtas()))
    (tmp_path / "postfix").touch()
    (told,) = time_warnings(site(tmp_path), Mtas())
    assert "milter_content_timeout is 10 s" in told
