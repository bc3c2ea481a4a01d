"""What all commands share: options, exit statuses, errors as one line, JSON output."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from filterd.cli import exits, streams
from filterd.config.load import ConfigError, Settings, load
from filterd.filters.bayes.settings import BayesSettings
from filterd.system import privileges

Exit = exits.Exit

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="settings (default: ./filterd.toml, else /etc/filterd)",
    ),
]
SendmailOption = Annotated[
    Path | None,
    typer.Option(
        "--sendmail",
        metavar="FILE",
        help="sendmail.cf (default: daemon.sendmail_cf, else /etc/mail/sendmail.cf)",
    ),
]
PostfixOption = Annotated[
    Path | None,
    typer.Option(
        "--postfix",
        metavar="FILE",
        help="main.cf (default: daemon.main_cf, else /etc/postfix/main.cf)",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]


def fail(text: str, status: Exit) -> NoReturn:
    """Print the text to standard error, each line after the program's name, and end the command
    with that exit status."""
    sys.stderr.write("".join(f"filterd: {line}\n" for line in text.split("\n")))
    raise typer.Exit(status)


def store_first(loaded: Settings) -> Iterable[Path]:
    """Folders whose owner root acts as, the first that exists, in commands about kept mail."""
    return loaded.quarantine.folder, models_folder(loaded), loaded.daemon.spool


def models_first(loaded: Settings) -> Iterable[Path]:
    """The same for commands about the classifier's models."""
    return models_folder(loaded), loaded.quarantine.folder, loaded.daemon.spool


def models_folder(loaded: Settings) -> Path:
    """Where the classifier's models are."""
    return loaded.of_filter(BayesSettings).models


def settings(
    config: Path | None,
    folders: Callable[[Settings], Iterable[Path]] = store_first,
    *,
    only_looks: bool = False,
) -> Settings:
    """The settings; a mistake in them ends the command with one line for each and exit status 78.

    Where root runs the command, it acts as the owner of the first of these folders from here on.
    only_looks: also where the packaged layout is not in order; other commands end with status 78.
    """
    try:
        loaded = load(config)
    except ConfigError as error:
        fail(str(error), Exit.CONFIG)
    try:
        privileges.act_as_owner(folders(loaded), loaded.source, refuses=not only_looks)
    except privileges.NotOfServiceError as error:
        fail(str(error), Exit.CONFIG)
    return loaded


@contextmanager
def reported(status: Exit, *errors: type[BaseException]) -> Iterator[None]:
    """Turn these errors into one line and an exit status."""
    try:
        yield
    except errors as error:
        fail(_in_words(error), status)


def _in_words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def left_out(why: Exception) -> None:
    """Say on standard error that one message was left out. why: names it."""
    sys.stderr.write(f"filterd: {why}; left out\n")


def emit(value: Any) -> None:
    """Print one JSON value on a line of its own."""
    # JSON is UTF-8 (RFC 8259 §8.1); where the locale has another encoding, it is ASCII.
    text = json.dumps(value, ensure_ascii=not streams.is_unicode())
    if not text.isascii():
        # Octets that were not UTF-8 are lone surrogates, which JSON can only write as escapes.
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    sys.stdout.write(text + "\n")


def who() -> str:
    """The person at the command line, as the journal names them."""
    for name in ("LOGNAME", "USER"):
        if os.environ.get(name):
            return f"cli:{os.environ[name]}"
    try:
        return f"cli:{pwd.getpwuid(privileges.caller()).pw_name}"
    except KeyError:
        return f"cli:{privileges.caller()}"
