#!/usr/bin/env python3
"""Manual pages and completions, written from the command line itself.

    scripts/manuals.py FOLDER        FOLDER/man/filterd.1, filterd-run.1 …, FOLDER/bash/filterd,
                                     FOLDER/zsh/_filterd, FOLDER/fish/filterd.fish
    scripts/manuals.py > docs/commands.md

What they say is what `--help` says: they cannot be out of date. Source: man(7), groff_man(7),
bash(1), "Programmable Completion"; zshcompsys(1); fish-doc(1), complete.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from filterd import __version__
from filterd.cli import app

FILES = """\
.SH FILES
.TP
.I /etc/filterd/filterd.toml
The settings of the service.
.TP
.I /var/lib/filterd
Models and lists.
.TP
.I /var/spool/filterd
Quarantine, history, and mail that is being examined.
"""


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands, by its words, as a click.Command."""

    def below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        for name, one in getattr(command, "commands", {}).items():
            yield from below((*words, name), one)

    for name in app.COMMANDS:
        yield from below((name,), typer.main.get_command(app._command(name)))


def options_of(command: Any) -> list[Any]:
    """The options of a command, without those that typer gives to every group of commands: filterd
    offers none of them."""
    typers = ("install_completion", "show_completion")
    options = (one for one in command.params if one.param_type_name == "option")
    return [one for one in options if one.name not in typers]


def escaped(text: str) -> str:
    """The text for roff: no line of it is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def page(words: tuple[str, ...], command: Any) -> str:
    """The manual page of one command."""
    name = "-".join(("filterd", *words))
    help = inspect.cleandoc(command.help or app.COMMANDS[words[0]][2])
    first, *rest = help.split("\n\n")
    lines = [
        f'.TH {name.upper()} 1 "" "filterd {__version__}" "filterd"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(' '.join(first.split()).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B filterd {escaped(' '.join(words))}",
        escaped(" ".join(synopsis(command))),
        ".SH DESCRIPTION",
    ]
    for paragraph in (first, *rest):
        lines += [".PP", escaped(" ".join(paragraph.split()))]
    inner = getattr(command, "commands", {})
    if inner:
        lines.append(".SH COMMANDS")
        for sub, one in inner.items():
            about = " ".join((one.help or "").split("\n\n")[0].split())
            lines += [".TP", f".B {escaped(sub)}", escaped(about)]
    options = options_of(command)
    if options:
        lines.append(".SH OPTIONS")
    for option in options:
        names = ", ".join((*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
        about = " ".join((option.help or "").split())
        lines += [
            ".TP",
            f".B {escaped(names + value)}",
            escaped(" ".join((option.help or "").split())),
        ]
    lines += [".SH SEE ALSO", ".BR filterd (1)"]
    return "\n".join(lines) + "\n"


def synopsis(command: Any) -> list[str]:
    """Options and arguments, as a usage line has them."""
    found = ["[OPTIONS]"]
    for one in command.params:
        if one.param_type_name == "argument":
            name = one.metavar or one.name.upper()
            many = "..." if one.nargs == -1 else ""
            found.append(
                (name if one.required else f"[{name}]".replace("[[", "[").replace("]]", "]")) + many
            )
    return [*found, "COMMAND"] if getattr(command, "commands", {}) else found


def overview() -> str:
    """The page filterd(1)."""
    lines = [
        f'.TH FILTERD 1 "" "filterd {__version__}" "filterd"',
        ".SH NAME",
        "filterd \\- mail filter (milter) for sendmail and Postfix",
        ".SH SYNOPSIS",
        ".B filterd",
        "COMMAND [OPTIONS]",
        ".SH COMMANDS",
    ]
    for name, (_, _, about) in app.COMMANDS.items():
        lines += [".TP", f".BR filterd\\-{name} (1)", escaped(about)]
    return "\n".join(lines) + "\n" + FILES


def completion() -> str:
    """The completion for bash: words of commands, their options, and names of files elsewhere."""
    cases = []
    for words, command in commands():
        options = [name for one in options_of(command) for name in one.opts if name[:2] == "--"]
        choices = [*getattr(command, "commands", {}), *options, "--help"]
        cases.append(f"    '{' '.join(words)}') choices='{' '.join(choices)}' ;;")
    return (
        "# Completion of filterd(1) for bash, written by scripts/manuals.py.\n"
        "_filterd() {\n"
        '  local word=${COMP_WORDS[COMP_CWORD]} path="" one choices=""\n'
        '  for one in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do\n'
        "    case $one in\n"
        "      -*) ;;\n"
        '      *) path="${path:+$path }$one" ;;\n'
        "    esac\n"
        "  done\n"
        '  while [ -n "$path" ]; do\n'
        "    case $path in\n" + "\n".join("  " + case for case in cases) + "\n    esac\n"
        '    [ -z "$choices" ] || break\n'
        '    case $path in *" "*) path=${path% *} ;; *) path="" ;; esac\n'
        "  done\n"
        f"  [ -n \"$path\" ] || choices='{' '.join(app.COMMANDS)} --help --version'\n"
        '  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")\n'
        "}\n"
        "complete -o default -F _filterd filterd\n"
    )


def choices(command: Any) -> Iterator[tuple[str, str]]:
    """What may follow a command, each with what `--help` says of it in its first sentence."""
    for name, one in getattr(command, "commands", {}).items():
        yield name, sentence(one.help or "")
    for option in options_of(command):
        for name in (one for one in option.opts if one.startswith("--")):
            yield name, sentence(option.help or "")
    yield "--help", "show this help"


def every_place() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Every place in a command line by the words before it, with what may stand there."""
    first = [(name, sentence(about)) for name, (_, _, about) in app.COMMANDS.items()]
    yield "", [*first, ("--help", "show this help"), ("--version", "show the version")]
    for words, command in commands():
        yield " ".join(words), list(choices(command))


