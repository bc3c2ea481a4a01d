"""`filterd setup`: a real Postfix and a real sendmail are attached, tested, and taken back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config.load import Settings
from filterd.config.mta_lines import postfix_lines, sendmail_lines
from filterd.setup import daemon
from filterd.setup.postfix import FOLDER_MODE
from tests.helpers.machine import Machine
from tests.helpers.messages import GTUBE
from tests.helpers.process import Program, folder, require, unpacked

pytestmark = pytest.mark.minutes

ROOT = Path(__file__).parents[2]

DEBIAN = """\
sed -i '/clamd/d' /etc/passwd; rm -f /etc/clamav/clamd.conf
cp -a {postfix}/usr/. /usr/
cp -a {postfix}/etc/postfix /etc/
cp -a {postfix}/var/spool/postfix /var/spool/
groupadd --system postfix; groupadd --system postdrop
useradd --system -g postfix -d /var/spool/postfix postfix
cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
# Each name once: Postfix warns of others, and one of 3.10 that warns itself in maillog_file hangs.
postconf -e 'myhostname = mx.example.test' 'mydestination = mx.example.test, localhost' \\
  'inet_interfaces = 127.0.0.1' 'inet_protocols = ipv4' 'alias_maps = texthash:/etc/aliases' \\
  'alias_database =' 'maillog_file = /var/log/postfix.log' 'smtpd_peername_lookup = no' \\
  'smtp_dns_support_level = disabled'
echo 'postmaster: joe' > /etc/aliases
useradd joe
mkdir -p /run/systemd/system /var/mail
cp {folder}/systemctl /usr/local/sbin/systemctl
cp /usr/share/postfix/dynamicmaps.cf /etc/postfix/
: > /etc/postfix/main.cf.proto; : > /etc/postfix/master.cf.proto
chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue
chmod g+s /usr/sbin/postdrop /usr/sbin/postqueue
mkdir -p /var/lib/postfix && chown postfix:postfix /var/lib/postfix
# As the unit starts it: else Debian 13's script hands that over to systemctl.
INVOCATION_ID=unit postfix start
"""

SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd, which does not run here: the daemon, as the unit starts it.
case "$*" in
  daemon-reload) ;;
  "restart filterd")
    [ ! -e /run/filterd.pid ] || { kill "$(cat /run/filterd.pid)"; rm /run/filterd.pid; }
    cd /
    setpriv --reuid=filterd --regid=filterd --init-groups --inh-caps=+dac_read_search \
      --ambient-caps=+dac_read_search @PYTHON@ -P -m filterd run >>@FOLDER@/daemon.log 2>&1 &
    echo $! >/run/filterd.pid
    ;;
  *) echo "systemctl $*" >&2; exit 1 ;;
esac
"""


class Debian(Machine):
    """Postfix as Debian installs it, smtpd in its chroot, and filterd in the packaged layout."""

    def main_cf(self) -> str:
        return self.run("cat /etc/postfix/main.cf")

    def send(self, body: bytes) -> str:
        """A message by SMTP: the last reply."""
        addresses = "--from ann@client.example --to joe@mx.example.test"
        return self.run(f"swaks --server 127.0.0.1 {addresses} --body '{body.decode()}'")


@pytest.fixture
def debian() -> Iterator[Debian]:
    root = unpacked("postfix")
    require(root / "usr/lib/postfix/sbin/master", "postfix")
    require("swaks", "swaks")
    with folder("setup") as path:
        script = SYSTEMCTL.replace("@PYTHON@", sys.executable).replace("@FOLDER@", str(path))
        (path / "systemctl").write_text(script)
        (path / "systemctl").chmod(0o755)
        machine = Debian(path, "etc var usr", DEBIAN.format(postfix=root, folder=path))
        machine.start()
        status, said = machine.filterd("init", "--system")
        assert status == 0, said
        yield machine
        machine.run("postfix stop; kill $(cat /run/filterd.pid)")


