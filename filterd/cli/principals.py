"""What the commands about accounts and tokens share: options, and how both are listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from filterd.cli.common import emit
from filterd.review.principals import Principal
from filterd.review.reviewer import Role

NameArgument = Annotated[str, typer.Argument(metavar="NAME")]
AdminOption = Annotated[bool, typer.Option("--admin", help="the same as --role admin")]
RoleOption = Annotated[
    Role,
    typer.Option(
        "--role",
        help="admin: sees and does everything. reviewer: all of its domains and recipients. "
        "helpdesk: searches and releases, for these or for everybody. auditor: sees everything, "
        "changes nothing. user: its own mail, on pages of its own",
    ),
]
DomainOption = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="DOMAIN", help="of recipients; may be repeated"),
]
RecipientOption = Annotated[
    list[str] | None, typer.Option("--recipient", metavar="ADDRESS", help="may be repeated")
]


def role_of(role: Role, admin: bool) -> Role:
    """The role that `--role` and `--admin` mean."""
    return "admin" if admin else role


def show(
    found: Sequence[Principal], nobody: str, *, as_json: bool, of_people: bool = False
) -> None:
    """Print accounts or tokens without their secrets. nobody: what to say if there are none.
    of_people: they log in, perhaps with a second factor."""
    if as_json:
        for one in found:
            factor = {"second_factor": bool(one.totp)} if of_people else {}
            emit(one.described() | factor)
        return
    columns = ["name", "role", "made", *(["second factor"] if of_people else []), "sees mail to"]
    table = Table(*columns, box=None, pad_edge=False)
    for one in found:
        limits = [f"@{domain}" for domain in one.domains] + list(one.recipients)
        sees = "everybody" if one.reviewer.sees_all else ", ".join(limits) or "nobody"
        cells = ["yes" if one.totp else "no"] if of_people else []
        table.add_row(one.name, one.role, one.made, *cells, sees)
    Console(highlight=False).print(table if found else nobody)
