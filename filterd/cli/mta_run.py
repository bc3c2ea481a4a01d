"""`filterd mta run`: from options and files to a running MTA."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from filterd.cli.common import Exit, fail, reported, settings
from filterd.cli.mta_build import mc_errors
from filterd.mta.bt.machine import host
from filterd.mta.cf.config import CfError
from filterd.mta.mc.build import make_cf
from filterd.mta.mc.macros import MacroFiles
from filterd.mta.milters.scripted import FaultError, ScriptedFilter, parse_fault
from filterd.mta.milters.settings import FilterSyntaxError, InputMailFilter, missing_sockets
from filterd.mta.sendmail.cf_files import checked, parse_cf, read_text
from filterd.mta.sendmail.gaps import gaps
from filterd.mta.sendmail.macros import VERSION
from filterd.mta.sendmail.site import CfSite, site
from filterd.mta.server import ReferenceMta
from filterd.mta.settings import MtaSettings
from filterd.system import privileges


@dataclass(frozen=True)
class ConfigSource:
    """Where the configuration comes from; what is not given is None."""

    config: Path | None = None
    cf: Path | None = None
    mc: Path | None = None
    macros: Path | None = None
    port: int | None = None
    spool: Path | None = None
    mail: Path | None = None
    hostname: str | None = None
    flavour: Literal["sendmail", "postfix"] | None = None
    filters: tuple[str, ...] = ()
    passwords: Path | None = None
    allow_programs: bool = False

    @property
    def is_sendmail(self) -> bool:
        """Whether sendmail's own files are to be read."""
        return self.cf is not None or self.mc is not None


def run(source: ConfigSource, faults: list[str]) -> None:
    """Run the MTA until SIGTERM or SIGINT."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    if source.is_sendmail:
        site = cf_site(source)
        for gap in site.gaps:
            sys.stderr.write(f"{gap.text(site.cf.source)}\n")
        with _faults(site.settings, faults) as final:
            faulty = {one.name: one for one in final.filters if one not in site.settings.filters}
            site = _with_filters(site, faulty)
            with cf_errors(), reported(Exit.UNAVAILABLE, OSError):
                _run(
                    ReferenceMta.from_cf(site),
                    tuple(site.cf.filters.values()),
                    lambda: _with_filters(cf_site(source), faulty),
                )
        return
    wanted = own_settings(source)
    privileges.give_up_root()
    with _faults(wanted, faults) as final, reported(Exit.UNAVAILABLE, OSError):
        _run(ReferenceMta(final), final.filters)


def _with_filters(site: CfSite, changed: dict[str, InputMailFilter]) -> CfSite:
    """The site with other filters in the place of those of the same name."""
    filters = tuple(changed.get(one.name, one) for one in site.settings.filters)
    listeners = tuple(
        dataclasses.replace(one, filters=tuple(changed.get(f.name, f) for f in one.filters))
        for one in site.listeners
    )
    settings = dataclasses.replace(site.settings, filters=filters)
    return dataclasses.replace(site, settings=settings, listeners=listeners)


def own_settings(source: ConfigSource) -> MtaSettings:
    """The section `[mta]`, what was given on the command line in its place."""
    return with_options(
        settings(source.config, lambda loaded: [source.spool or loaded.mta.spool]).mta,
        port=source.port,
        spool=source.spool,
        mail=source.mail,
        hostname=source.hostname,
        flavour=source.flavour,
        passwords=source.passwords,
        filters=tuple(map(_filter, source.filters)) or None,
    )


def cf_site(source: ConfigSource) -> CfSite:
    """What sendmail's files say, or the end with sendmail's complaints and exit status."""
    # sendmail's grammar is not for those who run without it.

    _refuse_beside_cf(
        mail=source.mail,
        hostname=source.hostname,
        flavour=source.flavour,
        filter=source.filters or None,
    )
    with cf_errors():
        if source.mc is not None:
            with mc_errors():
                text = make_cf(source.mc, MacroFiles.find(source.macros))
            name = f"{source.mc} (by m4)"
        else:
            assert source.cf is not None
            text, name = read_text(source.cf), str(source.cf)
        allowed = source.allow_programs
        cf = checked(parse_cf(text, name, host=host(VERSION, "d"), allows_programs=allowed))
        made = site(cf, spool=source.spool, port=source.port, allows_programs=allowed)
        known = with_options(made.settings, passwords=source.passwords)
        return dataclasses.replace(made, settings=known, gaps=tuple(gaps(text)))
    raise AssertionError("unreachable")


def _refuse_beside_cf(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            fail(f"--{name}: the sendmail.cf sets this; expected one of the two", Exit.USAGE)


@contextlib.contextmanager
def cf_errors() -> Iterator[None]:
    """End with sendmail's words and status where its file is at fault."""
    try:
        yield
    except CfError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(error.status) from None


