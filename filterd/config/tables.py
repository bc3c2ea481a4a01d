"""A table of the settings file as the dataclass that defines it; all that is wrong is noted.

A value that is wrong is left out and the default stands in for it, so that the rest of the file can
be checked as well.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from filterd.config.lines import Lines
from filterd.system.mistakes import Key, SettingsError, dotted

T = TypeVar("T")


class Tables:
    """The tables of one file.

    name: of the file, for the errors. folder: what relative paths count from.
    """

    def __init__(self, name: str, text: str, folder: Path) -> None:
        self._name = name
        self._lines = Lines(text)
        self._folder = folder
        self._wrong: dict[tuple[Key, str], int] = {}

    def wrong(self, key: Key, text: str, expected: str = "") -> None:
        """Note a mistake."""
        self._wrong[(key, f"{text}; {expected}" if expected else text)] = self._lines.find(key)

    def wrong_together(self, keys: Sequence[Key], text: str) -> None:
        """Note that values are each right and together wrong, at the first that the file sets.
        Nothing is noted where one of them is wrong by itself: a default stands in for that."""
        if not any(self.is_wrong(key) for key in keys):
            self.wrong(next((key for key in keys if key in self._lines), keys[0]), text)

    def is_wrong(self, key: Key) -> bool:
        """Whether a mistake was noted in that value, or in one that it is part of."""
        return any(
            key[: len(noted)] == noted or noted[: len(key)] == key for noted, _text in self._wrong
        )

    def mistakes(self) -> list[str]:
        """What was noted, a line each, in the order of the file."""
        return [
            f"{self._name}:{line}: {dotted(key)}: {text}"
            for (key, text), line in sorted(self._wrong.items(), key=lambda item: item[1])
        ]

    def names(self, key: Key, table: Mapping[str, Any], known: Iterable[str], what: str) -> None:
        """Note the keys of the table that are not known. what: they are instead."""
        for name in table:
            if name not in known:
                self.wrong((*key, name), what.format(name), accepted(name, known))

    def table(self, key: Key, value: object) -> Mapping[str, Any]:
        """The value, which has to be a table; an empty one if it is not."""
        if isinstance(value, Mapping):
            return value
        self.wrong(key, "is not a table", f"expected a heading [{dotted(key)}]")
        return {}

    def section(
        self, key: Key, table: Mapping[str, Any], cls: type[T], also: Sequence[str] = ()
    ) -> T | None:
        """The table as an instance of the dataclass; None where nothing can be made of it.

        also: other keys that the table may have, for the error about an unknown one.
        """
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
        self.names(key, table, [*fields, *also], "unknown key")
        hints = _hints(cls) if table else {}  # type: ignore[arg-type]
        values = {}
        for name, value in table.items():
            if name not in fields:
                continue
            try:
                right = self._value((*key, name), value, hints[name])
            except SettingsError:
                continue
            values[name] = self._anchored(fields[name], right)
        missing = [name for name, f in fields.items() if name not in values and _is_needed(f)]
        for name in missing:
            if name not in table:
                self.wrong((*key, name), "is not set, and has no default")
        return None if missing else self._made(key, cls, values)

    def _value(self, key: Key, value: object, hint: Any) -> Any:
        """The value, without that which is wrong. Raises SettingsError if nothing is left."""
        try:
            return converted(value, hint)
        except SettingsError as error:
            self._note(key, error)
            rest = without(value, [where for where, _text in error.found])
            if rest is None:
                raise
        try:
            return converted(rest, hint)
        except SettingsError as error:
            self._note(key, error)
            raise

    def _note(self, key: Key, error: SettingsError) -> None:
        # What was noted before may show again: a default stands in for it, or it is missing now.
        new = [(where, text) for where, text in error.found if not self.is_wrong((*key, *where))]
        for where, text in new:
            self.wrong((*key, *where), text)

    def _made(self, key: Key, cls: type[T], values: Mapping[str, Any]) -> T | None:
        try:
            return cls(**values)
        except SettingsError as error:
            self._note(key, error)
        except (TypeError, ValueError) as error:
            self.wrong((*key, *getattr(error, "key", ())), str(error))
        return None

    def _anchored(self, field: dataclasses.Field[Any], value: Any) -> Any:
        """A relative path counts from the file's folder, unless it is the default."""
        if isinstance(value, Path) and not value.is_absolute() and value != field.default:
            return self._folder / value
        if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            return tuple(map(self._anchored_row, value))
        return value

    def _anchored_row(self, row: Any) -> Any:
        """The same in a row of an array of tables."""
        found = {f.name: getattr(row, f.name) for f in dataclasses.fields(row) if f.init}
        paths = {name: value for name, value in found.items() if isinstance(value, Path)}
        anchored = {name: self._folder / value for name, value in paths.items()}
        return dataclasses.replace(row, **anchored) if paths != anchored else row


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields. Python compiles each from its text, every time."""
    return get_type_hints(cls, include_extras=True)


def converted(value: object, hint: Any) -> Any:
    """The value in the type of its field. Raises SettingsError with all that is wrong with it."""
    # In a tuple, for a dataclass by itself takes no configuration.
    adapter = TypeAdapter(tuple[hint], config=ConfigDict(extra="forbid"))
    try:
        return adapter.validate_json(json.dumps([value], default=str), strict=True)[0]
    except ValidationError as error:
        found: dict[Key, list[str]] = {}
        for one in error.errors(include_url=False):
            for where, text in _in_words(value, one, hint):
                found.setdefault(where, []).append(text)
    # Several texts for one place: the value is of none of the types that it may have.
    raise SettingsError(
        [(where, " or: ".join(dict.fromkeys(texts))) for where, texts in found.items()]
    )


def _in_words(value: object, error: Any, hint: Any) -> Iterator[tuple[Key, str]]:
    where = _within(value, error["loc"][1:])
    kind = error["type"]
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, SettingsError):
        for inner, text in raised.found:
            yield (*where, *inner), text
    elif kind == "value_error":
        # What a check of ours says is whole; pydantic's own leaves out what was given.
        yield where, str(raised)
    elif kind == "unexpected_keyword_argument":
        name = str(error["loc"][-1])
        known = [f.name for f in dataclasses.fields(row)] if (row := array_of(hint)) else []
        yield (*where[:-1], name), f"unknown key; {accepted(name, known)}"
    elif kind == "missing":
        yield (*where, str(error["loc"][-1])), "is not set, and has no default"
    else:
        yield where, f"{error['msg']}; it is {error['input']!r}"


def _within(value: Any, places: Sequence[str | int]) -> Key:
    """The part of pydantic's location that is in the value; the rest names types."""
    where: Key = ()
    for place in places:
        if isinstance(value, Mapping) and place in value:
            value = value[str(place)]
        elif isinstance(value, list) and isinstance(place, int):
            value = value[place]
        else:
            continue
        where = (*where, place)
    return where


def array_of(hint: Any) -> type[Any] | None:
    """The dataclass of an array of tables (`tuple[Rule, ...]`), else None."""
    plain = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    found = [arg for arg in get_args(plain) if dataclasses.is_dataclass(arg)]
    return found[0] if found and isinstance(found[0], type) else None


def without(value: object, places: Iterable[Key]) -> object:
    """The value without the keys of its tables that these places are at or below; None if one is
    in no table."""
    rest = copy.deepcopy(value)
    for where in places:
        node: Any = rest
        found: tuple[dict[Any, Any], str | int] | None = None
        for place in where:
            if isinstance(node, dict) and place in node:
                found = node, place
            elif not isinstance(node, list):
                break
            node = cast(Any, node)[place]
        if found is None:
            return None
        found[0].pop(found[1], None)
    return rest


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def accepted(given: str, known: Iterable[str]) -> str:
    """What may stand there, the likeliest first."""
    close = difflib.get_close_matches(given, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}accepted: {', '.join(sorted(known))}"
