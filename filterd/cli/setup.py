"""`filterd setup postfix` and `setup sendmail`: attach the MTA, or show what that changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from filterd.cli.common import (
    ConfigOption,
    Exit,
    PostfixOption,
    SendmailOption,
    fail,
    reported,
)
from filterd.config.load import ConfigError, Settings, load
from filterd.doctor.mta import MAIN_CF, SENDMAIL_CF
from filterd.setup.apply import COPIES, SetupCopies, apply, take_back
from filterd.setup.daemon import is_systemd, restart
from filterd.setup.plan import SetupError, SetupPlan
from filterd.setup.postfix import postfix_plan
from filterd.setup.sendmail import sendmail_plan
from filterd.system import paths
from filterd.system.child import python_command

app = typer.Typer(
    help="Attach sendmail or Postfix to the daemon, or show what that changes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ApplyOption = Annotated[
    bool,
    typer.Option(
        "--apply",
        help="do it, with copies, checks and test mail; if one fails, all is taken back",
    ),
]
UndoOption = Annotated[bool, typer.Option("--undo", help="bring the former files back")]
TcpOption = Annotated[
    int | None,
    typer.Option(
        "--tcp",
        metavar="PORT",
        min=1,
        max=65535,
        help="a TCP socket on 127.0.0.1, to which every user of this host can connect",
    ),
]
CopiesOption = Annotated[
    Path, typer.Option("--copies", metavar="DIR", help="where copies of changed files are kept")
]
RecipientOption = Annotated[
    str,
    typer.Option(
        "--to", metavar="ADDRESS", help="who gets the test mail; else postmaster, or root"
    ),
]


@dataclass(frozen=True, slots=True)
class _Wish:
    config: Path | None
    apply: bool
    undo: bool
    keeper: SetupCopies
    recipient: str


@app.command("postfix")
def postfix(
    config: ConfigOption = None,
    apply: ApplyOption = False,
    undo: UndoOption = False,
    tcp: TcpOption = None,
    to: RecipientOption = "",
    postfix: PostfixOption = None,
    copies: CopiesOption = COPIES,
) -> int:
    """Have Postfix ask the daemon: print what has to change, as a diff, or do it with --apply.

    The socket is put where smtpd reaches it, with and without a chroot. Exit status 77 without the
    permission, 70 if it failed and all is as before.
    """

    def plan(settings: Settings) -> SetupPlan:
        main = postfix or settings.daemon.main_cf or MAIN_CF
        return postfix_plan(settings, main, tcp)

    return _setup(_Wish(config, apply, undo, SetupCopies(copies / "postfix"), to), plan)


@app.command("sendmail")
def sendmail(
    config: ConfigOption = None,
    apply: ApplyOption = False,
    undo: UndoOption = False,
    tcp: TcpOption = None,
    to: RecipientOption = "",
    sendmail: SendmailOption = None,
    m4_folder: Annotated[
        Path | None,
        typer.Option("--m4-folder", metavar="DIR", help="sendmail's m4 files, where not usual"),
    ] = None,
    copies: CopiesOption = COPIES,
) -> int:
    """Have sendmail ask the daemon: print what has to change, as a diff, or do it with --apply.

    sendmail.cf is built from the sendmail.mc beside it. Exit status 77 without the permission, 70
    if it failed and all is as before.
    """

    def plan(settings: Settings) -> SetupPlan:
        cf = sendmail or settings.daemon.sendmail_cf or SENDMAIL_CF
        return sendmail_plan(settings, cf, tcp, m4_folder=m4_folder)

    return _setup(_Wish(config, apply, undo, SetupCopies(copies / "sendmail"), to), plan)


def _setup(wish: _Wish, planned: Callable[[Settings], SetupPlan]) -> int:
    if wish.apply and wish.undo:
        fail("expected --apply or --undo, not both", Exit.USAGE)
    if (wish.apply or wish.undo) and os.geteuid() != 0:
        words = " ".join(["sudo filterd", *sys.argv[1:]])
        fail(f"only root may change the MTA's files: {words}", Exit.NO_PERMISSION)
    with reported(Exit.CONFIG, ConfigError):
        settings = load(wish.config)
    with reported(Exit.SOFTWARE, SetupError):
        if wish.undo:
            return _undo(wish, planned, settings)
        plan = planned(settings)
        if not plan.is_needed:
            sys.stdout.write(f"{plan.mta} asks the daemon at {plan.socket}: nothing to change\n")
            return Exit.OK
        for line in plan.shown():
            sys.stdout.write(f"{line}\n")
        if not wish.apply:
            for obstacle in plan.obstacles:
                sys.stdout.write(f"# in the way: {obstacle}\n")
            sys.stdout.write(f"# filterd setup {plan.mta} --apply does this, and tests it\n")
            return Exit.OK
        apply(plan, wish.keeper, lambda: _trial(wish, plan), _tell)
    sys.stdout.write(
        f"{plan.mta} asks the daemon. `filterd setup {plan.mta} --undo` takes it back; "
        f"copies: {wish.keeper.folder}\n"
    )
    return Exit.OK


def _undo(wish: _Wish, planned: Callable[[Settings], SetupPlan], settings: Settings) -> int:
    changes, folders = wish.keeper.undone()
    for change in changes:
        for line in change.shown():
            sys.stdout.write(f"{line}\n")
    plan = planned(settings)
    own = {settings.source, paths.SYSTEM_CONFIG}
    is_ours = bool(folders) or any(one.path in own for one in changes)
    steps = restart() if is_ours and is_systemd() else ()
    with reported(Exit.SOFTWARE, OSError, subprocess.SubprocessError):
        take_back(
            SetupPlan(plan.mta, "", (), (), steps, (), (), plan.reload, plan.port), wish.keeper
        )
    sys.stdout.write(f"{plan.mta} is as before\n")
    return Exit.OK


def _trial(wish: _Wish, plan: SetupPlan) -> str:
    """Send the messages of the self-test through the MTA; what is wrong, empty if nothing is."""
    words = ["selftest", f"--through=127.0.0.1:{plan.port}", "--json"]
    if wish.recipient:
        words.append(f"--to={wish.recipient}")
    if wish.config is not None:
        words.append(f"--config={wish.config}")
    # A process of its own: it acts as the service's user, this one stays root.
    done = subprocess.run(
        python_command("filterd", *words), capture_output=True, text=True, check=False
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        _tell(f"{row['message']}: expected {row['expected']}, came {row['came']}")
    if done.returncode == 0 and rows:
        if done.stderr:
            _tell(done.stderr.strip())
        return ""
    wrong = [f"{row['message']}: {row['came']}" for row in rows if not row["ok"]]
    return "; ".join(wrong) or done.stderr.strip() or f"selftest: status {done.returncode}"


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
