"""The settings: one TOML file, read once, checked whole, frozen.

Every section is a dataclass of the room that it configures; this module composes them, finds the
line that a mistake stands on, and knows nothing about what a setting means. A mistake is a
`ConfigError` that names file, line and key and says what was expected.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError

from filterd.bayes.site.autolearn import AutolearnSettings
from filterd.chain import filter as filters
from filterd.chain.chain import ChainSettings, LinkSettings
from filterd.chain.filter import Buildable
from filterd.chain.headers import LabelSettings
from filterd.chain.policy import Policy, PolicyError, PolicySettings
from filterd.config.digest import DigestSettings
from filterd.config.lines import Key, Lines
from filterd.config.processes import DaemonSettings, MetricsSettings, WorkerSettings
from filterd.config.web import WebSettings
from filterd.history.settings import HistorySettings
from filterd.mta.settings import MtaSettings
from filterd.quarantine.settings import QuarantineSettings
from filterd.system import paths
from filterd.system.bounded import open_regular, plain_text, toml_table

F = TypeVar("F", bound=Buildable)

SIZE_LIMIT = 1 << 20
"""Octets of a settings file; a larger one is not a settings file."""


class ConfigError(Exception):
    """Settings that cannot be used. The text is complete: file, line, key, what was expected."""


@dataclass(frozen=True)
class FilterSettings:
    """One `[filters.NAME]` table: what the chain does with the filter, and the filter's own."""

    link: LinkSettings
    own: Buildable


@dataclass(frozen=True)
class Settings:
    """All settings of one file. source: the file, None if there was none and defaults count."""

    daemon: DaemonSettings = DaemonSettings()
    workers: WorkerSettings = WorkerSettings()
    chain: ChainSettings = ChainSettings()
    policy: PolicySettings = PolicySettings()
    labels: LabelSettings = LabelSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    history: HistorySettings = HistorySettings()
    digest: DigestSettings = DigestSettings()
    metrics: MetricsSettings = MetricsSettings()
    autolearn: AutolearnSettings = AutolearnSettings()
    web: WebSettings = WebSettings()
    mta: MtaSettings = MtaSettings()
    filters: Mapping[str, FilterSettings] = field(default_factory=dict)
    source: Path | None = None

    def of_filter(self, cls: type[F]) -> F:
        """The settings of a filter that comes with filterd, by their class; the defaults where the
        file does not mention it."""
        found = (entry.own for entry in self.filters.values())
        return next((own for own in found if isinstance(own, cls)), None) or cls()


SECTIONS: Mapping[str, type[Any]] = {
    "daemon": DaemonSettings,
    "workers": WorkerSettings,
    "chain": ChainSettings,
    "policy": PolicySettings,
    "labels": LabelSettings,
    "quarantine": QuarantineSettings,
    "history": HistorySettings,
    "digest": DigestSettings,
    "metrics": MetricsSettings,
    "autolearn": AutolearnSettings,
    "web": WebSettings,
    "mta": MtaSettings,
}
"""Every fixed section of the file and the dataclass that defines it."""


def find(given: Path | None) -> Path | None:
    """The file to read: the given one, else filterd.toml here, else the system's, if any."""
    if given is not None:
        return given
    return next((p for p in (Path("filterd.toml"), paths.SYSTEM_CONFIG) if p.is_file()), None)


