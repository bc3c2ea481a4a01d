"""All maps of a sendmail.cf, and those that sendmail makes itself: host, aliases and its parts."""

from __future__ import annotations

import logging
import pwd
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from filterd.mta.cf.addresses import AddressResolver
from filterd.mta.cf.alias_lines import alias_specs, class_trouble
from filterd.mta.cf.config import MapLine, SendmailCf
from filterd.mta.cf.lookup import EX_OK, RunTimeMacros
from filterd.mta.cf.map_arguments import MEMBER_LIMIT, map_options
from filterd.mta.cf.map_options import MapOptions
from filterd.mta.maps.alias_text import AliasText
from filterd.mta.maps.base import BaseMap, MapError
from filterd.mta.maps.database import DatabaseMap, ImplicitMap
from filterd.mta.maps.hosts import HostFiles, HostNames
from filterd.mta.maps.ldap import LdapMap
from filterd.mta.maps.network import BestMxMap, DnsMap, HostMap
from filterd.mta.maps.safety import Owner, group_number
from filterd.mta.maps.sequence import SequenceMap, SwitchMap
from filterd.mta.maps.simple import (
    ArithMap,
    ArpaMap,
    DequoteMap,
    MacroMap,
    NullMap,
    RegexMap,
    SyslogMap,
)
from filterd.mta.maps.socketmap import SocketMap
from filterd.mta.maps.stab import StabMap, StabTable
from filterd.mta.maps.system import ProgramMap, UserdbMap, UserMap
from filterd.mta.maps.text import TextMap
from filterd.resolver.resolver import Resolver

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MapSite:
    """What maps need to know of the place where they are.

    allows_programs: whether maps of class program are run. resolver: asked for names, None for the
    system's name servers.
    """

    allows_programs: bool = False
    resolver: Resolver | None = None


