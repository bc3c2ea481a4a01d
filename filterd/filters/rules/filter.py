"""SpamAssassin's rules as a filter: each rule that hits is a symbol with its points."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import ClassVar

from filterd.chain.services import Services
from filterd.chain.verdict import NO_OPINION, Symbol, Verdict, total
from filterd.filters.rules.loading import Loaded, load
from filterd.filters.rules.settings import USE_BAYES, USE_NETWORK, RulesSettings
from filterd.filters.rules.symbols import LIMIT_SYMBOL
from filterd.message import Message
from filterd.resolver.lookups import DnsLookups
from filterd.rules.checker import LATE, LATE_DESCRIPTION
from filterd.rules.conf.rule import Option, Origin
from filterd.rules.evals import dns_questions
from filterd.rules.view.view import View

log = logging.getLogger(__name__)

IN_SETTINGS = Origin("settings")


class Rules:
    """Weighs mail by rules."""

    name: ClassVar[str] = "rules"

    def __init__(self, settings: RulesSettings, services: Services) -> None:
        self.settings = settings
        self._services = services
        self._loaded: Loaded | None = None

    @property
    def score_set(self) -> int:
        """Which of a rule's four scores counts.

        That with Bayes where a classifier is in the chain: it was made for mail to which a
        classifier gives points as well, so that the same words do not count twice.
        """
        if self.settings.score_set is not None:
            return self.settings.score_set
        bayes = USE_BAYES if self._services.classifies else 0
        return bayes | (USE_NETWORK if self.settings.use_network else 0)

    @property
    def loaded(self) -> Loaded:
        """The rules in force; read now where `prepare` was not called. Raises as that does."""
        if self._loaded is None:
            self.prepare()
        assert self._loaded is not None
        return self._loaded

    def prepare(self) -> None:
        """Read and compile the rules. Raises OSError or ValueError where that cannot be done, and
        there are no last good ones."""
        if self.settings.use_network:
            self._services.resolver.prepare()
        networks = " ".join(map(str, self._services.trusted_networks))
        more = [Option("trusted_networks", networks, IN_SETTINGS)] if networks else []
        loaded = self._loaded = load(self.settings, self.score_set, more)
        log.info(
            "%d rules, %d not supported, %d lines left out; score set %d",
            len(loaded.rule_set.rules),
            len(loaded.rule_set.unsupported),
            len(loaded.problems),
            self.score_set,
        )

    def examine(self, message: Message) -> Verdict:
        """A symbol for each rule that hits and is not only a part of others."""
        loaded = self.loaded
        view = View(message, loaded.rule_set.options, tests_network=self.settings.use_network)
        if self.settings.use_network:
            lookups = DnsLookups(self._services.resolver)
            dns_questions.begin(view, loaded.asking, lookups)
        known = frozenset(symbol.name for symbol in message.symbols)
        rules = loaded.rule_set.rules
        symbols = tuple(
            Symbol(
                hit.name,
                hit.score,
                LATE_DESCRIPTION if hit.name == LATE else rules[hit.name].description,
            )
            for hit in loaded.rules.check(view)
            if not hit.name.startswith("__") and hit.name not in known
        )
        return Verdict(symbols=(*symbols, *self._limiting(symbols))) if symbols else NO_OPINION

    def _limiting(self, symbols: Iterable[Symbol]) -> Iterator[Symbol]:
        """What brings the sum back to the most, or the least, that rules may give together."""
        points = total(symbols)
        limit = min(max(points, self.settings.least), self.settings.most)
        if limit != points:
            yield Symbol(LIMIT_SYMBOL, limit - points, f"all rules together give {points:g}")
