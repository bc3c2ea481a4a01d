"""A configuration ready to be asked about addresses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filterd.mta.bt.machine import host
from filterd.mta.cf.addresses import AddressKind, AddressResolver, AddressState, ResolvedAddress
from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.marks import octets, readable
from filterd.mta.cf.observer import Observer
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.maps.opening import open_maps
from filterd.mta.mc.build import Build, build
from filterd.mta.mc.macros import MacroFiles
from filterd.mta.sendmail.cf_files import parse_cf, read_text
from filterd.mta.sendmail.macros import VERSION
from filterd.mta.trace.given import GivenFiles, GivenMaps


@dataclass(frozen=True)
class RuleFile:
    """A configuration. mc: what it was built from, None for a sendmail.cf. given: the only files
    that its maps read, None for those of the machine."""

    cf: SendmailCf
    name: str
    mc: Build | None = None
    given: GivenFiles | None = None

    @classmethod
    def read(cls, path: Path, macros: Path | None = None, *, is_mc: bool | None = None) -> RuleFile:
        """Read a file, by default one named `.mc` through m4. Raises CfError, McError,
        NoMacrosError."""
        made = None
        if path.suffix == ".mc" if is_mc is None else is_mc:
            made = build(path, MacroFiles.find(macros))
            text = made.text
        else:
            text = read_text(path)
        cf = parse_cf(text, str(path), host=host(VERSION, "t"))
        return cls(cf, str(path), made)

    def resolver(self, observer: Observer) -> AddressResolver:
        """Asks the rules, as for one message: what they set does not stay."""
        definitions = self.cf.program.definitions.copy()
        program = self.cf.program
        if self.given is not None:
            given = GivenMaps.of(self.cf, definitions, self.given)
            return AddressResolver(Rewriter(program, given, observer, definitions))
        maps = open_maps(self.cf, definitions)
        # The trace does not show what the rules make of the names in alias files.
        maps.alias_rules = lambda: AddressResolver(Rewriter(program, maps, Observer(), definitions))
        return AddressResolver(Rewriter(program, maps, observer, definitions))


def parsed(resolver: AddressResolver, text: str, kind: AddressKind) -> ResolvedAddress | None:
    """Where an address goes; None for a text that is none."""
    resolver.set_kind(kind)
    return resolver.parse(octets(text), kind, recipient=not kind.sender)


def triple(address: ResolvedAddress | None) -> str:
    """Where an address goes, in words."""
    if address is None:
        return "is not an address"
    if address.state == AddressState.BAD and address.problem is not None:
        problem = address.problem
        codes = " ".join(one for one in (problem.code, problem.enhanced) if one)
        return f"refused: {codes} {readable(problem.text)}"
    host = f", host {readable(address.host)}" if address.host else ""
    later = " (to be tried again later)" if address.state == AddressState.QUEUE else ""
    return f"mailer {address.mailer}{host}, user {readable(address.user)}{later}"
