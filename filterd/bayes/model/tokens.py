"""Features: a message as sets of numbers.

*Grams* are all overlapping 4-byte strings of the top of header and body; *words* are the words of
each section, marked with where they stand, and the pairs of adjacent words; *skips* are pairs of
words with one or two others between them. All are hashed to
`BITS` bits with multipliers drawn from the model's salt, so that nobody who lacks the salt can make
a word that collides with another one on purpose. A word's hash is a polynomial over its octets.
The loops over octets and words are compiled (`_kernel.c`); where they could not be, numpy does the
same over one joined buffer, and the hash of a word is the difference of two prefix sums.

`FEATURE_VERSION` names this exact mapping (with `filterd.bayes.model.text`); a model file carries
it, for a model only means something with the features it was made of.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from filterd.bayes.model.text import GRAM_BODY_LIMIT, GRAM_HEADER_LIMIT, Section, Text, text_of
from filterd.message import Message

try:
    from filterd.bayes.model import _kernel
except ImportError:  # installed without a compiler
    COMPILED = False
else:
    COMPILED = True

FEATURE_VERSION = 1

BITS = 20
TABLE = 1 << BITS
"""Size of each of the three hash tables. 18 and 22 bits were tried: 20 is enough."""

BUFFER_LIMIT = 48 << 10
"""Octets of the joined sections: header fields, visible text, markup and part header fields."""

Indices = NDArray[np.intp]
_U64 = NDArray[np.uint64]

_WORD_BYTES = b"$'!%_-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" + bytes(
    range(0x80, 0x100)
)
_IS_WORD = bytes(octet in _WORD_BYTES for octet in range(256))
_GRAM_SHIFT = np.uint32(32 - BITS)
_WORD_SHIFT = np.uint64(64 - BITS)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a message in order, with their hash numbers and where they stand.

    numbers: of the words, then of the pairs (number i is of words i and i + 1). skips: of words
    i and i + 2, then of words i and i + 3, whatever stands between. starts, ends: octets in
    `joined`. section: index of the section that each word is from.
    """

    numbers: Indices
    skips: Indices
    starts: Indices
    ends: Indices
    section: Indices
    joined: bytes


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one message, each once, as numbers of the table 3·TABLE long: grams below
    TABLE, then words and pairs, then skips. `*_at` says where each stood.

    gram_at: octet of the gram. word_at: index in words and pairs laid end to end; skip_at: the
    same for skips. header_octets, header_words: how many octets and words the header fields have;
    what comes later is of the body. visible: the words of the text that a reader sees, as often
    as they stand there. source: the words that the features were made of.
    """

    grams: Indices
    words: Indices
    skips: Indices
    gram_at: Indices
    word_at: Indices
    skip_at: Indices
    visible: Indices
    source: Words
    header_octets: int
    header_words: int

    @property
    def total_words(self) -> int:
        """How many words there are, equal ones counted each time."""
        return len(self.source.starts)

    def __len__(self) -> int:
        """How many features the linear learner uses: all but skips."""
        return len(self.grams) + len(self.words)


class Hasher:
    """Turns messages into features under one salt.

    compiled: with the compiled loops; False asks for numpy's, which are slower, not safe for
    several threads at once (they share scratch memory of 6 MiB) and give the same.
    """

    def __init__(self, salt: bytes, *, compiled: bool = COMPILED) -> None:
        self.salt = salt
        self.compiled = compiled
        # SHAKE, not numpy's random numbers: these must be the same for ever.
        stream = np.frombuffer(
            hashlib.shake_256(b"filterd features 1\0" + salt).digest(8 * 9), "<u8"
        ).astype(np.uint64)
        odd = stream | np.uint64(1)
        self._gram_multiplier = np.uint32(odd[0] >> np.uint64(32)) | np.uint32(1)
        self._mix, self._word, self._left = odd[1], odd[2], odd[3]
        self._right = odd[4:8]  # by distance, 1 to 3; [0] stays unused
        base = int(odd[8])
        if compiled:
            self._cutting = np.array([base, self._mix], np.uint64)
            self._numbering = odd[[2, 3, 5, 6, 7]]
        else:
            self._powers = _powers(base)
            self._inverses = _powers(pow(base, -1, 1 << 64))
            self._scratch = np.zeros(3 * TABLE, np.uint16)
        self._seed = lru_cache(maxsize=1024)(self._make_seed)

    def features(self, message: Message) -> Features:
        """Return the features of a message: about 150 µs for one of 7 KB."""
        return self.features_of(text_of(message))

    def features_of(self, text: Text) -> Features:
        """Return the features of what was read of a message."""
        words = self.words_of(text.words)
        grams, gram_at = self._distinct(self.gram_numbers(text), 0)
        numbers, word_at = self._distinct(words.numbers, TABLE)
        skips, skip_at = self._distinct(words.skips, 2 * TABLE)
        visible = text.visible_section
        body, start, end = words.section.searchsorted((text.body_section, visible, visible + 1))
        return Features(
            grams,
            numbers,
            skips,
            gram_at,
            word_at,
            skip_at,
            words.numbers[start:end],
            words,
            min(len(text.header), GRAM_HEADER_LIMIT),
            int(body),
        )

    def gram_numbers(self, text: Text) -> Indices:
        """The number of the 4-gram at each octet of header and body, below TABLE."""
        octets = text.header[:GRAM_HEADER_LIMIT] + text.body[:GRAM_BODY_LIMIT]
        size = len(octets) - 3
        if size <= 0:
            return np.empty(0, np.intp)
        if self.compiled:
            numbers = np.empty(size, np.intp)
            _kernel.grams(octets, int(self._gram_multiplier), int(_GRAM_SHIFT), numbers)
            return numbers
        grams = np.empty(size, np.uint32)
        for shift in range(min(4, size)):
            view = np.frombuffer(octets, "<u4", (len(octets) - shift) // 4, shift)
            grams[shift::4] = view
        grams *= self._gram_multiplier
        grams >>= _GRAM_SHIFT
        return grams.astype(np.intp)

    def words_of(self, sections: tuple[Section, ...]) -> Words:
        """Cut sections into words and number them."""
        joined = b"\n" + b"\n".join([s.text for s in sections])
        joined = joined[:BUFFER_LIMIT] + b"\n"
        # Where each section ends; those beyond the limit have no words.
        limits = array("q", accumulate([len(s.text) + 1 for s in sections]))
        limits[-1] = len(joined)
        seeds = array("Q", [self._seed(s.origin) for s in sections])
        cut, number = (
            (self._cut, self._number) if self.compiled else (self._cut_numpy, self._number_numpy)
        )
        starts, ends, section, hashes = cut(joined, limits, seeds)
        many = len(starts)
        # Laid end to end: words, then pairs of words 1, 2 and 3 apart.
        cuts = [many] * 4
        for distance in (1, 2, 3):
            cuts[distance] = cuts[distance - 1] + max(many - distance, 0)
        numbers = number(hashes, cuts)
        return Words(
            numbers[: cuts[1]],
            numbers[cuts[1] :],
            starts,
            ends,
            section,
            joined,
        )

    def _cut(
        self, joined: bytes, limits: array[int], seeds: array[int]
    ) -> tuple[Indices, Indices, Indices, _U64]:
        """Where words start and end, their sections and their hashes."""
        room = len(joined) // 2 + 1
        starts, ends, section = np.empty((3, room), np.intp)
        hashes = np.empty(room, np.uint64)
        many = _kernel.cut(joined, limits, seeds, self._cutting, starts, ends, section, hashes)
        return starts[:many], ends[:many], section[:many], hashes[:many]

    def _cut_numpy(
        self, joined: bytes, limits: array[int], seeds: array[int]
    ) -> tuple[Indices, Indices, Indices, _U64]:
        octets = np.frombuffer(joined, np.uint8)
        flags = np.frombuffer(joined.translate(_IS_WORD), np.uint8)
        edges = np.flatnonzero(flags[1:] != flags[:-1])
        edges += 1
        starts, ends = edges[::2], edges[1::2]
        # The power that a word's place put into its sum is divided out again, so that equal words
        # have equal hashes anywhere.
        sums = np.cumsum(octets * self._powers[: len(octets)])
        hashes = sums[ends - 1] - sums[starts - 1]
        hashes *= self._inverses[starts]
        hashes ^= hashes >> np.uint64(29)
        hashes *= self._mix
        hashes ^= hashes >> np.uint64(32)
        # How many words each section has, from where the sections' ends fall among the words.
        counts = np.diff(np.searchsorted(starts, np.array(limits)), prepend=0)
        hashes += np.repeat(np.array(seeds, np.uint64), counts)
        return starts, ends, np.repeat(np.arange(len(limits)), counts), hashes

    def _number(self, hashes: _U64, cuts: list[int]) -> Indices:
        """The numbers of words and pairs of words, which end at `cuts`."""
        numbers = np.empty(cuts[3], np.intp)
        _kernel.number(hashes, self._numbering, int(_WORD_SHIFT), TABLE, numbers)
        return numbers

    def _number_numpy(self, hashes: _U64, cuts: list[int]) -> Indices:
        numbers = np.empty(cuts[3], np.uint64)
        np.multiply(hashes, self._word, out=numbers[: cuts[0]])
        hashes_left = hashes * self._left
        for distance in (1, 2, 3):
            part = numbers[cuts[distance - 1] : cuts[distance]]
            np.add(hashes_left[:-distance], hashes[distance:], out=part)
            part *= self._right[distance]
        numbers >>= _WORD_SHIFT
        indices = numbers.view(np.intp)
        indices += 2 * TABLE
        indices[: cuts[1]] -= TABLE
        return indices

    def _distinct(self, numbers: Indices, base: int) -> tuple[Indices, Indices]:
        """Each number of the table that begins at `base` once, and the last place where it stood,
        in the order of places."""
        if self.compiled:
            kept, at = np.empty((2, len(numbers)), np.intp)
            many = _kernel.distinct(numbers, base, kept, at)
            return kept[:many], at[:many]
        # The last of equal numbers writes its place last, and only it reads its own place back;
        # np.unique would sort.
        places = np.arange(len(numbers), dtype=np.uint16)
        self._scratch[numbers] = places
        at = np.flatnonzero(self._scratch[numbers] == places)
        return numbers[at], at

    def _make_seed(self, origin: str) -> int:
        digest = hashlib.blake2b(origin.encode(), digest_size=8, key=self.salt[:64]).digest()
        return int.from_bytes(digest, "little")


def distinct_words(numbers: Indices, *, compiled: bool = COMPILED) -> Indices:
    """Each of the numbers of words or pairs once, in no particular order."""
    if not compiled:
        return np.unique(numbers)
    kept, at = np.empty((2, len(numbers)), np.intp)
    return kept[: _kernel.distinct(numbers, TABLE, kept, at)]


def _powers(base: int) -> _U64:
    powers = np.empty(BUFFER_LIMIT + 2, np.uint64)
    power = 1
    for index in range(len(powers)):
        powers[index] = power
        power = power * base & 0xFFFF_FFFF_FFFF_FFFF
    return powers