def test_postfix_on_debian(debian: Debian) -> None:
    before = debian.main_cf()
    settings = debian.run("cat /etc/filterd/filterd.toml")
    # It shows everything, and changes nothing.
    status, shown = debian.filterd("setup", "postfix")
    assert status == 0, shown
    assert "$ install -d -o filterd -g postfix -m 2710 /var/spool/postfix/filterd" in shown
    assert '+socket = "unix:/var/spool/postfix/filterd/filterd.sock"' in shown
    for name, value in postfix_lines(Settings(), "unix:filterd/filterd.sock").items():
        assert f"+{name} = {value}" in shown
    assert "+ReadWritePaths=-/var/spool/postfix/filterd" in shown
    assert debian.main_cf() == before

    status, said = debian.filterd("setup", "postfix", "--apply")
    assert status == 0, said + debian.run("tail -5 /var/log/postfix.log; tail -5 /tmp/*/daemon.log")
    assert "gtube: expected refused with 550, came 550" in said
    assert "550 5.7.1" in debian.send(GTUBE)
    assert "250 2.0.0 Ok: queued" in debian.send(b"hello")
    assert debian.owner("/var/spool/postfix/filterd") == "filterd:postfix 2710"
    # The copies are root's, and the service reaches its archives beside them.
    assert debian.owner("/var/backups/filterd") == "root:root 711"
    assert debian.owner("/var/backups/filterd/postfix") == "root:root 700"
    # What the test left: nothing in the quarantine. Postfix' own view of it is right, too.
    assert debian.run("find /var/spool/filterd/quarantine -name '*.json'") == debian.run(
        "find /var/spool/filterd/quarantine -newer /run/filterd.pid -name '*.json'"
    )
    status, told = debian.filterd("doctor", "--json")
    assert '"about": "postfix", "found": "smtp asks unix:filterd/filterd.sock"' in told, told

    status, said = debian.filterd("setup", "postfix", "--apply")
    assert (status, "nothing to change" in said) == (0, True)
    status, said = debian.filterd("setup", "postfix", "--undo")
    assert status == 0, said
    assert debian.main_cf() == before
    assert debian.run("cat /etc/filterd/filterd.toml") == settings
    assert debian.owner("/var/spool/postfix/filterd") == ""
    for path in ("/etc/systemd/system/filterd.service.d", "/var/backups/filterd/postfix"):
        assert debian.owner(path) == ""
    assert "250 2.0.0 Ok: queued" in debian.send(GTUBE)


def test_all_is_taken_back_if_the_test_mail_fails(debian: Debian) -> None:
    before = debian.main_cf()
    # There is no such user: the clean message is refused by Postfix itself.
    status, said = debian.filterd("setup", "postfix", "--apply", "--to=unknown@mx.example.test")
    assert status == 70
    assert "mail did not go as it should" in said
    assert "all is as before" in said
    assert debian.main_cf() == before
    assert debian.owner("/var/spool/postfix/filterd") == ""
    assert "250 2.0.0 Ok: queued" in debian.send(GTUBE)


def test_all_is_taken_back_if_postfix_complains(debian: Debian) -> None:
    # `postfix check` compares with this list; nobody has noticed since Postfix started.
    debian.run("rm /etc/postfix/postfix-files")
    before = debian.main_cf()
    status, said = debian.filterd("setup", "postfix", "--apply")
    assert (status, "postfix -c /etc/postfix check: " in said) == (70, True), said
    assert debian.main_cf() == before


def test_what_somebody_changed_since_is_not_overwritten(debian: Debian) -> None:
    assert debian.filterd("setup", "postfix", "--apply")[0] == 0
    debian.run("echo 'message_size_limit = 1000000' >> /etc/postfix/main.cf")
    status, said = debian.filterd("setup", "postfix", "--undo")
    assert status == 70
    assert "/etc/postfix/main.cf was changed since" in said
    assert "message_size_limit" in debian.main_cf()


