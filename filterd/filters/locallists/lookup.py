"""Finding the entries that fit, at a cost that does not depend on how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from filterd.filters.locallists.entries import (
    ADDRESSES,
    NULL_SENDER,
    ListEntry,
    compiled,
    expressions,
)
from filterd.filters.locallists.settings import Fact
from filterd.message.address import Mailbox, pattern_keys
from filterd.message.envelope import ip
from filterd.message.matching import networks

TEXT_LIMIT = 2048
"""Characters of a value that regular expressions look at."""


class EntryLookup:
    """The entries of one list."""

    def __init__(self, entries: Sequence[ListEntry], about: Fact) -> None:
        self._entries = tuple(entries)
        self._about = about
        self._by_key: dict[str, list[int]] = defaultdict(list)
        self._networks: dict[tuple[int, int], dict[int, list[int]]] = {}
        for place, entry in enumerate(entries):
            if not entry.regex:
                self._learn(place, entry)
        found = list(expressions(self._entries))
        self._expressions = [place for place, _text in found]
        self._set = compiled([text for _place, text in found])

    def _learn(self, place: int, entry: ListEntry) -> None:
        if self._about == "client":
            (network,) = networks([entry.pattern], local=False)
            bits = network.max_prefixlen - network.prefixlen
            of_size = self._networks.setdefault((network.version, bits), defaultdict(list))
            of_size[int(network.network_address) >> bits].append(place)
        elif entry.pattern == NULL_SENDER:
            self._by_key[NULL_SENDER].append(place)
        else:
            for key in pattern_keys(entry.pattern):
                self._by_key[key].append(place)

    def find(self, value: str) -> list[ListEntry]:
        """The entries that fit an address, a name, a mailbox or a text. Never raises."""
        if not self._entries:
            return []
        found = dict.fromkeys(self._plain(value))
        if self._set is not None:
            text = value[:TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")
            found.update(dict.fromkeys(self._expressions[n] for n in self._set.Match(text) or ()))
        return [self._entries[place] for place in sorted(found)]

    def _plain(self, value: str) -> Iterable[int]:
        if self._about == "client":
            address = ip(value)
            if address is None:
                return
            number = int(address)
            for (version, bits), known in self._networks.items():
                if version == address.version:
                    yield from known.get(number >> bits, ())
            return
        if not self._by_key or (self._about == "url" and "/" in value):
            return  # a whole URL: names are compared with its host alone
        for key in self._keys(value):
            yield from self._by_key.get(key, ())

    def _keys(self, value: str) -> Iterable[str]:
        if self._about not in ADDRESSES:
            return Mailbox.parse(f"x@{value}").covered_by()
        mailbox = Mailbox.parse(value)
        if not mailbox.local and not mailbox.domain:
            return (NULL_SENDER,)
        return mailbox.covered_by()
