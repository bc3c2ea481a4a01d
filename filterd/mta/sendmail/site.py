"""From a sendmail.cf to a running MTA: settings, listeners, greeting, extensions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import get_args

from filterd.mta.cf.config import CfError, SendmailCf
from filterd.mta.delivery.router import POSTMASTER
from filterd.mta.mail.queue_times import EXPIRE, QueueTimes
from filterd.mta.maps.opening import MapSite
from filterd.mta.milters.settings import EX_CONFIG, parse_time
from filterd.mta.personality import Personality
from filterd.mta.sendmail.engine import RuleEngine
from filterd.mta.sendmail.features import modified
from filterd.mta.sendmail.gaps import Gap
from filterd.mta.sendmail.macros import VERSION
from filterd.mta.sendmail.options import (
    connection_rules,
    content_limits,
    delivers_at_once,
    session_rules,
)
from filterd.mta.sendmail.personality import sendmail
from filterd.mta.sendmail.queue_times import REPORTS, lifetime, patience, seconds
from filterd.mta.sendmail.replies import SendmailReplies
from filterd.mta.sendmail.router import RuleRouter
from filterd.mta.settings import Listener, MtaSettings, Privacy
from filterd.system.bounded import open_regular

UNANNOUNCED_LIMIT = 1 << 30
"""Octets of a message if the file sets no MaxMessageSize, since memory is finite."""

HELP_LIMIT = 1 << 16
"""Octets of a help file that are read; sendmail's own has 4000."""


@dataclass(frozen=True)
class CfSite:
    """What one sendmail.cf configures. gaps: what it asks for in vain, by line. allows_programs:
    whether maps of class program are run."""

    cf: SendmailCf
    settings: MtaSettings
    listeners: tuple[Listener, ...]
    gaps: tuple[Gap, ...] = ()
    allows_programs: bool = False

    @cached_property
    def engine(self) -> RuleEngine:
        """Its rules and maps, for all sessions and deliveries."""
        return RuleEngine(self.cf, MapSite(self.allows_programs))

    def router(self) -> RuleRouter:
        """Its router. Raises CfError for a file without a local mailer."""
        try:
            return RuleRouter(self.engine)
        except ValueError as error:
            raise CfError([str(error)], EX_CONFIG) from None

    def personality(self) -> Personality:
        """sendmail's personality, with what the file says."""
        cf, size = self.cf, self.cf.option("MaxMessageSize")
        greeting = cf.expand(
            cf.option("SmtpGreetingMessage", "$j Sendmail $v/$Z; $b"), v=VERSION, b="$b"
        )
        return sendmail(
            self.settings,
            version=cf.macros.get("Z", VERSION),
            replies=SendmailReplies(self.settings.hostname, greeting, _help_topics(cf)),
            size_limit=int(size) if size.isdecimal() else 0,
            engine=self.engine,
            session_rules=session_rules(cf),
            connections=connection_rules(cf),
            limits=content_limits(cf),
            delivers_at_once=delivers_at_once(cf),
            postmaster=cf.option("DoubleBounceAddress", POSTMASTER).strip(),
            postmaster_copy=cf.option("PostmasterCopy").strip(),
            waiting=QueueTimes(
                patience(cf), lifetime(cf), seconds(cf, "queuereturn", REPORTS) or EXPIRE
            ),
        )


def site(
    cf: SendmailCf,
    *,
    spool: Path | None = None,
    port: int | None = None,
    allows_programs: bool = False,
) -> CfSite:
    """What a file configures. spool, port: used in the place of the file's. allows_programs: see
    `CfSite`."""
    filters = tuple(cf.filters[name] for name in cf.input_filters())
    listeners = tuple(
        Listener(
            one.name,
            one.address,
            port if port is not None and index == 0 else one.port,
            filters if one.filters is None else tuple(cf.filters[n] for n in one.filters),
            one.modifiers,
            modified(one.modifiers),
            one.family,
        )
        for index, one in enumerate(cf.daemons())
        if one.family != "local"
    )
    if not listeners:
        raise CfError([f"{cf.source}: DaemonPortOptions: no address to listen on"], EX_CONFIG)
    size = cf.option("MaxMessageSize")
    first = listeners[0]
    defaults = MtaSettings()
    settings = replace(
        defaults,
        listen=first.address or "0.0.0.0",  # noqa: S104  # as sendmail does without Addr=
        port=first.port,
        hostname=cf.macros.get("j", defaults.hostname),
        filters=first.filters,
        spool=spool or Path(cf.option("QueueDirectory", "/var/spool/mqueue")),
        max_message_size=int(size) if size.isdecimal() and int(size) else UNANNOUNCED_LIMIT,
        max_recipients=_number(cf, "MaxRecipientsPerMessage", 100000),
        max_hops=_number(cf, "MaxHopCount", 25),
        max_connections=_number(cf, "MaxDaemonChildren", defaults.max_connections),
        idle_timeout=parse_time(cf.option("Timeout.command", "1h")) or 3600.0,
        expire=parse_time(cf.option("Timeout.queuereturn", "5d")) or defaults.expire,
        retry=parse_time(cf.option("MinQueueAge", "30m")) or 1800.0,
        privacy=site_privacy(cf),
        tls_certificate=_path(cf, "ServerCertFile"),
        tls_key=_path(cf, "ServerKeyFile"),
        macros={stage: names for stage, names in cf.milter_macros.items() if names},
    )
    return CfSite(cf, settings, listeners, allows_programs=allows_programs)


def _help_topics(cf: SendmailCf) -> dict[str, list[str]] | None:
    """The lines of `O HelpFile` by topic (`topic`, a tab, a line), None if it cannot be read."""
    topics: dict[str, list[str]] = {}
    try:
        with open_regular(Path(cf.expand(cf.option("HelpFile", "/etc/mail/helpfile")))) as file:
            text = file.read(HELP_LIMIT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None
    for line in text.split("\n"):
        topic, tab, words = line.partition("\t")
        if topic and not topic.startswith("#"):
            shown = cf.expand(words.rstrip("\r"), v=VERSION) if tab else ""
            topics.setdefault(topic.lower(), []).append(shown)
    return topics


def _number(cf: SendmailCf, option: str, default: int) -> int:
    value = cf.option(option)
    return int(value) if value.isdecimal() and int(value) else default


def _path(cf: SendmailCf, option: str) -> Path | None:
    value = cf.expand(cf.option(option))
    return Path(value) if value and Path(value).is_file() else None


def site_privacy(cf: SendmailCf) -> tuple[Privacy, ...]:
    """The flags of `O PrivacyOptions` that this MTA implements."""
    flags = {flag.strip().lower() for flag in re.split(r"[,\s]+", cf.option("PrivacyOptions"))}
    return tuple(flag for flag in get_args(Privacy) if flag in flags)
