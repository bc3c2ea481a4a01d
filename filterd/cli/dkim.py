"""`filterd dkim`: keys for signatures, and whether the world can verify them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from filterd.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    emit,
    fail,
    models_folder,
    reported,
    settings,
)
from filterd.config.assembly import site_services
from filterd.config.load import Settings
from filterd.config.sample import toml_value
from filterd.filters.sign.settings import KeySettings, SignSettings

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Keys of DKIM: make one, and ask the DNS whether mail signed with it verifies.",
)

STRING_LIMIT = 255
"""Octets of one string of a TXT record, RFC 1035 §3.3.14."""

Algorithm = Literal["rsa", "ed25519"]

DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN", help="as in From, mx.example")]


@app.command()
def genkey(
    domain: DomainArgument,
    config: ConfigOption = None,
    selector: Annotated[
        str, typer.Option(help="name of the key in the DNS (default: s and today's date)")
    ] = "",
    algorithm: Annotated[Algorithm, typer.Option(help="rsa or ed25519")] = "rsa",
    bits: Annotated[int, typer.Option(min=1024, max=4096, help="size of an RSA key")] = 2048,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="where the key goes (default: dkim beside the models of the settings, else dkim "
            "in this folder)",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key for a domain; print its record and the lines for the settings.

    The private key is in a file of mode 0600, DIR/DOMAIN.SELECTOR.key. One that exists already is
    not replaced: exit status 73.
    """
    from filterd.auth.dkim.record import key_name  # noqa: PLC0415  (cryptography)
    from filterd.auth.dkim.signing import SigningKey  # noqa: PLC0415
    from filterd.filters.sign.keys import write_key  # noqa: PLC0415

    loaded = settings(config)
    beside = models_folder(loaded).parent if loaded.source is not None else Path()
    place = (folder if folder is not None else beside / "dkim").absolute()
    chosen = selector or f"s{datetime.now(UTC):%Y%m%d}" + ("e" if algorithm == "ed25519" else "")
    with reported(Exit.USAGE, ValueError):
        KeySettings(domain, chosen, place)
    key = SigningKey.generate(domain, chosen, f"{algorithm}-sha256", bits)
    path = place / f"{key.domain}.{key.selector}.key"
    try:
        write_key(path, key)
    except FileExistsError:
        fail(f"{path} exists already; expected another --selector", Exit.CANNOT_CREATE)
    except OSError as error:
        fail(f"{path}: cannot be written ({error.strerror})", Exit.CANNOT_CREATE)
    name = key_name(key.domain, key.selector)
    lines = {"domain": key.domain, "selector": key.selector, "file": path}
    if as_json:
        plain = {one: str(value) for one, value in lines.items()}
        emit({**plain, "name": name, "record": key.record, "zone": zone_lines(name, key.record)})
        return
    kind = f"RSA, {key.bits} bits" if algorithm == "rsa" else "Ed25519"
    sys.stdout.write(
        f"wrote {path} ({kind})\n\n"
        f"Publish this TXT record of {name}:\n\n{key.record}\n\n"
        f"The same for a zone file:\n\n{zone_lines(name, key.record)}\n\n"
        f'Then sign with it: "sign" in chain.filters, and\n\n[[filters.sign.keys]]\n'
        + "".join(f"{one} = {toml_value(value)}\n" for one, value in lines.items())
        + f"\n`filterd dkim check {key.domain}` asks the DNS whether mail will verify.\n"
    )


def zone_lines(name: str, record: str) -> str:
    """A record in the form of zone files (RFC 1035 §5.1), in strings of at most 255 octets."""
    strings = [record[at : at + STRING_LIMIT] for at in range(0, len(record), STRING_LIMIT)]
    body = "\n".join(f'    "{text}"' for text in strings)
    return f"{name}. IN TXT (\n{body} )"


@app.command()
def check(
    domain: Annotated[
        str, typer.Argument(metavar="[DOMAIN]", help="only the keys of this domain")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the DNS about the keys of the settings: is each published, is it ours, is it good?

    A message is signed with each and verified. Exit status 69 if the DNS did not answer, 65 if mail
    would not verify, 66 if there is no such key.
    """
    loaded = settings(config)
    wanted = _of_domain(_configured(loaded), domain)
    if not wanted:
        whose = f"no key of {domain}" if domain else "no key"
        fail(
            f"{whose} in the settings; expected [[filters.sign.keys]], as `filterd dkim genkey "
            f"{domain or 'DOMAIN'}` prints it",
            Exit.NO_INPUT,
        )
    found = [_checked(loaded, one) for one in wanted]
    for one in found:
        emit(one) if as_json else sys.stdout.write(_shown(one))
    if any(one["unknown"] for one in found):
        raise typer.Exit(Exit.UNAVAILABLE)
    if any(one["problem"] for one in found):
        raise typer.Exit(Exit.DATA)


def _configured(loaded: Settings) -> list[KeySettings]:
    entries = [entry.own for entry in loaded.filters.values()]
    return [key for own in entries if isinstance(own, SignSettings) for key in own.keys]


def _of_domain(keys: list[KeySettings], domain: str) -> list[KeySettings]:
    from filterd.message.address import canonical_domain  # noqa: PLC0415

    wanted = canonical_domain(domain)
    return [one for one in keys if not wanted or canonical_domain(one.domain) == wanted]


def _checked(loaded: Settings, one: KeySettings) -> dict[str, Any]:
    from filterd.filters.sign.keys import read_key  # noqa: PLC0415  (cryptography)
    from filterd.filters.sign.published import published  # noqa: PLC0415
    from filterd.resolver.lookups import DnsLookups  # noqa: PLC0415  (asyncio)

    facts: dict[str, Any] = {"domain": one.domain, "selector": one.selector, "file": str(one.file)}
    try:
        key = read_key(one.file, one.domain, one.selector)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return {**facts, "problem": f"{one.file}: {why}", "unknown": False, "warnings": []}
    resolver = site_services(loaded).resolver
    found = published(key, DnsLookups(resolver))
    own = {"algorithm": key.algorithm, "bits": key.bits, "record": key.record}
    return {**facts, **own, **asdict(found)}


def _shown(one: dict[str, Any]) -> str:
    """What was found for one key, for people."""
    head = f"{one.get('name') or one['selector'] + ' of ' + one['domain']}: "
    if one["problem"]:
        lines = [head + one["problem"]]
        if one.get("record") and not one["unknown"]:
            lines.append(f"  expected {one['record']}")
    else:
        lines = [
            f"{head}ok, {one['algorithm']} of {one['bits']} bits; mail signed with it verifies"
        ]
    return "".join(f"{line}\n" for line in [*lines, *(f"  warning: {w}" for w in one["warnings"])])
