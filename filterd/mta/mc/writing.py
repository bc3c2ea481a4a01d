"""Mistakes of writing: quotes, parentheses, blanks, comments, text that m4 only copies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from filterd.mta.mc.macros import KINDS, MacroFiles
from filterd.mta.mc.messages import McMessage, nearest
from filterd.mta.mc.scan import BUILTINS, RAW_SECTIONS, Call, Scan

OTHER_QUOTES = "'\"‘’‚‛“”„´′\udc91\udc92\udc93\udc94"
"""What printers, web pages and keyboards put in the place of m4's quotes; the last four are those
of Windows-1252 in a file that is not UTF-8."""

ARGUMENTS = {
    "define": 2,
    "OSTYPE": 2,
    "DOMAIN": 2,
    "DAEMON_OPTIONS": 1,
    "CLIENT_OPTIONS": 1,
    "INPUT_MAIL_FILTER": 2,
    "MAIL_FILTER": 2,
    "QUEUE_GROUP": 2,
    "MODIFY_MAILER_FLAGS": 2,
    "MASQUERADE_AS": 1,
    "MASQUERADE_DOMAIN": 1,
    "MASQUERADE_EXCEPTION": 1,
    "EXPOSED_USER": 1,
    "LOCAL_USER": 1,
    "LOCAL_DOMAIN": 1,
    "RELAY_DOMAIN": 1,
    "GENERICS_DOMAIN": 1,
    "VIRTUSER_DOMAIN": 1,
    "CANONIFY_DOMAIN": 1,
    "TRUST_AUTH_MECH": 1,
}
"""How many arguments count; m4 drops the others."""

CF_LINE = re.compile(r"[A-Z]\S|O ")
"""How a line of a sendmail.cf begins."""


def writing(text: str, found: Scan, files: MacroFiles) -> Iterator[McMessage]:
    """Yield the mistakes, in no order."""
    if "\r\n" in text:
        yield McMessage(
            text[: text.index("\r\n")].count("\n") + 1,
            "lines end with CR LF, and sendmail takes the CR for a part of the line",
            "LF alone (dos2unix)",
        )
    yield from _unclosed(text, found)
    quoted_otherwise = set()
    for call in found.calls:
        for message in _other_quotes(call):
            quoted_otherwise.add(message.line)
            yield message
    for line, raw in found.stray_ends:
        if line not in quoted_otherwise:
            yield McMessage(
                line,
                f"the ' in {_short(raw)} ends the quoted text there",
                "no ' inside of `…': write the word without it",
            )
    for call in found.calls:
        yield from _call(call)
    for call in found.unknown:
        yield _unknown(call, files)
    needs = (files.directives - RAW_SECTIONS) | BUILTINS
    for line, name in found.bare:
        if name in needs and (name in ARGUMENTS or name in KINDS):
            yield McMessage(line, f"{name} without a parenthesis", f"{name}(`…')")
    yield from _copied(text, found)
    yield from _rules(text, found)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."


def _unclosed(text: str, found: Scan) -> Iterator[McMessage]:
    if not found.unclosed:
        return
    what, line = found.unclosed[0]
    source = text.split("\n")[line - 1]
    if what == "quote":
        twice = re.search(r"`[^`']*`", source)
        yield McMessage(
            line,
            f"the quote that begins here does not end: {_short(source)}",
            f"{twice[0][:-1]}'" if twice else "' at the end of what ` begins",
            "error",
        )
    else:
        yield McMessage(line, f"the {what} does not close: {_short(source)}", ")", "error")


def misquoted(call: Call) -> bool:
    """Whether an argument is in other quotes than m4's, so that its commas count."""
    return next(_other_quotes(call), None) is not None


def _other_quotes(call: Call) -> Iterator[McMessage]:
    if call.name in ("VERSIONID", "changequote"):
        return
    waiting = list(call.arguments)
    while waiting:
        argument = waiting.pop(0)
        raw = argument.raw.strip()
        if not raw or raw[0] not in OTHER_QUOTES:
            continue
        # Its commas have cut it in pieces.
        while waiting and raw[-1] not in OTHER_QUOTES:
            raw += f", {waiting.pop(0).raw.strip()}"
        inner = raw.strip(OTHER_QUOTES + "`")
        what = f"{_short(raw)} is not quoted: m4's quotes are ` and '"
        yield McMessage(argument.line, what, f"`{_short(inner)}'")


