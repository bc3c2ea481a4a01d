"""rspamd beside filterd: its rules that need no network, on the same messages.

Its proxy worker speaks milter and examines messages itself, as many of them as filterd has cores.
What asks DNS, Redis or servers on the net is switched off: those would be measured, not rspamd.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.contestants import Contestant
from tests.helpers.process import Program, listens, wait_for

CONFIGURATION = Path("/etc/rspamd/rspamd.conf")

START_SECONDS = 60.0
"""For compiling its regular expressions, which it does anew in an empty folder."""

ASK_THE_NET = (
    "arc asn aws_s3 bimi clickhouse dcc dkim dkim_signing dmarc elastic fuzzy_check greylist "
    "hfilter history_redis maillist mx_check neural p0f phishing ratelimit rbl replies reputation "
    "spamassassin spf url_reputation url_redirector"
).split()
"""Modules that are switched off."""

PROXY = """\
bind_socket = "{folder}/rspamd.sock mode=0666";
milter = yes;
count = {workers};
upstream "local" {{ default = yes; self_scan = yes; }}
"""

OPTIONS = """\
control_socket = "{folder}/control.sock mode=0600";
dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.001s; retransmits = 1; }}
"""


@contextmanager
def rspamd(folder: Path) -> Iterator[Contestant]:
    """rspamd as a milter, once its regular expressions are compiled."""
    override = folder / "override.d"
    override.mkdir()
    for module in ASK_THE_NET:
        (override / f"{module}.conf").write_text("enabled = false;\n")
    for worker in ("normal", "controller"):
        (override / f"worker-{worker}.inc").write_text("enabled = false;\n")
    (override / "worker-proxy.inc").write_text(PROXY.format(folder=folder, workers=os.cpu_count()))
    (override / "options.inc").write_text(OPTIONS.format(folder=folder))
    names = ("LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR")
    variables = [f"--var={name}={folder}" for name in names]
    program = Program(["rspamd", "-f", "-i", "-c", CONFIGURATION, *variables], folder)
    program.patience = 1.0
    socket, log = folder / "rspamd.sock", folder / "rspamd.log"
    program.start(lambda: listens(socket))
    try:
        wait_for(
            "rspamd's regular expressions",
            lambda: "full hyperscan database" in log.read_text(errors="replace"),
            START_SECONDS,
        )
        yield Contestant("rspamd, local rules", socket, [("rspamd", program.pid)])
    finally:
        program.stop()