def sentence(text: str) -> str:
    """The first sentence of a help text, on one line, without what a shell would read in it."""
    line = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    first = line.partition(". ")[0].rstrip(".")
    return "".join(one for one in first if one not in "'\"\\\\`$")


def zsh_completion() -> str:
    """The completion for zsh: as the one for bash, each word with what it is for."""
    cases = []
    for path, found in every_place():
        offered = " ".join(
            "'" + name.replace(":", "\\\\:") + (f":{about}" if about else "") + "'"
            for name, about in found
        )
        cases.append(f"      '{path}') choices=({offered}) ;;")
    return (
        "#compdef filterd\n"
        "# Completion of filterd(1) for zsh, written by scripts/manuals.py.\n"
        "_filterd() {\n"
        "  local one place=''\n"
        "  local -a choices\n"
        "  for one in ${words[2,CURRENT-1]}; do\n"
        '    [[ $one == -* ]] || place="${place:+$place }$one"\n'
        "  done\n"
        "  while true; do\n"
        "    case $place in\n" + "\n".join(cases) + "\n    esac\n"
        "    (( $#choices )) && break\n"
        "    [[ $place == *' '* ]] && place=${place% *} || place=''\n"
        "  done\n"
        "  _describe -o filterd choices\n"
        "  [[ -z $place ]] || _files\n"
        "}\n"
        '_filterd "$@"\n'
    )


def fish_completion() -> str:
    """The completion for fish: as the one for bash, each word with what it is for."""
    places = dict(every_place())
    lines = [
        "# Completion of filterd(1) for fish, written by scripts/manuals.py.",
        f"set -g __filterd_places {' '.join(repr(place) for place in places if place)}",
        "function __filterd_at",
        "    set -l place",
        "    for one in (commandline -opc)[2..-1]",
        "        string match -q -- '-*' $one; or set -a place $one",
        "    end",
        '    while set -q place[1]; and not contains -- "$place" $__filterd_places',
        "        set -e place[-1]",
        "    end",
        '    test "$place" = "$argv"',
        "end",
        "complete -c filterd -n '__filterd_at \"\"' -f",
    ]
    for place, found in places.items():
        for name, about in found:
            what = f"-l {name[2:]}" if name.startswith("--") else f"-f -a {name}"
            said = f" -d '{about}'" if about else ""
            lines.append(f"complete -c filterd -n '__filterd_at \"{place}\"' {what}{said}")
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The page docs/commands.md: every command with its options."""
    lines = [
        "# Commands",
        "",
        "What `filterd COMMAND --help` says, of all commands. This page is made from the program:",
        "`scripts/manuals.py > docs/commands.md`.",
    ]
    for words, command in commands():
        name = " ".join(("filterd", *words))
        help = inspect.cleandoc(command.help or app.COMMANDS[words[0]][2])
        lines += ["", f"{'#' * (1 + len(words))} {name}", "", "```"]
        lines += [" ".join((name, *synopsis(command))), "```"]
        for paragraph in help.split("\n\n"):
            lines += ["", " ".join(paragraph.split()).replace("|", "\\|")]
        options = options_of(command)
        if options:
            lines += ["", "| option | meaning |", "|---|---|"]
        for option in options:
            names = ", ".join((*option.opts, *option.secondary_opts))
            value = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
            about = " ".join((option.help or "").split()).replace("|", "\\|")
            lines.append(f"| `{names}{value}` | {about} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all of it, or the page of commands to standard output."""
    if len(sys.argv) == 1:
        sys.stdout.write(reference())
        return
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/manuals.py [FOLDER]")
    folder = Path(sys.argv[1])
    for name in ("man", "bash", "zsh", "fish"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "man/filterd.1").write_text(overview(), "utf-8")
    for words, command in commands():
        name = "-".join(("filterd", *words))
        (folder / f"man/{name}.1").write_text(page(words, command), "utf-8")
    (folder / "bash/filterd").write_text(completion(), "utf-8")
    (folder / "zsh/_filterd").write_text(zsh_completion(), "utf-8")
    (folder / "fish/filterd.fish").write_text(fish_completion(), "utf-8")


if __name__ == "__main__":
    main()