def _call(call: Call) -> Iterator[McMessage]:
    shown = f"{call.name}({call.arguments[0].raw if call.arguments else ''}"
    shown = f"{_short(shown)}{', …' if len(call.arguments) > 1 else ''})"
    if call.spaced:
        yield McMessage(
            call.line,
            f"a blank stands between {call.name} and its parenthesis: m4 gives it no arguments",
            shown,
        )
        return
    if call.commented:
        yield McMessage(
            call.line,
            f"{call.name} behind a # is carried out: # does not begin a comment for m4",
            "dnl in the place of #",
        )
    if misquoted(call):
        return
    for argument in call.arguments:
        if (match := re.fullmatch(r"`([^`']*)'\s+`([^`']*)'\s*", argument.raw)) is not None:
            what = f"between `{_short(match[1])}' and `{_short(match[2])}' there is no comma"
            expected = f"`{_short(match[1])}', `{_short(match[2])}'"
            grave = call.name in ("INPUT_MAIL_FILTER", "MAIL_FILTER")
            yield McMessage(argument.line, what, expected, "error" if grave else "warning")
            return
    most = ARGUMENTS.get(call.name)
    if most is not None and len(call.arguments) > most:
        extra = call.arguments[most:]
        whole = ", ".join(one.text for one in call.arguments[most - 1 :])
        yield McMessage(
            extra[0].line,
            f"{call.name} takes {most} argument{'s' if most > 1 else ''}; "
            f"m4 drops {_short(', '.join(one.raw for one in extra))}",
            f"`{_short(whole)}' in quotes",
        )
    for argument in call.arguments:
        if call.name in KINDS and argument.raw != argument.raw.rstrip() and argument.quoted:
            yield McMessage(
                argument.line,
                f"the blank behind {argument.raw.rstrip()} belongs to the argument",
                "no blank before the comma or the parenthesis",
            )
    yield from _name_of_define(call)


def _name_of_define(call: Call) -> Iterator[McMessage]:
    if call.name in ("define", "undefine", "ifdef") and call.arguments:
        name = call.arguments[0]
        if re.fullmatch(r"\w+\s*", name.raw):
            yield McMessage(
                name.line,
                f"{name.raw.strip()} is not quoted: where it has a value, m4 puts the value here",
                f"{call.name}(`{name.raw.strip()}'",
            )
        elif name.text != name.text.strip():
            yield McMessage(
                name.line, f"the name {name.raw} has a blank in it", f"`{name.text.strip()}'"
            )
    if call.name == "define" and len(call.arguments) == 1 and not call.nested:
        lone = call.argument(1)
        if re.search(r"[\s=,]", lone.strip()):
            yield McMessage(
                call.line,
                f"define has one argument, {call.arguments[0].raw}",
                f"define(`{re.split(r'[^A-Za-z0-9_]', lone.strip())[0]}', `value')",
            )


def _unknown(call: Call, files: MacroFiles) -> McMessage:
    name = call.name
    if name.startswith("dnl"):
        return McMessage(call.line, f"{name} is one word, and not dnl", f"dnl {name[3:]}")
    known = files.directives | {"define", "undefine", "include", "dnl"}
    like = nearest(name, known)
    return McMessage(
        call.line,
        f"{name} is not a macro: m4 copies the line",
        f"{like}(…)" if like else "a directive of sendmail's cf/README, or dnl before a comment",
    )


def _copied(text: str, found: Scan) -> Iterator[McMessage]:
    """Text outside of every section that m4 copies and that is not a line of a sendmail.cf."""
    told = {call.line for call in found.unknown} | {
        call.line for call in found.calls if call.spaced
    }
    told |= {line for line, _name in found.bare}
    source = text.split("\n")
    ends = {call.end: call for call in found.calls}
    for line in found.lines:
        if line.section or line.number in told:
            continue
        words = line.text.strip()
        call = ends.get(line.number)
        original = source[line.number - 1] if line.number <= len(source) else ""
        if line.whole and (words.startswith("#") or CF_LINE.match(line.text)):
            continue
        if call is not None and call.name == "VERSIONID":
            continue
        if words.startswith("#") and not original.lstrip().startswith("#"):
            yield McMessage(
                line.number,
                f"{_short(words)} goes into the sendmail.cf: its blank continues the line before",
                "dnl before a comment",
            )
        elif words.startswith("#"):
            continue
        elif re.match(r"[dD][nN1lL]{2}\b", words):
            yield McMessage(line.number, f"{words.split()[0]} is not dnl", "dnl")
        elif words in ("'", ")", "'')", "')"):
            yield McMessage(line.number, f"{words} stands behind the end of the call", "one less")
        else:
            yield McMessage(
                line.number,
                f"m4 copies {_short(words)} into the sendmail.cf",
                "dnl before a comment, or LOCAL_CONFIG above lines of a sendmail.cf",
            )


def _rules(text: str, found: Scan) -> Iterator[McMessage]:
    """R lines without a tab."""
    source = text.split("\n")
    for line in found.lines:
        if not line.section or not line.text.startswith("R") or line.number > len(source):
            continue
        rule, following = line.text, line.number
        while following < len(source) and source[following][:1] in (" ", "\t"):
            rule += "\n" + source[following]
            following += 1
        if "\t" not in rule and re.search(r"\S[ \n]+\S", rule):
            yield McMessage(
                line.number,
                f"the rule {_short(line.text)} has blanks where sendmail needs a tab",
                "a tab between its two sides (and before a comment)",
            )