def test_other_filters_keep_their_values(debian: Debian) -> None:
    debian.run(
        "printf 'smtpd_milters = inet:127.0.0.1:1\\nmilter_default_action = accept\\n' "
        ">> /etc/postfix/main.cf"
    )
    status, said = debian.filterd("setup", "postfix", "--apply")
    assert status == 0, said
    text = debian.main_cf()
    assert (
        "smtpd_milters = { unix:filterd/filterd.sock, default_action=tempfail, "
        "content_timeout=300s }, inet:127.0.0.1:1"
    ) in text
    assert "milter_default_action = accept" in text
    assert "550 5.7.1" in debian.send(GTUBE)


def test_tcp_with_its_warning(debian: Debian) -> None:
    status, said = debian.filterd("setup", "postfix", "--apply", "--tcp=8891")
    assert status == 0, said
    assert "# every user of this host can connect" in said
    assert "smtpd_milters = inet:127.0.0.1:8891" in debian.main_cf()
    assert "550 5.7.1" in debian.send(GTUBE)


def test_only_root_applies(debian: Debian) -> None:
    status, said = debian.filterd("setup", "postfix", "--apply", user="joe")
    assert (status, "sudo filterd setup postfix --apply" in said) == (77, True)


def test_the_pages_show_what_setup_does() -> None:
    """docs/postfix.md says by hand what the command does."""
    text = (ROOT / "docs/postfix.md").read_text("utf-8")
    where = Path("/var/spool/postfix/filterd")
    assert f"install -d -o filterd -g postfix -m {FOLDER_MODE:o} {where}\n" in text
    assert daemon.drop_in(where) in text
    assert f'[daemon]\nsocket = "unix:{where}/filterd.sock"\n' in text


# sendmail

SENDMAIL = """\
rm -f /etc/clamav/clamd.conf
cp -a {sendmail}/usr/share/sendmail /usr/share/
cp -a {sendmail}/usr/libexec/sendmail /usr/libexec/
cp -a {sendmail}/etc/mail /etc/
ln -sf /usr/libexec/sendmail/sendmail /usr/sbin/sendmail
groupadd --system smmta; groupadd --system smmsp
useradd --system -g smmta smmta; useradd --system -g smmsp smmsp
printf '#!/bin/sh\\nexec cat >/dev/null\\n' > /usr/local/sbin/deliver
chmod 755 /usr/local/sbin/deliver
useradd joe
cp {folder}/sendmail.mc /etc/mail/sendmail.mc
echo 'postmaster: joe' > /etc/mail/aliases
touch /etc/mail/local-host-names
printf 'hosts\\tfiles\\naliases\\tfiles\\n' > /etc/mail/service.switch
m4 /etc/mail/sendmail.mc > /etc/mail/sendmail.cf
mkdir -p -m 755 /var/run/sendmail/mta /var/spool/mqueue
chmod 700 /var/spool/mqueue
chmod go-w / /etc /etc/mail /usr /var /var/spool /run /run/sendmail
# No name server: an answer at once, and not after a minute.
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' > /etc/resolv.conf
echo '127.0.0.1 mx.example.test localhost' > /etc/hosts
sendmail -bi
"""

