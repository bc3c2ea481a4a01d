"""Names that sendmail's m4 files do not know, and directives that miss another one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from filterd.mta.mc.macros import KINDS, MacroFiles
from filterd.mta.mc.messages import McMessage, nearest
from filterd.mta.mc.scan import BUILTINS, Scan

MANY_TIMES = frozenset({"dnsbl", "enhdnsbl", "rhsbl", "badmx", "queuegroup", "mtamark"})
"""Features that may stand several times, with other arguments."""

NEEDS_ACCESS = frozenset(
    """
    blocklist_recipients blacklist_recipients bcc compat_check conncontrol greet_pause
    lookupdotdomain queuegroup ratecontrol relay_mail_from
    """.split()
)
"""Features that look up the access table."""


COMPANIONS = {
    "CANONIFY_DOMAIN": ("FEATURE", "nocanonify"),
    "CANONIFY_DOMAIN_FILE": ("FEATURE", "nocanonify"),
    "GENERICS_DOMAIN": ("FEATURE", "genericstable"),
    "GENERICS_DOMAIN_FILE": ("FEATURE", "genericstable"),
    "LDAPROUTE_DOMAIN": ("FEATURE", "ldap_routing"),
    "LDAPROUTE_DOMAIN_FILE": ("FEATURE", "ldap_routing"),
    "LDAPROUTE_EQUIVALENT": ("FEATURE", "ldap_routing"),
    "LDAPROUTE_EQUIVALENT_FILE": ("FEATURE", "ldap_routing"),
    "VIRTUSER_DOMAIN": ("FEATURE", "virtusertable"),
    "VIRTUSER_DOMAIN_FILE": ("FEATURE", "virtusertable"),
    "MASQUERADE_DOMAIN": ("MASQUERADE_AS", ""),
    "MASQUERADE_DOMAIN_FILE": ("MASQUERADE_AS", ""),
    "MASQUERADE_EXCEPTION": ("MASQUERADE_AS", ""),
    "MASQUERADE_EXCEPTION_FILE": ("MASQUERADE_AS", ""),
    "generics_entire_domain": ("FEATURE", "genericstable"),
    "limited_masquerade": ("MASQUERADE_AS", ""),
    "masquerade_entire_domain": ("MASQUERADE_AS", ""),
    "virtuser_entire_domain": ("FEATURE", "virtusertable"),
}
"""Directives and features that do nothing without another one: the directive, and its name."""


def naming(text: str, found: Scan, files: MacroFiles) -> Iterator[McMessage]:
    """Yield the mistakes, in no order."""
    yield from _files(found, files)
    yield from _defines(text, found, files)
    yield from _access(found)
    yield from _companions(found)
    yield from _map_files(found)


def _files(found: Scan, files: MacroFiles) -> Iterator[McMessage]:
    seen: dict[tuple[str, str], int] = {}
    for call in found.named(*KINDS):
        name = call.argument(1)
        if call.spaced or not name:
            continue
        if name != name.strip() or not re.fullmatch(r"[\w.+-]+", name):
            continue  # a mistake of writing
        if not files.file(call.name, name).is_file():
            like = nearest(name, files.choices(call.name))
            yield McMessage(
                call.line,
                f"{call.name}(`{name}') is not known: there is no "
                f"{KINDS[call.name]}/{name}.m4 in {files.folder}",
                f"`{like}'" if like else f"a name from {files.folder / KINDS[call.name]}",
                "error",
            )
        key = (call.name, name)
        if key in seen and name not in MANY_TIMES and not call.nested and call.name != "HACK":
            # The rest of the repeated call is carried out again, the second one counts.
            yield McMessage(
                call.line,
                f"{call.name}(`{name}') stands on line {seen[key]} already",
                "it once",
            )
        elif not call.nested:
            seen.setdefault(key, call.line)


def _defines(text: str, found: Scan, files: MacroFiles) -> Iterator[McMessage]:
    conf = sorted(name for name in files.names if name.startswith("conf"))
    others = sorted(name for name in files.names if re.fullmatch(r"[A-Z][A-Z0-9_]{3,}", name))
    words = Counter(re.findall(r"\w+", text, re.ASCII))
    values: dict[str, tuple[int, str]] = {}
    for call in found.named("define"):
        name = call.argument(1).strip()
        if call.spaced or not re.fullmatch(r"\w+", name, re.ASCII):
            continue
        before = values.get(name)
        if before is not None and not call.nested and name not in call.argument(2):
            if call.argument(2) != before[1]:
                yield McMessage(
                    call.line,
                    f"{name} has a value on line {before[0]} already, which is lost here",
                    "one define of it",
                )
        elif not call.nested:
            values[name] = (call.line, call.argument(2))
        if name in files.names or name.startswith("_") or name in BUILTINS:
            continue
        # Defined for the mc file's own use?
        if words[name] > 1:
            continue
        like = nearest(name, conf if name.lower().startswith("conf") else (*others, *conf))
        yield McMessage(
            call.line,
            f"nothing reads {name}: sendmail's m4 files have no such name",
            f"`{like}'" if like else "a name from sendmail's cf/README",
        )


def _access(found: Scan) -> Iterator[McMessage]:
    """Features of the access table before FEATURE(`access_db') or without it."""
    features = [call for call in found.named("FEATURE") if not call.spaced]
    table = next((call.line for call in features if call.argument(1) == "access_db"), None)
    for call in features:
        name = call.argument(1)
        own_value = name in ("greet_pause", "compat_check") and len(call.arguments) > 1
        if name in NEEDS_ACCESS and not call.nested and not own_value:
            if table is None:
                yield McMessage(
                    call.line,
                    f"FEATURE(`{name}') looks into the access table, and there is none",
                    "FEATURE(`access_db') above it",
                )
            elif table > call.line:
                yield McMessage(
                    call.line,
                    f"FEATURE(`{name}') looks into the access table, which comes on line {table}",
                    "FEATURE(`access_db') above it",
                )


def _companions(found: Scan) -> Iterator[McMessage]:
    there = {(call.name, call.argument(1)) for call in found.named("FEATURE")}
    there |= {(call.name, "") for call in found.named("MASQUERADE_AS")}
    if (
        any(call.name in ("DOMAIN", "include", "sinclude") for call in found.calls)
        or ("FEATURE", "nullclient") in there
    ):
        return  # the other one may be in there
    for call in found.calls:
        name = call.argument(1) if call.name == "FEATURE" else call.name
        needed = COMPANIONS.get(name)
        if needed is None or needed in there or call.spaced or call.nested:
            continue
        shown = f"FEATURE(`{needed[1]}')" if needed[1] else f"{needed[0]}(`…')"
        what = f"FEATURE(`{name}')" if call.name == "FEATURE" else name
        yield McMessage(call.line, f"{what} does nothing without {shown}", shown)


def _map_files(found: Scan) -> Iterator[McMessage]:
    """Database files named with the ending that sendmail adds."""
    for call in found.named("FEATURE"):
        for argument in call.arguments[1:]:
            kind, *words = argument.text.split() or [""]
            if kind not in ("hash", "btree", "cdb") or not words:
                continue
            name, _, ending = words[-1].rpartition(".")
            if ending in ("db", "cdb") and "/" in name:
                what = f"sendmail adds the ending to {words[-1]} once more"
                yield McMessage(argument.line, what, name[name.index("/") :])
