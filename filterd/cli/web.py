"""`filterd web`: the review pages and the REST interface, and their accounts."""

from __future__ import annotations

import logging
import secrets
import stat
import sys
from pathlib import Path
from typing import Annotated

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, fail, reported, settings
from filterd.cli.principals import (
    AdminOption,
    DomainOption,
    NameArgument,
    RecipientOption,
    RoleOption,
    role_of,
    show,
)
from filterd.cli.web_token import app as tokens
from filterd.config.load import ConfigError, Settings
from filterd.ops.folders import check_folders
from filterd.review.accounts import FIRST, Accounts
from filterd.review.principals import PrincipalError, accounts_path
from filterd.system import privileges

app = typer.Typer(
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Serve the review pages and the REST interface, until SIGTERM.",
)
account = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(account, name="account", help="Who may log in.")

app.add_typer(tokens, name="token", help="Who may use the REST interface.")

PASSWORD_OCTETS = 4096
"""Octets of a file with a password that are read."""

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="read the password from its first line (- for stdin); otherwise one is generated",
    ),
]


@app.callback()
def web(
    context: typer.Context,
    config: ConfigOption = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--first-password-file",
            metavar="FILE",
            help="file with the first account's password; otherwise one is generated and printed",
        ),
    ] = None,
) -> None:
    """Serve the review pages and the REST interface, until SIGTERM."""
    if context.invoked_subcommand:
        return
    from filterd.web.serve import serve  # noqa: PLC0415  (starlette: `web account` does without)

    loaded = settings(config)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    with reported(Exit.CONFIG, PrincipalError):
        _first_account(loaded, password_file)
    privileges.give_up_root(loaded.source)
    with reported(Exit.CONFIG, ConfigError):
        check_folders(loaded)
    sys.stdout.write(f"filterd web: {loaded.web.base}\n")
    sys.stdout.flush()
    with reported(Exit.UNAVAILABLE, OSError):
        serve(loaded)


@account.command("add")
def add(
    name: NameArgument,
    role: RoleOption = "reviewer",
    admin: AdminOption = False,
    domains: DomainOption = None,
    recipients: RecipientOption = None,
    password_file: PasswordFile = None,
    config: ConfigOption = None,
) -> None:
    """Create an account: a reviewer for domains and recipients, or one with another role."""

    password, is_made = _password(password_file)
    with reported(Exit.DATA, PrincipalError):
        Accounts(accounts_path(settings(config))).add(
            name, password, role_of(role, admin), domains or (), recipients or ()
        )
    _tell(name, password, is_made)


@account.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the accounts."""
    with reported(Exit.DATA, PrincipalError):
        found = Accounts(accounts_path(settings(config))).all()
    show(found, "there are no accounts yet", as_json=as_json, of_people=True)


@account.command("factor-off")
def factor_off(name: NameArgument, config: ConfigOption = None) -> None:
    """Switch an account's second factor off, for somebody whose phone is lost. Its sessions end."""
    with reported(Exit.DATA, PrincipalError):
        Accounts(accounts_path(settings(config))).set_totp(name, "")


@account.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove an account. Its sessions end at once."""
    with reported(Exit.DATA, PrincipalError):
        Accounts(accounts_path(settings(config))).remove(name)


@account.command("password")
def password(
    name: NameArgument, password_file: PasswordFile = None, config: ConfigOption = None
) -> None:
    """Change an account's password. Its sessions end at once."""

    chosen, is_made = _password(password_file)
    with reported(Exit.DATA, PrincipalError):
        Accounts(accounts_path(settings(config))).set_password(name, chosen)
    _tell(name, chosen, is_made)


def _first_account(loaded: Settings, password_file: Path | None) -> None:
    """Create the first account where there are none, with a password that nobody else knows."""

    accounts = Accounts(accounts_path(loaded))
    if accounts.all():
        return
    chosen, is_made = _password(password_file)
    try:
        accounts.add(FIRST, chosen, "admin")
    except PrincipalError:
        if not accounts.all():
            raise
        return  # another `filterd web` that starts at the same time was faster
    _tell(FIRST, chosen, is_made)


def _password(file: Path | None) -> tuple[str, bool]:
    """A password, and whether it was made here."""
    if file is None:
        return secrets.token_urlsafe(15), True
    try:
        if str(file) == "-":
            line = sys.stdin.buffer.readline(PASSWORD_OCTETS)
        else:
            with file.open("rb") as opened:
                line = opened.readline(PASSWORD_OCTETS)
            if file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
                sys.stderr.write(f"warning: {file}: it is readable by others\n")
        return line.rstrip(b"\r\n").decode("utf-8-sig"), False
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: the password cannot be read ({error})", Exit.NO_INPUT)


def _tell(name: str, password: str, is_made: bool) -> None:
    """Print a password that was made here; it is nowhere else."""
    if is_made:
        sys.stdout.write(f"account {name}, password {password} (shown only this once)\n")
        sys.stdout.flush()
