"""The rules and maps of one sendmail.cf, ready to be asked by SMTP sessions and deliveries.

`RuleEngine` is made once for a configuration. A session or a delivery has macros of its own
(`RuleSession`) and asks one `RulesQuestion` after the other. Maps are shared and may block: name
servers, programs, locked files. So questions are asked in worker threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from filterd.mta.cf.addresses import AddressResolver
from filterd.mta.cf.checks import Checker
from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.definitions import Definitions
from filterd.mta.cf.lookup import Maps, RunTimeMacros
from filterd.mta.cf.marks import MACRO, octets, readable
from filterd.mta.cf.memory import RunMemory
from filterd.mta.cf.observer import Observer, RuleMessage
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.maps.opening import MapSite, SiteMaps, open_maps
from filterd.mta.maps.resting import RestingMaps

log = logging.getLogger("filterd.mta")

ERRORS = "45"
"""First digits of codes that refuse something."""


def reply_text(message: RuleMessage) -> str:
    """A message as the text of a reply: `550 5.1.1 <joe@x.test>... User unknown`."""
    enhanced = message.enhanced or f"{message.code[:1]}.0.0"
    return f"{message.code} {enhanced} {message}"


class RulesQuestion(Observer):
    """One question to the rules, and what was said while they ran. Blocking.

    said: all messages. refusal: the first error as the text of a reply, None if there was none:
    that is the one which a client of sendmail gets (OnlyOneError).
    """

    def __init__(
        self, engine: RuleEngine, definitions: Definitions, *, is_deferred: bool = False
    ) -> None:
        self.said: list[RuleMessage] = []
        maps: Maps = engine.resting_maps if is_deferred else engine.maps
        memory = engine.deferred_memory if is_deferred else engine.memory
        self.rewriter = Rewriter(engine.program, maps, self, definitions, memory=memory)
        self.resolver = AddressResolver(self.rewriter)
        self.checker = Checker(self.rewriter, self.resolver)

    def message(self, message: RuleMessage) -> None:
        self.said.append(message)
        if _is_about_a_map(message):
            log.warning("%s", readable(message.text))

    @property
    def refusal(self) -> str | None:
        for one in self.said:
            if one.code and one.code[0] in ERRORS and not _is_about_a_map(one):
                return reply_text(one)
        return None

    @property
    def trouble(self) -> str:
        """What was wrong with a map, empty for nothing: the answer is to be sought again later."""
        said = (one for one in self.said if _is_about_a_map(one))
        return next((str(one) for one in said if one.system), "")


def _is_about_a_map(message: RuleMessage) -> bool:
    """Whether a map complains. That refuses nothing: sendmail queues the mail."""
    return bool(message.code) and message.code[0] in ERRORS and not message.enhanced


class RuleSession:
    """The macros of one SMTP session, or of one delivery. For one thread at a time.

    Names are as in a macro table, `i` or `{client_addr}`. is_deferred: maps with `-D` are not
    asked.
    """

    def __init__(self, engine: RuleEngine, *, is_deferred: bool = False) -> None:
        self.engine, self._is_deferred = engine, is_deferred
        self.definitions = engine.program.definitions.copy()

    def update(self, table: Mapping[str, str]) -> None:
        """Take over the values of a macro table."""
        self.definitions.update(table)

    def set(self, name: str, value: str | None) -> None:
        self.definitions.set(name.strip("{}"), None if value is None else octets(value))

    def get(self, name: str) -> str | None:
        """The value in octet form, with the macros in it expanded; None if it has none."""
        value = self.definitions.get(name.strip("{}"))
        return None if value is None else self.definitions.expand(value, _silent)

    def expand(self, text: str) -> str:
        """Text with marks, its macros replaced."""
        return self.definitions.expand(text, _silent)

    def macro(self, name: str) -> str:
        """The value of a macro, empty if it has none."""
        return self.expand(MACRO + self.definitions.names.code(name.strip("{}")))

    @contextmanager
    def asking(self) -> Iterator[RulesQuestion]:
        """Ask in this thread: the map class `macro` sets the macros of this session meanwhile."""
        current = self.engine.current
        before = current.definitions
        current.definitions = self.definitions
        try:
            yield RulesQuestion(self.engine, self.definitions, is_deferred=self._is_deferred)
        finally:
            current.definitions = before


class _CurrentMacros(threading.local, RunTimeMacros):
    """The macros of the session that asks in this thread."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions

    def set(self, name: str, value: str | None) -> None:
        self.definitions.set(name, value)

    def get(self, name: str) -> str | None:
        return self.definitions.get(name)


class _AliasLog(Observer):
    """Writes what is said about alias files to the log."""

    def message(self, message: RuleMessage) -> None:
        level = logging.WARNING if message.code[:1] in ERRORS else logging.INFO
        log.log(level, "%s", readable(str(message)))


class RuleEngine:
    """The rules and maps of one configuration."""

    def __init__(self, cf: SendmailCf, site: MapSite | None = None) -> None:
        self.cf, self.program = cf, cf.program
        self.current = _CurrentMacros(cf.program.definitions.copy())
        self.memory, self.deferred_memory = RunMemory(), RunMemory()
        self.maps: SiteMaps = open_maps(cf, self.current, site)
        self.maps.alias_rules = self._alias_rules
        self.resting_maps = RestingMaps(self.maps)
        self._defers = cf.option("DeliveryMode").strip()[:1] == "d"

    def _alias_rules(self) -> AddressResolver:
        """For the names in alias files. Nothing of it is remembered, and a session that made them
        be read keeps its own macros."""
        definitions = self.current.definitions.copy()
        return AddressResolver(Rewriter(self.program, self.maps, _AliasLog(), definitions))

    def session(self, *, of_client: bool = False) -> RuleSession:
        """The macros of a new session. Maps that could not be opened may be tried again.

        of_client: it is an SMTP session, and no delivery; the delivery mode `deferred` counts.
        """
        self.maps.retry()
        return RuleSession(self, is_deferred=of_client and self._defers)


def _silent(text: str) -> None:
    del text
