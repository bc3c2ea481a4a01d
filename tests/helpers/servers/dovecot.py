"""Dovecot with imapsieve, as docs/learning.md sets it up: moving mail to and from Junk trains."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.process import Program, answers, free_port, require

RECIPE = Path(__file__).resolve().parents[3] / "packaging" / "dovecot"
ROOT = RECIPE.parents[1]

USER, PASSWORD = "joe", "secret"

COMMON = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
{ssl}
auth_mechanisms = plain
default_internal_user = dovecot
default_login_user = dovenull
default_internal_group = dovecot
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  # Makes an address that fails often wait up to 15 s; here all logins come from one.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
!include {folder}/95-filterd.conf
"""

SYNTAX_2_3 = """\
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home/%u
}}
"""

SYNTAX_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {group}
    home = {folder}/home/%{{user}}
  }}
}}
"""

SIEVEC_2_3 = """\
plugin {
  sieve_plugins = sieve_imapsieve sieve_extprograms
  sieve_global_extensions = +vnd.dovecot.pipe +vnd.dovecot.environment
}
"""

SIEVEC_2_4 = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
sieve_plugins = sieve_imapsieve sieve_extprograms
sieve_global_extensions = vnd.dovecot.pipe vnd.dovecot.environment
"""


def is_2_4(program: Path) -> bool:
    """True for Dovecot 2.4 and later, whose settings are written otherwise than those of 2.3."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return tuple(map(int, said.stdout.split(".")[:2])) >= (2, 4)


class Dovecot:
    """An IMAP server on `port`, whose hook teaches the models in `models`.

    script: which of the recipe's scripts the hook runs. certificate: PEM files of a certificate and
    its key, for TLS on `tls_port` and by STARTTLS.
    """

    def __init__(
        self,
        folder: Path,
        script: str = "filterd-learn",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        program = require("dovecot", "dovecot-imapd")
        compiler = require("sievec", "dovecot-sieve")
        if os.geteuid() != 0:
            pytest.skip("dovecot changes its user and must be started by root")
        self.folder = folder
        self._is_2_4 = is_2_4(program)
        self.port = free_port()
        self.tls_port = free_port() if certificate else 0
        self.models = folder / "models"
        self.queue = folder / "queue"
        self.settings = folder / "filterd.toml"
        self.settings.write_text('[filters.bayes]\nmodels = "models"\n')
        mail = pwd.getpwnam("mail")
        (folder / "home").mkdir()
        os.chown(folder / "home", mail.pw_uid, mail.pw_gid)
        self._install(script, compiler, mail.pw_name)
        (folder / "dovecot.conf").write_text(
            ((SYNTAX_2_4 if self._is_2_4 else SYNTAX_2_3) + COMMON).format(
                folder=folder,
                port=self.port,
                tls_port=self.tls_port,
                ssl=self._ssl(certificate),
                password=PASSWORD,
                user=mail.pw_name,
                group=grp.getgrgid(mail.pw_gid).gr_name,
            )
        )
        self.process = Program([program, "-F", "-c", folder / "dovecot.conf"], folder, patience=2.0)

    def _install(self, script: str, compiler: Path, user: str) -> None:
        """The recipe's files in this server's folder, with its names in them."""
        sieve = self.folder / "sieve"
        sieve.mkdir()
        # The hook runs without an environment: the command that a site has in its PATH is here a
        # script that knows where the checkout is.
        command = sieve / "filterd"
        command.write_text(
            f"#!/bin/sh\ncd {ROOT}\n"
            f'exec {sys.executable} -P -m filterd "$@" --config {self.settings}\n'
        )
        command.chmod(0o755)
        text = (RECIPE / script).read_text()
        text = text.replace("\n", f"\nPATH={sieve}:$PATH\nFILTERD_LEARN_QUEUE={self.queue}\n", 1)
        (sieve / "filterd-learn").write_text(text)
        (sieve / "filterd-learn").chmod(0o755)
        recipe = RECIPE / ("95-filterd-2.4.conf" if self._is_2_4 else "95-filterd.conf")
        config = recipe.read_text().replace("/etc/dovecot/sieve", str(sieve))
        config = config.replace("user = vmail", f"user = {user}")
        # Only who runs the tests is sure to be allowed to run this Python.
        config = config.replace("user = filterd", f"user = {pwd.getpwuid(os.geteuid()).pw_name}")
        (self.folder / "95-filterd.conf").write_text(config)
        for name in ("filterd-learn-spam.sieve", "filterd-learn-ham.sieve"):
            shutil.copy(RECIPE / name, sieve)
        (self.folder / "sievec.conf").write_text(SIEVEC_2_4 if self._is_2_4 else SIEVEC_2_3)
        for name in ("filterd-learn-spam.sieve", "filterd-learn-ham.sieve"):
            subprocess.run(
                [compiler, "-c", self.folder / "sievec.conf", sieve / name], check=True, timeout=30
            )

    def _ssl(self, certificate: tuple[Path, Path] | None) -> str:
        if certificate is None:
            return "ssl = no"
        public, private = certificate
        if self._is_2_4:
            return f"ssl = yes\nssl_server_cert_file = {public}\nssl_server_key_file = {private}"
        return f"ssl = yes\nssl_cert = <{public}\nssl_key = <{private}"

    def start(self) -> None:
        self.process.start(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.stop()

    @property
    def log(self) -> str:
        """What it has logged so far."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def client(self) -> imaplib.IMAP4:
        """A client that is logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=60)
        client.login(USER, PASSWORD)
        return client

    def run_later(self) -> None:
        """What the timer does where the hook only keeps the messages."""
        subprocess.run([self.folder / "sieve" / "filterd-learn", "run"], check=True, timeout=60)
