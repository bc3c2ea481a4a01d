"""Lists of addresses as options have them: `welcomelist_from *@example.com`.

Source: Mail::SpamAssassin::Conf(3), welcomelist_from: file patterns, any case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from filterd.rules.conf.rule import Option
from filterd.rules.evals.globs import Globs
from filterd.rules.view.kept import kept
from filterd.rules.view.view import View

T = TypeVar("T")


def of_options(view: View, name: str, build: Callable[[tuple[Option, ...]], T]) -> T:
    """What `build` makes of an option's lines; made once for a rule set."""
    options = view.options.get(name, ())
    return kept(build, (options,), lambda: build(options))


class AddressList:
    """Patterns of addresses. `*` stands for any text, `?` for one character."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._whole: set[bytes] = set()
        self._domains: set[bytes] = set()
        globs: list[bytes] = []
        for pattern in patterns:
            lowered = pattern.lower()
            rest = lowered[2:] if lowered.startswith(b"*@") else lowered
            if b"*" in rest or b"?" in rest:
                globs.append(lowered)
            elif rest is lowered:
                self._whole.add(lowered)
            else:
                self._domains.add(rest)
        self._globs = Globs(globs)

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, bytes):
            return False
        lowered = address.lower()
        return (
            lowered in self._whole
            or lowered.rpartition(b"@")[2] in self._domains
            or lowered in self._globs
        )

    def __bool__(self) -> bool:
        return bool(self._whole or self._domains or self._globs)


def _words(options: tuple[Option, ...]) -> AddressList:
    return AddressList(
        word.encode("latin-1", "replace") for option in options for word in option.words()
    )


def address_list(view: View, option: str) -> AddressList:
    """The addresses that the lines of an option name."""
    return of_options(view, option, _words)


def _named(options: tuple[Option, ...]) -> dict[str, AddressList]:
    words: dict[str, list[bytes]] = {}
    for option in options:
        name, _, rest = option.text.removeprefix("(").partition(")")
        words.setdefault(name.strip(), []).extend(rest.encode("latin-1", "replace").split())
    return {name: AddressList(patterns) for name, patterns in words.items()}


def named_lists(view: View, option: str) -> dict[str, AddressList]:
    """The lists of an option like `enlist_addrlist (NAME) address ...`, by their names."""
    return of_options(view, option, _named)
