"""The daemon's socket and times as an MTA has to know them, and times that do not fit together."""

from __future__ import annotations

from pathlib import Path

from filterd.config.load import Settings
from filterd.config.mta_lines import worst
from filterd.config.processes import StageSettings
from filterd.filters.auth.settings import AuthSettings
from filterd.filters.dnslists.settings import DnsListsSettings
from filterd.message.envelope import ip

# What MTAs wait for a milter's answer unless told otherwise: sendmail's T=E: and Postfix's
# milter_content_timeout are both five minutes.
MTA_CONTENT_TIMEOUT = 300.0
"""Seconds."""

# sendmail's default T=R:, which every PROGRESS restarts.
MTA_READ_TIMEOUT = 10.0
"""Seconds."""

LEAST_STEP = 5.0
"""Seconds that an MTA should wait for what is done at once, connecting and each command before the
end of the message: a busy machine may take one or two."""


STAGE_TRIES = 2
"""Times that filters may be asked at one stage: again where another one took their process down."""


def least_command(settings: Settings) -> float:
    """Seconds that an MTA should wait for the answer to a command before the end of the message.
    Filters that are asked at stages have their time only if it was changed: by default it fits what
    MTAs wait by default, and without such filters nothing takes long."""
    seconds = settings.stages.timeout
    if seconds == StageSettings().timeout:
        return LEAST_STEP
    return max(LEAST_STEP, STAGE_TRIES * seconds)


def is_same_host(one: str, other: str) -> bool:
    """Whether two hosts mean the same, as far as that can be told without asking the resolver."""
    if one.lower() == other.lower():
        return True
    kinds = {_kind(one), _kind(other)}
    return "any" in kinds or kinds == {"loopback"}


def _kind(host: str) -> str:
    if host.lower() == "localhost":
        return "loopback"
    address = ip(host.strip("[]"))
    if address is None:
        return host
    if address.is_unspecified:
        return "any"
    return "loopback" if address.is_loopback else host


def listens_at(settings: Settings, host: str, port: int) -> bool:
    """Whether that is the daemon's TCP address."""
    address = settings.daemon.address
    return address.path is None and address.port == port and is_same_host(address.host, host)


def listens_on(settings: Settings, path: Path) -> bool:
    """Whether that is the daemon's unix socket, symbolic links followed."""
    own = settings.daemon.address.path
    return own is not None and (own == path or own.resolve() == path.resolve())


def chain_warnings(loaded: Settings) -> list[str]:
    """Limits of time within filterd that do not fit together."""
    found = []
    limit = loaded.chain.timeout
    longest = max((loaded.filters[n].link.timeout for n in loaded.chain.filters), default=0.0)
    if longest > limit:
        found.append(
            f"a filter may take {longest:g} s but [chain] timeout is {limit:g} s: "
            "the later filters would get no time"
        )
    for name, own in loaded.in_chain(DnsListsSettings).items():
        if own.wait >= loaded.filters[name].link.timeout:
            found.append(
                f"{name} waits {own.wait:g} s for lists, as long as it may take: "
                "a list that does not answer makes it fail"
            )
    for name, checks in loaded.in_chain(AuthSettings).items():
        if checks.wait >= loaded.filters[name].link.timeout:
            found.append(
                f"{name} waits {checks.wait:g} s for name servers, as long as it may take: "
                "one that does not answer makes it fail"
            )
    return found


def default_warnings(loaded: Settings) -> list[str]:
    """What does not fit an MTA that waits as long as MTAs do by default; for where it is not known
    how long it waits."""
    found = []
    total = sum(loaded.filters[name].link.timeout for name in loaded.chain.filters)
    if worst(loaded) >= MTA_CONTENT_TIMEOUT:
        found.append(
            f"a verdict may take {worst(loaded):g} s (chain and grace; all filters: {total:g} s), "
            f"but MTAs wait {MTA_CONTENT_TIMEOUT:g} s unless told otherwise: "
            "raise T=E: (sendmail)"
        )
    if loaded.daemon.progress_interval >= MTA_READ_TIMEOUT:
        found.append(
            f"[daemon] progress_interval is {loaded.daemon.progress_interval:g} s, but sendmail "
            f"waits {MTA_READ_TIMEOUT:g} s for each packet unless T=R: says otherwise"
        )
    if least_command(loaded) >= MTA_READ_TIMEOUT:
        found.append(
            f"[stages] timeout is {loaded.stages.timeout:g} s, and a stage may take twice as long, "
            f"but sendmail waits {MTA_READ_TIMEOUT:g} s for each packet unless T=R: says otherwise"
        )
    return found
