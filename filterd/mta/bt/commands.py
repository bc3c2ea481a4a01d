"""The commands of test mode that begin with a slash."""

from __future__ import annotations

import re
from collections.abc import Callable

from filterd.mta.bt.around import Around
from filterd.mta.bt.output import TestModeOutput, Write
from filterd.mta.cf.addresses import (
    CANONIFY,
    ERROR_MAILER,
    FINAL,
    SENDER,
    AddressKind,
    AddressResolver,
    AddressState,
    ResolvedAddress,
)
from filterd.mta.cf.checks import HeaderChecker
from filterd.mta.cf.crack import cracked
from filterd.mta.cf.lookup import MapAnswer
from filterd.mta.cf.marks import MACRO
from filterd.mta.cf.rewriting import Rewriter

_SPACES = " \t\n\v\f\r"


class SlashCommands:
    """Carries out `/parse address` and the others. ended: after `/quit`."""

    def __init__(
        self,
        rewriter: Rewriter,
        resolver: AddressResolver,
        output: TestModeOutput,
        around: Around,
        write: Write,
    ) -> None:
        self._rewriter, self._resolver = rewriter, resolver
        self._program = rewriter.program
        self._output, self._around, self._write = output, around, write
        self._kind = AddressKind()
        self.ended = False
        self._commands: dict[str, Callable[[str], None]] = {
            "canon": self._canon,
            "mx": self._mx,
            "map": self._map,
            "try": self._try,
            "tryflags": self._tryflags,
            "parse": self._parse,
            "sender": self._sender,
            "expand": self._expand,
            "header": self._header,
            "gethostbyname": self._nothing,
        }

    def start(self) -> None:
        self._rewriter.definitions.set("addr_type", self._kind.macro)

    def run(self, text: str) -> None:
        """Carry out a line, which begins with the slash."""
        words = re.split(f"[ \t][{_SPACES}]*", text, maxsplit=1)
        name, argument = words[0][1:], words[1] if len(words) > 1 else ""
        if not name:
            self._write("Usage: /[canon|map|mx|parse|try|tryflags]\n")
        elif name.lower() == "quit":
            self.ended = True
        elif name.lower() in self._commands:
            self._commands[name.lower()](argument)
        else:
            self._write(f'Unknown "/" command {words[0]}\n')

    def _nothing(self, argument: str) -> None:
        del argument

    def _canon(self, name: str) -> None:
        if not name:
            self._write("Usage: /canon address\n")
        elif len(name) > 255:
            self._write("Name too long\n")
        else:
            found = self._around.hosts.canonical(name)
            self._write(f"getcanonname({name}) returns {found}\n")

    def _mx(self, name: str) -> None:
        if not name:
            self._write("Usage: /mx address\n")
            return
        found = self._around.hosts.mail_exchangers(name)
        if found is None:
            self._write(f"getmxrr({name}) returns null MX (See RFC7505)\n")
            return
        hosts = [] if isinstance(found, int) else list(found)
        count = found if isinstance(found, int) else len(hosts)
        self._write(f"getmxrr({name}) returns {count} value(s):\n")
        for host in hosts:
            self._write(f"\t{host}\n")

    def _map(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /map mapname key\n")
            return
        words = re.split(f"[{_SPACES}]", argument, maxsplit=1)
        if len(words) < 2:
            self._write("No key specified\n")
            return
        name, key = words
        map = self._around.maps.find(name)
        if map is None:
            self._write(f'Map named "{name}" not found\n')
            return
        opening = map.open()
        self._rewriter.tell(MapAnswer(complaint=opening.complaint, trouble=opening.trouble))
        if not opening.is_open:
            self._write(f'Map named "{name}" not open\n')
            return
        # What a lookup complains of stands in the middle of this line.
        self._write(f"map_lookup: {name} ({key}) ")
        answer = map.lookup(key)
        self._rewriter.tell(answer)
        found = "no match" if answer.value is None else f"returns {answer.value}"
        self._write(f"{found} ({answer.status})\n")

    def _expand(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /expand string\n")
        else:
            self._write(self._program.names.show(self._rewriter.expanded(argument)))

    def _tryflags(self, argument: str) -> None:
        if not argument:
            self._write("Usage: /tryflags [Hh|Ee][Ss|Rr]\n")
            return
        header, sender = self._kind.header, self._kind.sender
        for flag in argument.lower():
            if flag in "he":
                header = flag == "h"
            elif flag in "sr":
                sender = flag == "s"
        self._kind = AddressKind(header, sender)
        self._rewriter.definitions.set("addr_type", self._kind.macro)

    @property
    def _what(self) -> str:
        kind = self._kind
        return (
            f"{'header' if kind.header else 'envelope'} "
            f"{'sender' if kind.sender else 'recipient'} address"
        )

    def _try(self, argument: str) -> None:
        words = re.split(f"[ \t][{_SPACES}]*", argument, maxsplit=1)
        if len(words) < 2 or not words[1]:
            self._write("Usage: /try mailer address\n")
            return
        name, address = words
        mailer = self._program.mailers.find(name)
        if mailer is None:
            self._write(f"Unknown mailer {name}\n")
            return
        self._write(f"Trying {self._what} {address} for mailer {name}\n")
        result, status = self._resolver.rewrite_for(address, mailer, self._kind)
        self._write(f"Rcode = {status}, addr = {result}\n")

    def _parse(self, text: str) -> None:
        if not text:
            self._write("Usage: /parse address\n")
            return
        around = cracked(
            text,
            colon_in_addresses=self._program.colon_in_addresses,
            must_quote=self._program.must_quote,
        )
        self._write(f"Cracked address = {self._program.names.show(around)}\n")
        self._write(f"Parsing {self._what}\n")
        found = self._resolver.parse(text, self._kind)
        if found is None:
            self._write("Cannot parse\n")
            return
        host = f"host {found.host}, " if found.host else ""
        self._write(f"mailer {found.mailer}, {host}user {found.user}\n")

    def _sender(self, text: str) -> None:
        resolver, kind = self._resolver, AddressKind(sender=True)
        definitions = self._rewriter.definitions
        definitions.set("x", "")
        definitions.set("addr_type", kind.macro)
        found = resolver.parse(text, kind, recipient=False)
        if not self._usable(found):
            if found is not None and found.state != AddressState.BAD:
                self._rewriter.voice.error("553 5.1.7 Invalid sender address", text)
            self._output.suppressed = True
            text = self._around.user
            for one in (text, self._rewriter.expanded(MACRO + "n"), "postmaster"):
                text = one
                found = resolver.parse(one, kind, recipient=False)
                if found is not None:
                    break
            self._output.suppressed = False
        tokens = self._rewriter.scanned(text, self._program.tables.internal)
        if tokens is None:
            self.ended = True
            return
        self._run_for_sender(tokens)
        definitions.set("f", self._program.tables.join(tokens))
        mailer = self._program.mailers.find(found.mailer) if found else None
        if mailer is not None and "C" in mailer.flags:
            definitions.set("addr_type", kind.macro)
            self._run_for_sender(tokens)
        self._write(f"addr={found.user if found else ''}\n")

    def _run_for_sender(self, tokens: list[str]) -> None:
        for number in (CANONIFY, SENDER, FINAL):
            self._rewriter.run(tokens, number)
        self._rewriter.definitions.set("addr_type", None)

    @staticmethod
    def _usable(found: ResolvedAddress | None) -> bool:
        return (
            found is not None
            and found.state != AddressState.BAD
            and found.mailer not in (ERROR_MAILER, "prog", "*file*", "*include*")
        )

    def _header(self, text: str) -> None:
        flags = HeaderChecker(self._rewriter, self._resolver).check(text)
        self._write(f"ul = {'00000000' if not flags else f'0x{flags:08x}'}\n")
