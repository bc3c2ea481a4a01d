"""What the commands of `filterd quarantine` share: options, the store, errors as one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from filterd.cli.common import Exit, fail, settings
from filterd.quarantine import GoneError, Store, StoreError, UnknownIdError
from filterd.quarantine.query import QueryError
from filterd.quarantine.release import ReleaseError
from filterd.review.actions import ActionError, ActionRequest, ActionResult, ReviewActions
from filterd.review.rights import BULK

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="List, show, release and delete quarantined mail.",
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="from a reply, a log line or `list`")]
IdArguments = Annotated[list[str], typer.Argument(metavar="ID...", help="one or more ids")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="why, for the audit trail")]


def command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command, with the store's errors as one line and an exit status."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (UnknownIdError, GoneError) as error:
                fail(str(error), Exit.NO_INPUT)
            except QueryError as error:
                fail(str(error), Exit.USAGE)
            except ReleaseError as error:
                fail(str(error), Exit.DATA)
            except ActionError as error:
                fail(str(error), Exit.CANNOT_CREATE)
            except StoreError as error:
                fail(str(error), Exit.IO_ERROR)
            except ValueError as error:
                fail(str(error), Exit.NO_INPUT)

        app.command(name)(guarded)
        return guarded

    return register


def store_of(config: Path | None) -> Store:
    """The store that the settings name."""
    return Store(settings(config).quarantine)


def actions_of(config: Path | None) -> ReviewActions:
    """What can be done with the store that the settings name."""
    return ReviewActions(settings(config))


def perform(
    actions: ReviewActions, name: str, ids: list[str], request: ActionRequest
) -> list[ActionResult]:
    """Do one of the table's actions. At the command line everybody who may read the store is an
    admin. Raises ActionError, UnknownIdError, StoreError."""

    run = BULK[name].run
    assert run is not None
    return run(actions, list(dict.fromkeys(ids)), request)
