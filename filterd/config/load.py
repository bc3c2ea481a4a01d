"""The settings: one TOML file, read once, checked whole, frozen.

Every section is a dataclass of the room that it configures; this module composes them, finds the
line that a mistake stands on, and knows nothing about what a setting means. Mistakes are told all
at once, in a `ConfigError` that names file, line and key of each and says what was expected.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from filterd.bayes.site.autolearn import AutolearnSettings
from filterd.chain import filter as filters
from filterd.chain.chain import ChainSettings
from filterd.chain.filter import Buildable
from filterd.chain.headers import LabelSettings
from filterd.chain.links import LinkSettings
from filterd.chain.policy_settings import PolicySettings, mistakes_in
from filterd.config.digest import DigestSettings
from filterd.config.dmarc import DmarcSettings
from filterd.config.doctor import DoctorSettings
from filterd.config.ldap import LdapSettings
from filterd.config.notices import NoticeSettings
from filterd.config.oidc import OidcSettings
from filterd.config.processes import DaemonSettings, MetricsSettings, StageSettings, WorkerSettings
from filterd.config.report import AdminReportSettings
from filterd.config.tables import Tables
from filterd.config.users import UserSettings
from filterd.config.web import WebSettings
from filterd.filters.rates.settings import RatesSettings
from filterd.history.settings import HistorySettings
from filterd.maillog.settings import MailLogSettings
from filterd.mta.settings import MtaSettings
from filterd.quarantine.settings import QuarantineSettings
from filterd.resolver.settings import ResolverSettings
from filterd.state.settings import StateSettings
from filterd.system import paths
from filterd.system.bounded import open_regular, plain_text, toml_table
from filterd.system.mistakes import Key

F = TypeVar("F", bound=Buildable)

SIZE_LIMIT = 1 << 20
"""Octets of a settings file; a larger one is not a settings file."""


class ConfigError(Exception):
    """Settings that cannot be used. The text is complete: file, line, key, what was expected, and a
    line for each mistake."""


@dataclass(frozen=True)
class FilterSettings:
    """One `[filters.NAME]` table: what the chain does with the filter, and the filter's own."""

    link: LinkSettings
    own: Buildable


@dataclass(frozen=True)
class Settings:
    """All settings of one file. filters: those of the chain have their defaults where nothing is
    given. source: the file, None if there was no file and the defaults count."""

    daemon: DaemonSettings = DaemonSettings()
    workers: WorkerSettings = WorkerSettings()
    stages: StageSettings = StageSettings()
    chain: ChainSettings = ChainSettings()
    resolver: ResolverSettings = ResolverSettings()
    state: StateSettings = StateSettings()
    policy: PolicySettings = PolicySettings()
    labels: LabelSettings = LabelSettings()
    quarantine: QuarantineSettings = QuarantineSettings()
    history: HistorySettings = HistorySettings()
    maillog: MailLogSettings = MailLogSettings()
    digest: DigestSettings = DigestSettings()
    dmarc: DmarcSettings = DmarcSettings()
    notices: NoticeSettings = NoticeSettings()
    report: AdminReportSettings = AdminReportSettings()
    doctor: DoctorSettings = DoctorSettings()
    metrics: MetricsSettings = MetricsSettings()
    autolearn: AutolearnSettings = AutolearnSettings()
    web: WebSettings = WebSettings()
    users: UserSettings = UserSettings()
    ldap: LdapSettings = LdapSettings()
    oidc: OidcSettings = OidcSettings()
    mta: MtaSettings = MtaSettings()
    filters: Mapping[str, FilterSettings] = field(default_factory=dict)
    source: Path | None = None

    def __post_init__(self) -> None:
        missing = [name for name in self.chain.filters if name not in self.filters]
        if missing:
            usual = {n: FilterSettings(LinkSettings(), filters.load(n)()) for n in missing}
            object.__setattr__(self, "filters", {**self.filters, **usual})

    def in_chain(self, cls: type[F]) -> dict[str, F]:
        """The filters of the chain whose settings are of that class, in order: name → settings.

        The class says what a filter is. Its name does not: a package may offer filterd's own
        filters under other names, to have two of them.
        """
        found = ((name, self.filters[name].own) for name in self.chain.filters)
        return {name: own for name, own in found if isinstance(own, cls)}

    def of_filter(self, cls: type[F]) -> F:
        """The settings of a filter that comes with filterd, by their class: the first in the chain,
        else one that the file mentions, else the defaults."""
        found = (entry.own for entry in self.filters.values())
        return next((own for own in found if isinstance(own, cls)), None) or cls()


