"""The classes of one configuration: sets of words, in which upper and lower case are the same."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.mta.cf.marks import CLASS, Complain

TABLE_SIZE = 2003
"""Chains of sendmail's symbol table; `$=x` in test mode prints words in its order."""


class Classes:
    """Words by the character for the class's name (`Names.code`)."""

    def __init__(self) -> None:
        self._words: dict[str, set[str]] = {}
        self._longest: dict[str, int] = {}
        self._spelling: dict[str, str] = {}

    def add(self, code: str, word: str) -> None:
        """Add a word. Its spelling is that of the first one in any class, as in sendmail."""
        lower = fold(word)
        self._spelling.setdefault(lower, word)
        self._words.setdefault(code, set()).add(lower)
        self._longest[code] = max(self._longest.get(code, 0), len(word))

    def add_words(self, code: str, text: str, complain: Complain) -> None:
        """Add the words of expanded text; `$=X` stands for those of class X."""
        for word in text.split():
            if word == CLASS:
                complain("Name required for macro/class")
            elif word.startswith(CLASS):
                for one in list(self.words(word[1:2])):
                    self.add(code, one)
            else:
                self.add(code, word)

    def copy(self) -> Classes:
        new = Classes()
        new._words = {code: set(words) for code, words in self._words.items()}
        new._longest = dict(self._longest)
        new._spelling = dict(self._spelling)
        return new

    def folded(self, code: str) -> set[str]:
        """The words in lower case, for look-ups; not to be changed."""
        return self._words.get(code, _NONE)

    def longest(self, code: str) -> int:
        """Octets of the longest word."""
        return self._longest.get(code, 0)

    def contains(self, code: str, word: str) -> bool:
        return fold(word) in self.folded(code)

    def words(self, code: str) -> Iterator[str]:
        """The words, in the order of sendmail's symbol table."""
        members = self.folded(code)
        order = {word: number for number, word in enumerate(self._spelling)}
        for word in sorted(members, key=lambda word: (_chain(word), order[word])):
            yield self._spelling[word]


_NONE: set[str] = set()


def fold(text: str) -> str:
    """ASCII letters as lower case; other octets are not letters."""
    return text.lower()


def _chain(word: str) -> int:
    number = 1
    for one in word:
        number = ((number << 1) ^ (ord(one) & 0xFF)) % TABLE_SIZE
    return number
