"""`filterd known`: whether this site has written to somebody, and forgetting it."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from filterd.cli.common import ConfigOption, Exit, JsonOption, emit, fail, reported, settings, who
from filterd.config.assembly import site_services, site_state
from filterd.config.load import Settings
from filterd.filters.identities import mailbox_of
from filterd.filters.known.correspondents import Correspondents, site_key
from filterd.filters.known.settings import KnownSettings
from filterd.message.address import AddressPatternError, checked_mailbox
from filterd.quarantine import Store, StoreError
from filterd.state.facts import StateError
from filterd.system.display import printable

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="People to whom this site has written, whose mail gets points for that.",
)

_Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="of the people")]


@app.command()
def show(addresses: _Addresses, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show whether somebody here has written to these people.

    The state keeps hashes, not the addresses themselves. Exit status 66 if one of them is unknown.
    """
    wanted, known = _mailboxes(addresses), _known(settings(config))
    strangers = []
    with reported(Exit.UNAVAILABLE, StateError):
        for one in wanted:
            found = known.of(one, time.time()) if known is not None else None
            if found is None:
                strangers.append(f"{one} is not known")
            elif as_json:
                emit({"address": one, **asdict(found)})
            else:
                writers = f"{found.writers} sender{'s'[: found.writers != 1]} here"
                first, last, expires = map(_day, (found.first, found.last, found.expires))
                sys.stdout.write(
                    f"{printable(one)}: {writers} wrote to it, first on {first}, noted last on "
                    f"{last}; known until {expires}\n"
                )
    if strangers:
        fail("\n".join(strangers), Exit.NO_INPUT)


@app.command()
def forget(addresses: _Addresses, config: ConfigOption = None) -> None:
    """Make strangers of these people, until somebody here writes to them again.

    Exit status 66 if one of them is not known.
    """
    loaded = settings(config)
    wanted, known = _mailboxes(addresses), _known(loaded)
    strangers = []
    with reported(Exit.UNAVAILABLE, StateError), reported(Exit.IO_ERROR, StoreError):
        for one in wanted:
            if known is None or not known.forget(one, time.time()):
                strangers.append(f"{one} is not known")
                continue
            Store(loaded.quarantine).note("forgotten", "", who(), f"known: {one}")
            sys.stdout.write(f"{printable(one)}: forgotten\n")
    if strangers:
        fail("\n".join(strangers), Exit.NO_INPUT)


def _mailboxes(addresses: list[str]) -> list[str]:
    with reported(Exit.USAGE, AddressPatternError):
        return [mailbox_of(checked_mailbox(one)) for one in addresses]


def _known(loaded: Settings) -> Correspondents | None:
    """What the state knows; None where the site has no key yet, and so knows nobody."""
    own = loaded.of_filter(KnownSettings)
    with reported(Exit.UNAVAILABLE, StateError, OSError):
        try:
            key = site_key(own, site_services(loaded))
        except FileNotFoundError:
            if own.key_file is not None:
                raise
            return None
        return Correspondents(own, site_state(loaded), key)


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d}"
