"""Lookups in rules: `$(map key $@ argument $: default $)` and `$[ host $]` among the tokens.

Source: sendmail 8.17 `parseaddr.c` (rewrite, map_lookup).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from filterd.mta.cf.lookup import EX_TEMPFAIL, Map, MapAnswer, Maps
from filterd.mta.cf.marks import (
    ELSE,
    HOST,
    HOST_LOOKUP,
    HOST_LOOKUP_END,
    LOOKUP,
    LOOKUP_END,
    USER,
)
from filterd.mta.cf.memory import AskedMap, RunEvent
from filterd.mta.cf.observer import Lookup, Observer
from filterd.mta.cf.program import Program
from filterd.mta.cf.rules import MAX_ARGUMENTS
from filterd.mta.cf.tokens import Tokens, without_quotes
from filterd.mta.cf.voice import Voice

EX_DATAERR = 65
EX_CONFIG = 78

MAX_KEY = 1021
"""Octets of a key, MAXKEY less 3."""

MAX_VALUE = 1253
"""Octets of all arguments of a lookup, PSBUFSIZE less 3."""

LOOKUPS = frozenset((LOOKUP, HOST_LOOKUP))


class RulesetError(Exception):
    """A ruleset ends with a status and leaves the workspace as it is."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class MapLookups:
    """Replaces lookups by what the maps say."""

    def __init__(self, program: Program, maps: Maps, observer: Observer, voice: Voice) -> None:
        self._program, self._maps = program, maps
        self._observer, self._voice = observer, voice
        self.events: list[RunEvent] | None = None
        """What a run depends on, while it is to be remembered."""

    def has_version(self, name: str, version: Hashable) -> bool:
        """Whether a map is what it was."""
        map = self._maps.find(name)
        return map is not None and map.version() == version

    def answers_again(self, event: AskedMap) -> bool:
        """Ask a map again; whether it answers the same."""
        map = self._maps.find(event.name)
        if map is None:
            return False
        answer = self._asked(event.name, map, event.key, event.arguments)
        return answer == (event.value, event.failed)

    def too_long(self) -> RulesetError:
        self._voice.complain("rewrite: expansion too long", enhanced="5.3.0")
        return RulesetError(EX_DATAERR)

    def replace(self, tokens: Tokens, status: int, room: int) -> int:
        """Replace the lookups among the tokens. Returns the new status of the ruleset."""
        at = 0
        while at < len(tokens):
            if tokens[at] not in LOOKUPS:
                at += 1
                continue
            start = at
            name, end_mark = "host", HOST_LOOKUP_END
            if tokens[at] == LOOKUP:
                at += 1
                if at == len(tokens):
                    self._voice.complain("rewrite: missing mapname", enhanced="5.3.0")
                    raise RulesetError(EX_CONFIG)
                name, end_mark = tokens[at], LOOKUP_END
            at += 1
            end = at
            while end < len(tokens) and tokens[end] != end_mark:
                end += 1
            parts = _parts(tokens[at:end])
            replacement, failed = self._looked_up(name, *parts)
            if failed:
                status = EX_TEMPFAIL
            rest = tokens[end + 1 :]
            tokens[start:] = replacement
            if (replacement or rest) and len(tokens) + len(rest) >= room:
                raise self.too_long()
            at = len(tokens)
            tokens += rest
        return status

    def _looked_up(
        self, name: str, key: Tokens, given: list[Tokens], default: Tokens | None
    ) -> tuple[Tokens, bool]:
        """The tokens that replace a lookup, and whether it failed temporarily."""
        tables = self._program.tables
        map = self._maps.find(name)
        failed, value = False, None
        if map is None:
            self._voice.complain(f"rewrite: map {name} not found", enhanced="5.3.0")
        else:
            text = self._program.names.without_marks(tables.join(key, map.space, MAX_KEY))
            if map.strips_quotes:
                text = without_quotes(text)
            room, arguments = MAX_VALUE, []
            for one in given[: MAX_ARGUMENTS - 1]:
                argument = tables.join(one, None, room) if room > 0 else ""
                room -= len(argument) + 1
                arguments.append(self._program.names.without_marks(argument))
            # Before the lookup, so that the answer is not older than this.
            version = None if self.events is None else map.version()
            value, failed = self._asked(name, map, text, arguments)
            if self.events is not None:
                self.events.append(AskedMap(name, text, tuple(arguments), value, failed, version))
        table = tables.addresses
        if value is None:
            if default is None:
                return key, failed
            value, table = tables.join(default, None, MAX_KEY), tables.internal
        if not value:
            return [], failed
        tokens = self._voice.scanned(value, table)
        if tokens is None:
            raise RulesetError(EX_DATAERR)
        return tokens, failed

    def _asked(
        self, name: str, map: Map, key: str, arguments: Sequence[str]
    ) -> tuple[str | None, bool]:
        answer = map.lookup(key, arguments) if map.is_open else MapAnswer()
        self._voice.tell(answer)
        # The class regex puts this mark between its values.
        value = answer.value and answer.value.replace("\udc9b", ELSE)
        temporary = answer.status == EX_TEMPFAIL
        if temporary and map.failure_suffix is not None:
            value = key + map.failure_suffix
        self._observer.looked_up(Lookup(name, key, tuple(arguments), answer, value))
        return value, temporary and map.defers


def _parts(tokens: Tokens) -> tuple[Tokens, list[Tokens], Tokens | None]:
    """The key, arguments and default of a lookup: `key $@ argument … $: default`."""
    key: Tokens = []
    arguments: list[Tokens] = []
    default: Tokens | None = None
    current = key
    for token in tokens:
        if token == HOST:
            current = []
            arguments.append(current)
        elif token == USER:
            current = default = []
        else:
            current.append(token)
    return key, arguments, default