def load(given: Path | None = None) -> Settings:
    """Read and check the settings. Relative paths in the file count from the file's folder.

    Raises ConfigError.
    """
    path = find(given)
    if path is None:
        return _Reader("defaults", "", Path()).settings({}, None)
    try:
        with open_regular(path) as file:
            raw = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); "
            "`filterd init DIR` writes one to start with"
        ) from None
    if len(raw) > SIZE_LIMIT:
        raise ConfigError(f"{path}: larger than {SIZE_LIMIT} bytes, this is not a settings file")
    try:
        text = plain_text(raw)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None
    try:
        table = toml_table(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    return _Reader(str(path), text, path.resolve().parent).settings(table, path)


class _Reader:
    """Turns one parsed file into Settings, remembering where things stand."""

    def __init__(self, name: str, text: str, folder: Path) -> None:
        self._name = name
        self._lines = Lines(text)
        self._folder = folder

    def settings(self, table: Mapping[str, Any], source: Path | None) -> Settings:
        known = [*SECTIONS, "filters"]
        for key in table:
            if key not in known:
                raise self._error((key,), f"unknown section [{key}]", _accepted(key, known))
        sections = {
            name: self._section((name,), self._table((name,), table.get(name, {})), cls)
            for name, cls in SECTIONS.items()
        }
        settings = Settings(
            **sections,
            filters=self._filters(
                self._table(("filters",), table.get("filters", {})), sections["chain"]
            ),
            source=source,
        )
        self._check(settings)
        return settings

    def _table(self, key: Key, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._error(key, "is not a table", f"expected a heading [{_dotted(key)}]")
        return value

    def _filters(
        self, tables: Mapping[str, Any], chain: ChainSettings
    ) -> dict[str, FilterSettings]:
        found = {}
        for name in dict.fromkeys([*chain.filters, *tables]):
            key: Key = ("filters", name) if name in tables else ("chain", "filters")
            try:
                cls = filters.load(name)
            except filters.UnknownFilterError as error:
                raise self._error(key, str(error), "") from None
            table = self._table(key, tables.get(name, {}))
            common = {f.name for f in dataclasses.fields(LinkSettings)}
            link = {k: v for k, v in table.items() if k in common}
            own = {k: v for k, v in table.items() if k not in common}
            found[name] = FilterSettings(
                self._section(("filters", name), link, LinkSettings),
                self._section(("filters", name), own, cls, also=sorted(common)),
            )
        return found

    def _section(
        self, key: Key, table: Mapping[str, Any], cls: type[Any], also: list[str] | None = None
    ) -> Any:
        names = [f.name for f in dataclasses.fields(cls) if f.init]
        for name in table:
            if name not in names:
                raise self._error(
                    (*key, name), "unknown key", _accepted(name, names + (also or []))
                )
        self._reject_unknown_nested(key, table, cls)
        hints = get_type_hints(cls, include_extras=True)
        values = {
            name: self._value((*key, name), value, hints[name]) for name, value in table.items()
        }
        try:
            section = cls(**values)
        except (TypeError, ValueError) as error:
            # What a class says of its own settings, or a key that must be there and is not.
            text = str(error).removeprefix(f"{cls.__name__}.__init__() ")
            raise self._error((*key, *getattr(error, "key", ())), text, "") from None
        return self._anchored(section)

    def _value(self, key: Key, value: object, hint: Any) -> Any:
        """One value, checked against its type and limits."""
        try:
            return TypeAdapter(hint).validate_json(json.dumps(value, default=str), strict=True)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            # What a check of ours says is whole; pydantic's own leaves out what was given.
            text = first["msg"].removeprefix("Value error, ")
            given = "" if first["type"] == "value_error" else f"it is {first['input']!r}"
            raise self._error((*key, *first["loc"]), text, given) from None

    def _reject_unknown_nested(self, key: Key, table: Mapping[str, Any], cls: type[Any]) -> None:
        """Unknown keys inside arrays of tables, which the checker would pass over in silence."""
        hints = get_type_hints(cls)
        for name, value in table.items():
            inner = [a for a in getattr(hints[name], "__args__", ()) if dataclasses.is_dataclass(a)]
            if not inner or not isinstance(value, list):
                continue
            names = [f.name for f in dataclasses.fields(inner[0])]
            for index, item in enumerate(value):
                for unknown in set(item if isinstance(item, dict) else ()) - set(names):
                    raise self._error(
                        (*key, name, index, unknown), "unknown key", _accepted(unknown, names)
                    )

    def _anchored(self, value: Any) -> Any:
        """The section with relative paths made absolute, counted from the file's folder."""
        changes = {
            f.name: self._folder / path
            for f in dataclasses.fields(value)
            if f.init
            and isinstance(path := getattr(value, f.name), Path)
            and not path.is_absolute()
            and path != f.default
        }
        return dataclasses.replace(value, **changes) if changes else value

    def _check(self, settings: Settings) -> None:
        """Values that are each right and together wrong."""
        try:
            Policy(settings.policy)
        except PolicyError as error:
            written = [key for key in error.keys if key in self._lines]
            raise self._error((written or error.keys)[0], str(error), "") from None
        names = settings.chain.filters
        for name in names:
            if names.count(name) > 1:
                raise self._error(("chain", "filters"), f"names {name!r} twice", "once is right")
        if settings.digest.enabled and not settings.web.url:
            raise self._error(
                ("digest", "enabled"),
                "links in digests would not work, since web.url is not set",
                'expected url = "https://mail.example" in [web]',
            )

    def _error(self, key: Key, text: str, right: str) -> ConfigError:
        line = self._lines.find(key)
        tail = f"; {right}" if right else ""
        return ConfigError(f"{self._name}:{line}: {_dotted(key)}: {text}{tail}")


def _dotted(key: Key) -> str:
    text = ""
    for part in key:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _accepted(given: str, known: list[str]) -> str:
    close = difflib.get_close_matches(given, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}accepted: {', '.join(sorted(known))}"
