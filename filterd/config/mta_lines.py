"""The lines with which an MTA asks the daemon: one text for `init`, `setup`, `doctor` and the docs.

Source: sendmail's cf/README, libmilter's documentation (S=, F=, T=); postconf(5), MILTER_README.
"""

from __future__ import annotations

from filterd.config.load import Settings

IN_QUEUE = "unix:filterd/filterd.sock"
"""The socket in a folder of Postfix's queue directory, as Postfix writes it: smtpd works there, and
finds it with and without a chroot."""

READS = 4
"""Times daemon.progress_interval that an MTA should wait for one answer: a PROGRESS may be late
where the machine is busy."""

LEAST_READ, LEAST_CONTENT = 60.0, 300.0
"""Seconds that are advised at least: for one answer, and for all of a message."""

MARGIN = 60.0
"""Seconds above the longest time for a verdict."""


def worst(settings: Settings) -> float:
    """Seconds after which a message has its answer, whatever happens."""
    return settings.chain.timeout + settings.workers.grace


def least_read(settings: Settings) -> float:
    """Seconds that an MTA should wait for the next answer."""
    return READS * settings.daemon.progress_interval


def content_timeout(settings: Settings) -> float:
    """Seconds that an MTA should have for the end of a message."""
    return max(LEAST_CONTENT, worst(settings) + MARGIN)


def sendmail_line(settings: Settings) -> str:
    """The line of sendmail.mc, to stand above the first MAILER()."""
    read = max(least_read(settings), LEAST_READ)
    return (
        f"INPUT_MAIL_FILTER(`filterd', `S={settings.daemon.socket}, F=T, "
        f"T=C:30s;S:10s;R:{read:g}s;E:{_minutes(content_timeout(settings))}')dnl"
    )


MACROS = (
    "define(`confMILTER_MACROS_CONNECT', confMILTER_MACROS_CONNECT``, {client_addr}, "
    "{client_name}, {client_resolve}'')dnl",
    "define(`confMILTER_MACROS_ENVFROM', confMILTER_MACROS_ENVFROM``, r'')dnl",
)
"""What sendmail tells filterd besides the message, and would not by itself."""


def sendmail_lines(settings: Settings) -> list[str]:
    """All lines of sendmail.mc."""
    return [sendmail_line(settings), *MACROS]


def postfix_lines(settings: Settings, socket: str = "") -> dict[str, str]:
    """Parameter → value of main.cf. socket: as Postfix writes it, unset: the daemon's."""
    return {
        "smtpd_milters": socket or postfix_socket(settings.daemon.socket),
        "milter_default_action": "tempfail",
        "milter_content_timeout": f"{content_timeout(settings):g}s",
    }


def postfix_socket(socket: str) -> str:
    """The socket as Postfix writes it: `inet:port@host` is its `inet:host:port`."""
    kind, _, rest = socket.partition(":")
    if kind in ("inet", "inet6"):
        port, _, host = rest.partition("@")
        return f"inet:{f'[{host}]' if ':' in host else host or '127.0.0.1'}:{port}"
    return f"unix:{rest}"


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:g}m" if seconds % 60 == 0 else f"{seconds:g}s"