MC = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`debian')dnl
define(`confDOMAIN_NAME', `mx.example.test')dnl
define(`ALIAS_FILE', `/etc/mail/aliases')dnl
define(`confTO_IDENT', `0s')dnl
define(`confQUEUE_LA', `1000000')dnl
define(`confREFUSE_LA', `1000000')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`LOCAL_MAILER_PATH', `/usr/local/sbin/deliver')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Name=MTA-v4, Family=inet, Addr=127.0.0.1, Port=smtp')dnl
MAILER_DEFINITIONS
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


@pytest.fixture
def sendmail() -> Iterator[Machine]:
    """sendmail as Debian installs it, and the daemon of the packaged layout."""
    root = unpacked("sendmail")
    require(root / "usr/libexec/sendmail/sendmail", "sendmail-bin")
    require("m4", "m4")
    require("swaks", "swaks")
    with folder("setup") as path:
        (path / "sendmail.mc").write_text(MC)
        machine = Machine(path, "etc var usr", SENDMAIL.format(sendmail=root, folder=path))
        machine.start()
        status, said = machine.filterd("init", "--system")
        assert status == 0, said
        daemon = machine.daemon()
        daemon.start(lambda: " listens on unix:" in daemon.output)
        mta = Program(
            machine.command("/usr/sbin/sendmail", "-bD"), path, {"RES_OPTIONS": "attempts:1"}, 2
        )
        pid = "/var/run/sendmail/mta/sendmail.pid"
        mta.start(lambda: machine.owner(pid) != "")
        yield machine


def sent(machine: Machine, body: bytes) -> str:
    addresses = "--from ann@client.example --to joe@mx.example.test"
    return machine.run(f"swaks --server 127.0.0.1 {addresses} --body '{body.decode()}'")


def test_sendmail_on_debian(sendmail: Machine) -> None:
    mc, cf = (sendmail.run(f"cat /etc/mail/sendmail.{end}") for end in ("mc", "cf"))
    status, shown = sendmail.filterd("setup", "sendmail")
    assert status == 0, shown
    for line in sendmail_lines(Settings()):
        assert f"+{line}" in shown
    assert "+Xfilterd, S=unix:/run/filterd/filterd.sock, F=T, T=C:30s;S:10s;R:60s;E:5m" in shown
    assert sendmail.run("cat /etc/mail/sendmail.mc") == mc
    assert "250 2.0.0" in sent(sendmail, GTUBE)

    status, said = sendmail.filterd("setup", "sendmail", "--apply")
    assert status == 0, said
    assert "gtube: expected refused with 550, came 550" in said
    assert "550 5.7.1" in sent(sendmail, GTUBE)
    assert "250 2.0.0" in sent(sendmail, b"hello")

    # Somebody adds to the file by hand: it is not overwritten.
    sendmail.run("cp -p /etc/mail/sendmail.mc /etc/kept; echo dnl >> /etc/mail/sendmail.mc")
    status, said = sendmail.filterd("setup", "sendmail", "--undo")
    assert (status, "/etc/mail/sendmail.mc was changed since" in said) == (70, True)
    sendmail.run("cp -p /etc/kept /etc/mail/sendmail.mc")
    status, said = sendmail.filterd("setup", "sendmail", "--undo")
    assert status == 0, said
    assert sendmail.run("cat /etc/mail/sendmail.mc") == mc
    assert sendmail.run("cat /etc/mail/sendmail.cf") == cf
    assert "250 2.0.0" in sent(sendmail, GTUBE)


def test_an_mta_that_does_not_know_postmaster(sendmail: Machine) -> None:
    """As Debian installs sendmail where nothing has made /etc/aliases."""
    sendmail.run(": > /etc/mail/aliases; sendmail -bi")
    status, said = sendmail.filterd("setup", "sendmail", "--apply")
    assert status == 0, said
    assert "clean: expected 250" in said
    assert "does not know postmaster, so root gets the test mail" in said
    assert "add `postmaster: root` to its aliases and run newaliases" in said


def test_a_sendmail_cf_that_was_changed_by_hand_is_not_built_again(sendmail: Machine) -> None:
    sendmail.run("echo 'O MaxMessageSize=1000000' >> /etc/mail/sendmail.cf")
    status, said = sendmail.filterd("setup", "sendmail", "--apply")
    assert (status, "somebody changed it by hand" in said) == (70, True), said
    assert "INPUT_MAIL_FILTER" not in sendmail.run("cat /etc/mail/sendmail.mc")


def test_a_sendmail_mc_that_sendmail_does_not_take(sendmail: Machine) -> None:
    """Its own test mode complains, and all is as before."""
    text = MC.replace("MAILER_DEFINITIONS", "LOCAL_CONFIG\nO NoSuchOption=1\nMAILER_DEFINITIONS")
    sendmail.write("/etc/mail/sendmail.mc", text)
    sendmail.run("m4 /etc/mail/sendmail.mc > /etc/mail/sendmail.cf")
    status, said = sendmail.filterd("setup", "sendmail", "--apply")
    assert status == 70
    assert "NoSuchOption" in said
    assert sendmail.run("cat /etc/mail/sendmail.mc") == text