def _run(
    mta: ReferenceMta,
    filters: tuple[InputMailFilter, ...],
    read: Callable[[], CfSite] | None = None,
) -> None:
    """read: reads the sendmail.cf again, at SIGHUP."""
    for warning in missing_sockets(filters):
        sys.stderr.write(f"{warning}\n")
    asyncio.run(_serve(mta, read))


def with_options(base: MtaSettings, **given: Any) -> MtaSettings:
    """The settings, what was given on the command line in their place."""
    return dataclasses.replace(base, **{k: v for k, v in given.items() if v is not None})


def _filter(text: str) -> InputMailFilter:
    """`name, S=…` as in sendmail, or `name: { unix:/path, … }` with a member of smtpd_milters."""
    name, colon, member = text.partition(":")
    try:
        if colon and member.strip().startswith("{"):
            return InputMailFilter.parse_postfix(name.strip(), member)
        return InputMailFilter.parse(text)
    except FilterSyntaxError as error:
        fail(f"--filter {text!r}: {error}", Exit.CONFIG)


@contextlib.contextmanager
def _faults(wanted: MtaSettings, faults: list[str]) -> Iterator[MtaSettings]:
    """The settings with scripted filters in the place of those that `--fault` names."""
    with contextlib.ExitStack() as stack:
        if not faults:
            yield wanted
            return
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="filterd-fault-")))
        filters = {one.name: one for one in wanted.filters}
        for text in faults:
            try:
                name, plan = parse_fault(text)
            except FaultError as error:
                fail(f"--fault {error}", Exit.USAGE)
            if name not in filters:
                known = ", ".join(filters) or "none configured"
                fail(f"--fault {text!r}: no filter {name!r}; there are: {known}", Exit.USAGE)
            path = folder / f"{name}.sock"
            stack.enter_context(ScriptedFilter(path, plan))
            filters[name] = dataclasses.replace(filters[name], socket=f"unix:{path}")
        yield dataclasses.replace(wanted, filters=tuple(filters.values()))


async def _serve(mta: ReferenceMta, read: Callable[[], CfSite] | None) -> None:
    stopping, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if read is not None:
        loop.add_signal_handler(signal.SIGHUP, again.set)
    async with mta:
        address = mta.settings.listen
        sys.stdout.write(f"filterd mta: listening on {address} port {mta.port}\n")
        sys.stdout.flush()
        stopped = asyncio.create_task(stopping.wait())
        while not stopped.done():
            called = asyncio.create_task(again.wait())
            await asyncio.wait((stopped, called), return_when=asyncio.FIRST_COMPLETED)
            called.cancel()
            if again.is_set() and read is not None:
                again.clear()
                await _reload(mta, read)


async def _reload(mta: ReferenceMta, read: Callable[[], CfSite]) -> None:
    """Take the file as it is now, or keep the configuration that was good."""
    try:
        site = await asyncio.to_thread(read)
        mta.reload(site)
    except (typer.Exit, CfError, OSError) as error:
        if not isinstance(error, typer.Exit):
            sys.stderr.write(f"{error}\n")
        sys.stderr.write("configuration not changed: the file cannot be used\n")
    else:
        for gap in site.gaps:
            sys.stderr.write(f"{gap.text(site.cf.source)}\n")
        sys.stderr.write("configuration read again\n")
    sys.stderr.flush()
