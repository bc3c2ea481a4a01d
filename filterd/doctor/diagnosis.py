"""All checks together, as `filterd doctor` makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from filterd.config.load import Settings
from filterd.config.own_clients import own_client_warnings
from filterd.config.proof import proof_warnings
from filterd.doctor import dns, files, host, scanners, servers, state, told, web
from filterd.doctor.access import milter_socket
from filterd.doctor.findings import Finding, Level
from filterd.doctor.gates import open_gates
from filterd.doctor.mail_log import mail_log
from filterd.doctor.mta import Mtas, mtas, own_warnings
from filterd.doctor.patterns import bare_names
from filterd.doctor.senders import senders


def diagnose(
    settings: Settings, where: Mtas | None = None, selectors: Sequence[str] = ()
) -> list[Finding]:
    """All findings, each once; a check that fails itself is one. where: the MTA's files. selectors:
    of DKIM, besides those that the settings name."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("settings", files.settings_file),
        ("settings", lambda settings: _settings(settings, where or Mtas())),
        ("folders", files.folders),
        ("folders", files.owners),
        ("folders", files.packaged),
        ("disk", files.disk),
        ("clock", host.clock),
        ("names", host.names),
        ("resolver", dns.dns),
        ("senders", lambda settings: senders(settings, (), selectors)),
        ("daemon", servers.daemon),
        ("socket", milter_socket),
        ("mta", lambda settings: mtas(settings, where or Mtas())),
        ("maillog", mail_log),
        ("clamd", scanners.clamd),
        ("scanners", scanners.others),
        ("freshclam", scanners.freshclam),
        ("model", servers.model),
        ("journal", servers.journal),
        ("state", state.state),
        ("quarantine", servers.store),
        ("release", servers.release),
        ("notices", told.notices),
        ("report", told.report),
        ("web", web.proxies),
        ("login", web.provider),
    )
    found: list[Finding] = []
    for about, check in checks:
        try:
            found += check(settings)
        except OSError as error:
            found.append(
                Finding(
                    Level.FAIL, about, str(error), "make it readable and writable for this user"
                )
            )
    return list(dict.fromkeys(found))


def _settings(settings: Settings, where: Mtas) -> Iterator[Finding]:
    """filterd's own times (an MTA's are checked with the rest of its files), settings that let
    unexamined mail pass or do not fit together, and patterns that probably mean something else."""
    for text in own_warnings(settings, where):
        yield Finding(Level.WARN, "settings", text, "change one of these times")
    found = [*open_gates(settings), *bare_names(settings), *proof_warnings(settings)]
    for text in [*found, *own_client_warnings(settings)]:
        yield Finding(Level.WARN, "settings", text, "change the setting unless you want this")