SECTIONS: Mapping[str, type[Any]] = {
    "daemon": DaemonSettings,
    "workers": WorkerSettings,
    "stages": StageSettings,
    "chain": ChainSettings,
    "resolver": ResolverSettings,
    "state": StateSettings,
    "policy": PolicySettings,
    "labels": LabelSettings,
    "quarantine": QuarantineSettings,
    "history": HistorySettings,
    "maillog": MailLogSettings,
    "digest": DigestSettings,
    "dmarc": DmarcSettings,
    "notices": NoticeSettings,
    "report": AdminReportSettings,
    "doctor": DoctorSettings,
    "metrics": MetricsSettings,
    "autolearn": AutolearnSettings,
    "web": WebSettings,
    "users": UserSettings,
    "ldap": LdapSettings,
    "oidc": OidcSettings,
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
        return _read(Tables("defaults", "", Path()), {}, None)
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
    return _read(Tables(str(path), text, path.resolve().parent), table, path)


def _read(tables: Tables, table: Mapping[str, Any], source: Path | None) -> Settings:
    """The settings of a parsed file. Raises ConfigError with all that is wrong."""
    tables.names((), table, [*SECTIONS, "filters"], "unknown section [{}]")
    sections = {
        name: tables.section((name,), tables.table((name,), table.get(name, {})), cls)
        for name, cls in SECTIONS.items()
    }
    chain = sections["chain"] or ChainSettings()
    found = _filters(tables, tables.table(("filters",), table.get("filters", {})), chain)
    given = {name: section for name, section in sections.items() if section is not None}
    # A filter with a mistake has no settings: the rest is checked together without it.
    usable = tuple(name for name in chain.filters if name in found)
    given["chain"] = dataclasses.replace(chain, filters=usable)
    settings = Settings(**given, filters=found, source=source)
    _check_together(tables, settings)
    if mistakes := tables.mistakes():
        raise ConfigError("\n".join(mistakes))
    return settings


def _filters(
    tables: Tables, found: Mapping[str, Any], chain: ChainSettings
) -> dict[str, FilterSettings]:
    common = [f.name for f in dataclasses.fields(LinkSettings)]
    settings = {}
    for name in dict.fromkeys([*chain.filters, *found]):
        key: Key = ("filters", name)
        try:
            cls = filters.load(name)
        except filters.UnknownFilterError as error:
            tables.wrong(key if name in found else ("chain", "filters"), str(error))
            continue
        table = tables.table(key, found.get(name, {}))
        link = tables.section(key, {k: v for k, v in table.items() if k in common}, LinkSettings)
        own = tables.section(key, {k: v for k, v in table.items() if k not in common}, cls, common)
        if link is not None and own is not None:
            settings[name] = FilterSettings(link, own)
    return settings


def _check_together(tables: Tables, settings: Settings) -> None:
    """Values that are each right and together wrong."""
    for error in mistakes_in(settings.policy):
        tables.wrong_together(error.keys, str(error))
    names = settings.chain.filters
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        tables.wrong(("chain", "filters"), f"names {name!r} twice", "expected each once")
    if settings.digest.enabled and not settings.web.url and not tables.is_wrong(("web", "url")):
        tables.wrong(
            ("digest", "enabled"),
            "links in digests would not work, since web.url is not set",
            'expected url = "https://mail.example" in [web]',
        )
    _check_notices(tables, settings)


def _check_notices(tables: Tables, settings: Settings) -> None:
    notices = settings.notices
    for kind in ("held", "stripped", "virus", "failed"):
        if notices.mailed(kind) and not settings.history.enabled:
            tables.wrong(
                ("notices", kind),
                "would tell nothing, since the history is off",
                "expected enabled = true in [history]",
            )
    if notices.request and not (settings.users.enabled and settings.users.request):
        tables.wrong(
            ("notices", "request"),
            "would tell nothing, since nobody can ask for anything",
            'expected enabled = true and request = ["banned"] in [users]',
        )
    judged = any(own.refused for own in settings.in_chain(RatesSettings).values())
    if notices.account and not judged:
        tables.wrong(
            ("notices", "account"),
            "would tell nothing, since nobody's mail is ever held for its share of spam",
            'expected "rates" in chain.filters, and refused in [filters.rates]',
        )
