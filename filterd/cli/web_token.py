"""`filterd web token`: who may use the REST interface."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, reported, settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("add")
def add(
    name: NameArgument,
    admin: Annotated[bool, typer.Option("--admin", help="sees and does everything")] = False,
    domains: Annotated[
        list[str] | None,
        typer.Option("--domain", metavar="DOMAIN", help="of recipients; may be repeated"),
    ] = None,
    recipients: Annotated[
        list[str] | None, typer.Option("--recipient", metavar="ADDRESS", help="may be repeated")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Make a token and print it: nobody can see it again."""
    from filterd.web.accounts import AccountError  # noqa: PLC0415
    from filterd.web.api.tokens import Tokens, tokens_path  # noqa: PLC0415

    with reported(Exit.DATA, AccountError):
        secret = Tokens(tokens_path(settings(config))).add(
            name, "admin" if admin else "reviewer", domains or (), recipients or ()
        )
    sys.stdout.write(f"{secret}\n")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the tokens, without their secrets."""
    from filterd.web.accounts import AccountError  # noqa: PLC0415
    from filterd.web.api.tokens import Tokens, tokens_path  # noqa: PLC0415

    with reported(Exit.DATA, AccountError):
        found = Tokens(tokens_path(settings(config))).all()
    if as_json:
        for one in found:
            emit(
                {
                    "name": one.name,
                    "role": one.role,
                    "made": one.made,
                    "domains": list(one.domains),
                    "recipients": list(one.recipients),
                }
            )
        return
    table = Table("name", "role", "made", "sees mail to", box=None, pad_edge=False)
    for one in found:
        limits = [f"@{domain}" for domain in one.domains] + list(one.recipients)
        table.add_row(one.name, one.role, one.made, ", ".join(limits) or "everybody")
    Console(highlight=False).print(table if found else "there are no tokens yet")


@app.command("remove")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Take a token away. It stops working at once."""
    from filterd.web.accounts import AccountError  # noqa: PLC0415
    from filterd.web.api.tokens import Tokens, tokens_path  # noqa: PLC0415

    with reported(Exit.DATA, AccountError):
        Tokens(tokens_path(settings(config))).remove(name)
