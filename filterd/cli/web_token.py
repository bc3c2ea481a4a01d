"""`filterd web token`: who may use the REST interface."""

from __future__ import annotations

import sys

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, reported, settings
from filterd.cli.principals import (
    AdminOption,
    DomainOption,
    NameArgument,
    RecipientOption,
    RoleOption,
    role_of,
    show,
)
from filterd.review.principals import PrincipalError, tokens_path
from filterd.review.tokens import TokenFile

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command("add")
def add(
    name: NameArgument,
    role: RoleOption = "reviewer",
    admin: AdminOption = False,
    domains: DomainOption = None,
    recipients: RecipientOption = None,
    config: ConfigOption = None,
) -> None:
    """Create a token and print it. It cannot be shown again."""
    with reported(Exit.DATA, PrincipalError):
        secret = TokenFile(tokens_path(settings(config))).add(
            name, role_of(role, admin), domains or (), recipients or ()
        )
    sys.stdout.write(f"{secret}\n")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the tokens, without their secrets."""
    with reported(Exit.DATA, PrincipalError):
        found = TokenFile(tokens_path(settings(config))).all()
    show(found, "there are no tokens yet", as_json=as_json)


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Remove a token. It stops working at once."""
    with reported(Exit.DATA, PrincipalError):
        TokenFile(tokens_path(settings(config))).remove(name)
