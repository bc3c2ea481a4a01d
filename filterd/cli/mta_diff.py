"""`filterd mta diff`: which addresses two configurations treat differently."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from filterd.cli.common import emit
from filterd.mta.cf.addresses import AddressKind
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.observer import Observer
from filterd.mta.trace.configuration import RuleFile, parsed, triple

KINDS = {
    "envelope recipient": AddressKind(),
    "envelope sender": AddressKind(sender=True),
    "header recipient": AddressKind(header=True),
    "header sender": AddressKind(header=True, sender=True),
}


def answers(file: RuleFile, text: str) -> dict[str, str]:
    """What a configuration makes of an address: where mail for it goes, and how it is written then.

    Local users write mail: their addresses are also seen as senders by the mailers that send it.
    """
    found = parsed(file.resolver(Observer()), text, AddressKind())
    said = {"goes to": triple(found)}
    own = file.cf.program.mailers.find(found.mailer) if found is not None else None
    if own is None:
        return said
    for words, kind in KINDS.items():
        said[words] = _seen(file, text, own, kind)
    if "l" in own.flags:
        for mailer in file.cf.program.mailers.numbered():
            if mailer.path == "[IPC]":
                for words, kind in KINDS.items():
                    if kind.sender:
                        said[f"{words} by {mailer.name}"] = _seen(file, text, mailer, kind)
    return said


def _seen(file: RuleFile, text: str, mailer: MailerLine, kind: AddressKind) -> str:
    result, status = file.resolver(Observer()).rewrite_for(octets(text), mailer, kind)
    return readable(result) + (" (to be tried again later)" if status else "")


def diff(old: RuleFile, new: RuleFile, addresses: Iterable[str], *, as_json: bool) -> int:
    """Print what changes. Returns the exit status: 1 if something does."""
    changed = count = 0
    for text in addresses:
        count += 1
        before, after = answers(old, text), answers(new, text)
        differing = {
            what: (before.get(what), after.get(what))
            for what in {**before, **after}
            if before.get(what) != after.get(what)
        }
        if as_json:
            changes = {what: {"old": one, "new": two} for what, (one, two) in differing.items()}
            emit({"address": text, "changes": changes})
        elif differing:
            sys.stdout.write(f"{text}\n")
            for what, (one, two) in differing.items():
                sys.stdout.write(f"  {what}:\n")
                sys.stdout.write(f"    - {_shown(one)}\n    + {_shown(two)}\n")
        changed += bool(differing)
    if not as_json:
        sys.stdout.write(f"{changed} of {count} addresses change\n")
    return 1 if changed else 0


def _shown(answer: str | None) -> str:
    return "(does not apply)" if answer is None else answer
