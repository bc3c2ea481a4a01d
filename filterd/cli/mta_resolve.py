"""`filterd mta test`: where mail for an address would go, and what the filters are set to.

What `sendmail -bv` and `-bt` are asked for: nothing is sent, nothing is delivered, no filter is
connected to.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import typer

from filterd.cli.common import emit
from filterd.cli.mta_run import ConfigSource, cf_errors, cf_site, own_settings
from filterd.mta.delivery.builtin import BuiltInRouter
from filterd.mta.delivery.relay import mail_exchangers
from filterd.mta.delivery.router import DeliveryError, Router
from filterd.mta.flavours import personality
from filterd.mta.mail.address import Route
from filterd.mta.mail.entry import Target
from filterd.mta.milters.settings import InputMailFilter, missing_sockets
from filterd.mta.personality import Personality

NO_USER = 67
"""EX_NOUSER of sysexits.h, what `sendmail -bv` ends with."""

Row = dict[str, Any]


def test(source: ConfigSource, addresses: list[str], *, mx: bool, as_json: bool) -> None:
    """Print a line for each line of a sendmail.cf that is not carried out, each filter and each
    address (with `--json` an object each)."""
    if source.is_sendmail:
        site = cf_site(source)
        with cf_errors():
            router: Router = site.router()
        mta = site.personality()
        listeners = [(one.name, one.filters) for one in site.listeners]
        gaps, source_name = site.gaps, site.cf.source
    else:
        gaps, source_name = (), ""
        settings = own_settings(source)
        mta = personality(settings)
        router = BuiltInRouter(settings, keeps_duplicates=mta.keeps_duplicates)
        listeners = [("MTA", settings.filters)]
    for name, filters in listeners:
        for row in (filter_row(one, mta, name) for one in filters):
            emit(row) if as_json else sys.stdout.write(filter_text(row))
    if not as_json:
        sys.stderr.writelines(f"{gap.text(source_name)}\n" for gap in gaps)
    failed = False
    for address in addresses:
        row = address_row(router, address, mx=mx)
        failed |= any("error" in one for one in row["deliveries"])
        emit(row) if as_json else sys.stdout.write(address_text(row))
    if as_json:
        for gap in gaps:
            emit({"file": source_name, **asdict(gap)})
    if failed:
        raise typer.Exit(NO_USER)


def filter_row(one: InputMailFilter, mta: Personality, listener: str) -> Row:
    """A filter and its settings in force. Timeouts are in seconds, 0 for no limit."""
    row: Row = {
        "filter": one.name,
        "listener": listener,
        "socket": one.socket,
        "missing": bool(missing_sockets((one,))),
    }
    return row | dict(mta.on_failure(one))


def filter_text(row: Row) -> str:
    """A filter's settings for people."""
    limits = ("connect", "command", "content", "write", "read", "eom")
    shown = ", ".join(f"{name} {row[name]:g} s" for name in limits if name in row)
    flags = f"F={row['flags']}: " if row.get("flags") else ""
    there = "" if not row["missing"] else " (no such socket now)"
    return (
        f"filter {row['filter']} at {row['listener']}: {row['socket']}{there}\n"
        f"  when it fails: {flags}{row['on_failure']}\n  timeouts: {shown}\n"
    )


def address_row(router: Router, address: str, *, mx: bool) -> Row:
    """An address, what it resolves to at RCPT, and who gets its mail in the end."""
    row: Row = {"address": address, "deliveries": []}
    try:
        row["resolves"] = asdict(router.resolve(address))
    except DeliveryError as error:
        row["deliveries"].append({"to": address, **_error(error)})
        return row
    for target in router.expand((Target(address),)):
        one: Row = {"to": target.address}
        if target.user:
            one["forwarded_by"] = target.user
        if target.sender is not None:
            one["errors_to"] = target.sender
        try:
            route = router.resolve(target.address, listed=target.listed)
            one |= asdict(route)
            if mx and route.host:
                one["hosts"] = _hosts(route)
        except DeliveryError as error:
            one |= _error(error)
        row["deliveries"].append(one)
    return row


def _error(error: DeliveryError) -> Row:
    return {"error": str(error), "code": error.code, "temporary": error.temporary}


def _hosts(route: Route) -> list[str]:
    """Where the DNS sends mail for a host; `[host]` is that host itself. Raises DeliveryError."""
    name = route.host.partition(":")[0].rstrip(".")
    return [name.strip("[]")] if name.startswith("[") else mail_exchangers(name)


def address_text(row: Row) -> str:
    """Where an address goes, for people."""
    lines = []
    if "resolves" in row:
        lines.append(f"{row['address']}: {_triple(row['resolves'])}")
    else:
        lines.append(f"{row['address']}:")
    for one in row["deliveries"]:
        text = f"  to {one['to']}: "
        if "error" in one:
            text += f"{'deferred' if one['temporary'] else 'refused'} {one['code']} {one['error']}"
        else:
            text += _triple(one)
        for key, words in (
            ("hosts", "hosts"),
            ("forwarded_by", ".forward of"),
            ("errors_to", "errors to"),
        ):
            if key in one:
                value = one[key]
                text += f"; {words} {', '.join(value) if isinstance(value, list) else value}"
        lines.append(text)
    return "\n".join(lines) + "\n"


def _triple(one: Row) -> str:
    host = f", host {one['host']}" if one["host"] else ""
    return f"mailer {one['mailer']}{host}, user {one['user']}"
