"""`filterd check`: are the settings right, and what is in force?"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import Annotated, Any, get_type_hints

import typer

from filterd.chain import old_names
from filterd.chain.links import LinkSettings
from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    PostfixOption,
    SendmailOption,
    emit,
    fail,
    reported,
    settings,
)
from filterd.config.load import SECTIONS, ConfigError, Settings
from filterd.config.own_clients import own_client_warnings
from filterd.config.proof import proof_warnings
from filterd.config.sample import field_value
from filterd.doctor.gates import open_gates
from filterd.doctor.mta import Mtas, time_warnings
from filterd.doctor.patterns import bare_names
from filterd.filters.known.settings import KnownSettings
from filterd.filters.locallists import entries as local_entries
from filterd.filters.locallists.settings import LocalListsSettings
from filterd.filters.rules.settings import RulesSettings
from filterd.filters.senders import list as senders
from filterd.filters.senders.settings import SendersSettings
from filterd.filters.sign.settings import SignSettings
from filterd.ops.folders import check_folders
from filterd.system.mistakes import SettingsError, dotted


def check(
    config: ConfigOption = None,
    show: Annotated[
        bool, typer.Option("--show", help="print all settings; those that differ are marked")
    ] = False,
    sendmail: SendmailOption = None,
    postfix: PostfixOption = None,
    as_json: JsonOption = False,
) -> int:
    """Check the settings file. Exit status 78, with file, line and key, if something is wrong."""
    loaded = settings(config)
    with reported(Exit.CONFIG, ConfigError):
        check_folders(loaded)
    _check_lists(loaded)
    _check_notices(loaded)
    _check_ldap(loaded)
    _check_oidc(loaded)
    times = time_warnings(loaded, Mtas(sendmail, postfix))
    warnings = [
        *times,
        *open_gates(loaded),
        *bare_names(loaded),
        *proof_warnings(loaded),
        *own_client_warnings(loaded),
        *old_names.warnings(),
        *_of_rules(loaded),
    ]
    if as_json:
        emit(
            {
                "file": str(loaded.source) if loaded.source else None,
                "ok": True,
                "warnings": warnings,
                "settings": as_plain(loaded),
            }
        )
        return Exit.OK
    if show:
        sys.stdout.write(effective(loaded))
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
    if not show:
        where = loaded.source or "no file, defaults"
        sys.stdout.write(f"{where}: ok, chain {' → '.join(loaded.chain.filters) or '(empty)'}\n")
    return Exit.OK


def _check_lists(loaded: Settings) -> None:
    """End with an error if a list of the site's own has a line that no mail could ever fit."""
    try:
        for lists in loaded.in_chain(LocalListsSettings).values():
            for one in lists.lists:
                local_entries.read(one.file, one.about)
        for own in loaded.in_chain(SendersSettings).values():
            senders.read(own.file, strict=True)
        for name, signs in loaded.in_chain(SignSettings).items():
            _check_keys(name, signs)
        for known in loaded.in_chain(KnownSettings).values():
            if known.key_file is not None:
                from filterd.filters.known.correspondents import read_key  # noqa: PLC0415

                read_key(known.key_file)
    except senders.ListEntryError as error:
        fail(str(error), Exit.CONFIG)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", Exit.CONFIG)


def _check_notices(loaded: Settings) -> None:
    """End with an error for a template or a webhook's secret that cannot be used."""
    if not loaded.notices.enabled:
        return
    from filterd.notices.checking import notice_mistakes  # noqa: PLC0415  (loads the database)

    if wrong := notice_mistakes(loaded.notices, time.time()):
        fail("\n".join(wrong), Exit.CONFIG)


def _check_ldap(loaded: Settings) -> None:
    """End with an error where nobody could log in by the directory."""
    if not loaded.ldap.url:
        return
    from filterd.review.ldap_login import LdapLogin  # noqa: PLC0415
    from filterd.review.outside_login import LoginUnavailableError  # noqa: PLC0415

    with reported(Exit.CONFIG, LoginUnavailableError):
        LdapLogin(loaded.ldap, users=loaded.users.enabled).check()


def _check_oidc(loaded: Settings) -> None:
    """End with an error where nobody could log in at the OpenID Provider."""
    if not loaded.oidc.issuer:
        return
    from filterd.review.oidc_login import OidcLogin  # noqa: PLC0415
    from filterd.review.outside_login import LoginUnavailableError  # noqa: PLC0415

    with reported(Exit.CONFIG, LoginUnavailableError):
        OidcLogin(loaded.oidc, users=loaded.users.enabled, redirect_uri="").check()


def _of_rules(loaded: Settings) -> list[str]:
    """A line for each filter with rules that leaves something out of its files."""
    found = []
    for name, own in loaded.in_chain(RulesSettings).items():
        from filterd.filters.rules.loading import read_rules, summary  # noqa: PLC0415  (Hyperscan)

        try:
            text = summary(read_rules(own))
        except (OSError, ValueError) as error:
            fail(f"filters.{name}: {error}", Exit.CONFIG)
        if text:
            found.append(f"{name}: {text}")
    return found


def _check_keys(name: str, own: SignSettings) -> None:
    """End with an error for each private key that cannot be used."""
    if not own.keys:
        return
    from filterd.filters.sign.keys import KeyRing  # noqa: PLC0415  (cryptography)

    try:
        KeyRing.read(own.keys)
    except SettingsError as error:
        lines = [f"filters.{name}.{dotted(key)}: {text}" for key, text in error.found]
        fail("\n".join(lines), Exit.CONFIG)


def as_plain(loaded: Settings) -> dict[str, Any]:
    """All settings as JSON values; infinite points become null (never)."""
    plain: dict[str, Any] = {name: dataclasses.asdict(getattr(loaded, name)) for name in SECTIONS}
    plain["filters"] = {
        name: {**dataclasses.asdict(entry.link), **_own(entry.own)}
        for name, entry in loaded.filters.items()
    }
    # What is not a JSON value becomes text.
    values: dict[str, Any] = json.loads(json.dumps(plain, default=str).replace("Infinity", "null"))
    return values


def _own(instance: Any) -> dict[str, Any]:
    return {f.name: getattr(instance, f.name) for f in dataclasses.fields(instance) if f.init}


def effective(loaded: Settings) -> str:
    """The settings in force as TOML; a `# default: ...` marks each that differs."""
    lines = [f"# {loaded.source or 'no settings file: defaults'}"]
    for name, cls in SECTIONS.items():
        lines += _section(name, getattr(loaded, name), cls)
    for name, entry in loaded.filters.items():
        lines += _section(f"filters.{name}", entry.link, LinkSettings)
        lines += _section("", entry.own, type(entry.own))
    return "\n".join(lines) + "\n"


def _section(name: str, value: Any, cls: type[Any]) -> list[str]:
    lines = ["", f"[{name}]"] if name else []
    hints = get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        current = getattr(value, field.name)
        if current is None:
            continue
        default = field.default
        if default is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        hint = hints[field.name]
        mark = "" if current == default else f"  # default: {field_value(hint, default)}"
        lines.append(f"{field.name} = {field_value(hint, current)}{mark}")
    return lines
