"""The `filterd` command and its subcommands.

Each subcommand's module is imported when that command is asked for, so that `filterd --help` and
small commands do not pay for libraries that they do not use.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from filterd import __version__
from filterd.cli import streams
from filterd.cli.exits import Exit
from filterd.system.child import keep_children_safe

if TYPE_CHECKING:
    import typer

# Command → (module, attribute, one line of help). The attribute is a function, or a typer.Typer
# for a command with subcommands of its own.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("filterd.cli.run", "run", "run the filter daemon in the foreground"),
    "check": ("filterd.cli.check", "check", "check the settings; --show prints what is in force"),
    "init": ("filterd.cli.init", "init", "write a commented settings file to begin with"),
    "setup": ("filterd.cli.setup", "app", "attach sendmail or Postfix to the daemon"),
    "scan": ("filterd.cli.scan", "scan", "scan stored messages, offline"),
    "explain": ("filterd.cli.explain", "explain", "show why a message gets its score"),
    "train": ("filterd.cli.train", "train", "train a classifier model on spam and ham"),
    "learn": ("filterd.cli.learn", "learn_app", "teach the model spam and ham, or make it forget"),
    "evaluate": ("filterd.cli.evaluate", "evaluate", "measure the classifier on labelled mail"),
    "model": ("filterd.cli.model", "app", "list, show, undo and roll back learning"),
    "quarantine": (
        "filterd.cli.quarantine",
        "app",
        "list, show, release and delete quarantined mail",
    ),
    "search": ("filterd.cli.search", "search", "find messages of quarantine and history"),
    "status": ("filterd.cli.status", "status", "state of the daemon, filters and classifier"),
    "clamd": ("filterd.cli.clamd", "app", "show clamd's state, make it read its signatures again"),
    "reload": ("filterd.cli.reload", "reload", "make the daemon read its settings again"),
    "doctor": ("filterd.cli.doctor", "doctor", "find what is wrong, and say how to fix it"),
    "replay": ("filterd.cli.replay", "replay", "scan stored mail again with other settings"),
    "history": (
        "filterd.cli.history",
        "app",
        "list the messages of the last days, kept or not; show one",
    ),
    "backup": ("filterd.cli.backup", "backup", "save all that the site has in one archive"),
    "restore": ("filterd.cli.backup", "restore", "bring a saved archive back"),
    "greylist": ("filterd.cli.greylist", "app", "list mail that waits to be sent again, let it in"),
    "rates": ("filterd.cli.rates", "app", "list whose mail is held, let it through again"),
    "known": ("filterd.cli.known", "app", "show or forget people to whom this site has written"),
    "rules": ("filterd.cli.rules", "app", "rules in SpamAssassin's language: check, list, fetch"),
    "dkim": ("filterd.cli.dkim", "app", "keys for DKIM signatures: make one, ask the DNS for it"),
    "digest": ("filterd.cli.digest", "app", "mail to recipients about what is held for them"),
    "dmarc": (
        "filterd.cli.dmarc",
        "app",
        "DMARC reports: make and send ours, read others'",
    ),
    "notice": (
        "filterd.cli.notice",
        "app",
        "notices by mail and webhooks: try them, see what waits",
    ),
    "report": ("filterd.cli.report", "app", "a report by mail for admins: send it, print it"),
    "web": ("filterd.cli.web", "app", "review pages and REST interface, and their accounts"),
    "mta": ("filterd.cli.mta", "app", "the embedded reference MTA"),
    "selftest": ("filterd.cli.selftest", "selftest", "send test messages through the daemon"),
    "demo": ("filterd.cli.demo", "demo", "show the whole path on sample mail"),
}

_CLICK_USAGE = 2
"""The status with which typer ends after a usage error; sysexits calls for 64."""


def overview() -> str:
    """The text of `filterd --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, _, text) in COMMANDS.items()]
    return (
        "Usage: filterd COMMAND [OPTIONS]\n\n"
        "A mail filter for sendmail and Postfix: spam classifier, ClamAV, part stripping,\n"
        "quarantine, and an embedded reference MTA.\n\nCommands:\n"
        + "\n".join(lines)
        + "\n\n`filterd COMMAND --help` explains one. `filterd --version` prints the version.\n"
    )


def main() -> None:
    """Entry point of the console script."""
    keep_children_safe()
    streams.prepare()
    try:
        _main(sys.argv[1:])
    finally:
        # Here, where what goes wrong can still be told, and not when the interpreter ends.
        sys.stdout.flush()


def _main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        sys.exit(Exit.OK if arguments else Exit.USAGE)
    if arguments[0] == "--version":
        sys.stdout.write(f"filterd {__version__}\n")
        sys.exit(Exit.OK)
    name = arguments[0]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        sys.stderr.write(f"filterd: no command {name!r}; {hint}there are: {', '.join(COMMANDS)}\n")
        sys.exit(Exit.USAGE)
    try:
        _command(name)(args=arguments[1:], prog_name=f"filterd {name}")
    except SystemExit as end:
        if end.code == _CLICK_USAGE:
            sys.exit(Exit.USAGE)
        raise
    except KeyboardInterrupt:
        sys.stderr.write("filterd: interrupted\n")
        sys.exit(130)


def _command(name: str) -> typer.Typer:
    import typer  # noqa: PLC0415  (`filterd --help` does without)

    module_name, attribute, help_text = COMMANDS[name]
    loaded: Any = getattr(importlib.import_module(module_name), attribute)
    if isinstance(loaded, typer.Typer):
        return loaded
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command(name, help=loaded.__doc__ or help_text)(_with_status(loaded))
    return single


def _with_status(function: Callable[..., int | None]) -> Callable[..., None]:
    """The function as a command: the int that it returns becomes the exit status."""

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        sys.exit(function(*args, **kwargs) or 0)

    return command