class SiteMaps:
    """The maps of one configuration. Nothing is opened before it is asked.

    K lines are entered by `define` while the file is read; `cf`, which has the options, is complete
    when a map is first looked for.
    """

    def __init__(self, cf: SendmailCf, macros: RunTimeMacros, site: MapSite | None = None) -> None:
        self._macros = macros
        self._site = site or MapSite()
        self._cf = cf
        self._maps: dict[str, BaseMap] = {}
        self._aliases = StabTable()
        self.alias_rules: Callable[[], AddressResolver] | None = None
        """Makes the rules that are asked for the names in alias files; None where there are none
        yet."""

        self.complaints: list[str] = []
        """About `O AliasFile`, after the first `find`."""

    def define(self, name: str, type: str, arguments: str) -> list[str]:
        return self._add(MapLine(name, type, arguments))

    def find(self, name: str) -> BaseMap | None:
        _ = self._own
        return self._maps.get(name.lower())

    def __iter__(self) -> Iterator[str]:
        _ = self._own
        return (one.options.name for one in self._maps.values())

    def retry(self) -> None:
        """Let maps that could not be opened be tried again. sendmail does so for each message."""
        for one in self._maps.values():
            one.retry()

    def _add(self, line: MapLine, *, is_alias: bool = False) -> list[str]:
        options, problems = map_options(line, self._maps, is_alias=is_alias)
        self._maps[line.name.lower()] = self._made(options)
        return problems

    def owner(self) -> Owner:
        """Who reads files. Asked when a map is opened, since options may follow K lines."""
        return self._owner

    @cached_property
    def _owner(self) -> Owner:
        return Owner.of(self._cf)

    def switch_file(self) -> Path:
        return self._path("ServiceSwitchFile", "/etc/mail/service.switch")

    def _made(self, options: MapOptions) -> BaseMap:
        makers: dict[str, Callable[[], BaseMap]] = {
            "null": lambda: NullMap(options),
            "dequote": lambda: DequoteMap(options),
            "arith": lambda: ArithMap(options),
            "arpa": lambda: ArpaMap(options),
            "macro": lambda: MacroMap(options, self._macros),
            "regex": lambda: RegexMap(options),
            "syslog": lambda: SyslogMap(options),
            "text": lambda: TextMap(options, self.owner),
            "stab": lambda: self._stab(options),
            "hash": lambda: DatabaseMap(options, self.owner, "hash"),
            "btree": lambda: DatabaseMap(options, self.owner, "btree"),
            "cdb": lambda: DatabaseMap(options, self.owner, "cdb"),
            "implicit": lambda: ImplicitMap(options, self.owner, lambda: self._stab(options)),
            "dns": lambda: DnsMap(options, self.names),
            "bestmx": lambda: BestMxMap(options, self.names),
            "host": lambda: HostMap(options, self.names),
            "user": lambda: UserMap(options),
            "program": lambda: ProgramMap(
                options, self._default_user, is_allowed=self._site.allows_programs
            ),
            "userdb": lambda: UserdbMap(options, self._user_databases),
            "socket": lambda: SocketMap(options, self.owner),
            "ldap": lambda: LdapMap(options, self._ldap_defaults, self.owner),
            "sequence": lambda: SequenceMap(options, self.find),
            "switch": lambda: SwitchMap(options, self.find, self.switch_file),
        }
        maker = makers.get(options.type)
        return maker() if maker else UnsupportedMap(options)

    def _stab(self, options: MapOptions) -> StabMap:
        return StabMap(options, self.owner, self._aliases, self._alias_text)

    def _alias_text(self) -> AliasText | None:
        return None if self.alias_rules is None else AliasText(self.alias_rules())

    @cached_property
    def names(self) -> HostNames:
        """Host names and mail exchangers, as `host` and `bestmx` have them."""
        files = HostFiles(
            self.switch_file,
            lambda: self._path("HostsFile", "/etc/hosts"),
            lambda: self._cf.option("DontExpandCnames").lower()[:1] not in ("t", "y"),
        )
        return HostNames(files, self._macros, self._site.resolver)

    def _default_user(self) -> tuple[int, int]:
        """As whom root runs programs: `O DefaultUser`, else 1 and 1."""
        user, _, group = re.sub(
            "[.:/]", ":", self._cf.expand(self._cf.option("DefaultUser", "1:1")), count=1
        ).partition(":")
        try:
            entry = pwd.getpwuid(int(user)) if user.isdecimal() else pwd.getpwnam(user)
            uid, gid = entry.pw_uid, entry.pw_gid
        except KeyError:
            uid, gid = (int(user), 1) if user.isdecimal() else (1, 1)
        return uid, group_number(group, gid) if group else gid

    def _user_databases(self) -> list[DatabaseMap]:
        files = re.split(r"[ ,\t]+", self._cf.expand(self._cf.option("UserDatabaseSpec")))
        return [
            DatabaseMap(MapOptions(f"userdb{index}", "btree", file=file), self.owner, "btree")
            for index, file in enumerate(files)
            if file.startswith("/")
        ]

    def _ldap_defaults(self) -> dict[str, str]:
        spec = self._cf.expand(self._cf.option("LDAPDefaultSpec"))
        return dict(map_options(MapLine("defaults", "ldap", f"{spec} -k x"))[0].own)

    def _path(self, option: str, default: str) -> Path:
        return Path(self._cf.expand(self._cf.option(option, default)))

    @cached_property
    def _own(self) -> bool:
        """Add the maps that sendmail makes if the file does not."""
        members: list[str] = []
        for value in self._cf.options.get("AliasFile", []):
            for spec in alias_specs(value):
                if len(members) >= MEMBER_LIMIT:
                    self.complaints.append(f"Too many alias databases defined, {MEMBER_LIMIT} max")
                    break
                self._add_alias(f"Alias{len(members)}", *spec, members)
        if members:
            self._add(MapLine("aliases.files", "sequence", " ".join(members)))
        elif "aliases.files" not in self._maps:
            self._add(MapLine("aliases.files", "null", ""))
        if "host" not in self._maps:
            self._add(MapLine("host", "host", "-a. -D"))
        if "aliases" not in self._maps:
            self._add(MapLine("aliases", "switch", "aliases"))
        return True

    def _add_alias(self, name: str, type: str, arguments: str, members: list[str]) -> None:
        if trouble := class_trouble(type):
            self.complaints.append(trouble)
            return
        self._add(MapLine(name, type, arguments), is_alias=True)
        if self._maps[name.lower()].options.is_valid:
            members.append(name)


class UnsupportedMap(BaseMap):
    """A class that sendmail has and this program has not: each lookup is a temporary failure."""

    def _open(self) -> tuple[str, int]:
        type, name = self.options.type, self.options.name
        _log.warning("%s map %s: the class is not supported", type, name)
        # What sendmail says where NIS and NIS+ do not run.
        table, _, domain = self.options.file.partition("@")
        nis = f"NIS map {table} specified, but NIS not running"
        if domain:
            nis = f"Cannot bind to map {table} in domain {domain}: Internal NIS error"
        texts = {"nis": nis, "nisplus": ""}
        failure = MapError(texts.get(type, f'{type} map "{name}": class is not supported'))
        if type == "nisplus":
            failure.trouble = EX_OK
        raise failure


def open_maps(cf: SendmailCf, macros: RunTimeMacros, site: MapSite | None = None) -> SiteMaps:
    """The maps of a configuration that was read. macros: what the class `macro` sets."""
    maps = SiteMaps(cf, macros, site)
    for line in cf.maps.values():
        maps.define(line.name, line.type, line.arguments)
    return maps
