"""Mailers whose arguments name no user: they get their messages by SMTP, or by LMTP with the flag
`z`, over a connection (`[IPC]`) or as programs.

Source: sendmail 8.17 `deliver.c`, `usersmtp.c`; `cf/README` (M_LMTP).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.marks import octets
from filterd.mta.delivery.client import EHLO, HELO, LHLO
from filterd.mta.delivery.local_server import LocalMailer, ProgramServer, SocketServer
from filterd.mta.delivery.program import DeliveryProgram, prepared
from filterd.mta.delivery.relay import PORT, SmtpMailer
from filterd.mta.delivery.router import ConfigurationError, DeliveryError, DeliveryOutcome
from filterd.mta.delivery.transaction import OutgoingMail, Result
from filterd.mta.mail.deliver_by import DeliverBy
from filterd.mta.maps.safety import Check, Owner, trouble_with
from filterd.mta.sendmail.client import client_options, for_daemon
from filterd.mta.sendmail.engine import RuleEngine, RuleSession
from filterd.mta.sendmail.group import RecipientGroup, user_word
from filterd.mta.sendmail.mime import MailerText
from filterd.mta.sendmail.outgoing import Sender, arguments, converted

SERVERS = ("[IPC]", "[LPC]")
"""`P=` of mailers that start no program."""

PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "lmtp": 24}


def _hello(flags: str) -> str:
    """How a server is greeted: LMTP is the flag `z`, extensions are the flag `a`."""
    return LHLO if "z" in flags else EHLO if "a" in flags else HELO


class SmtpDelivery:
    """Delivers to the servers of one configuration."""

    def __init__(self, engine: RuleEngine) -> None:
        cf = engine.cf
        self._helo = cf.option("HeloName") or cf.macros.get("j", "localhost")
        self._options = client_options(cf)
        self._owner = Owner.of(cf)
        code = engine.program.names.code("w")
        self._is_own = lambda name: engine.program.classes.contains(code, name.rstrip("."))

    def to_host(
        self,
        session: RuleSession,
        group: RecipientGroup,
        sender: Sender,
        path: str,
        message: MailerText,
    ) -> Iterator[DeliveryOutcome]:
        """Over a connection. path: `$g`. Raises DeliveryError for the whole group."""
        mailer = group.mailer
        if mailer.path == "[LPC]":
            text = f"mailer {mailer.name}: a server has no client on its standard input (P=[LPC])"
            raise DeliveryError(text, temporary=True, code="4.3.5")
        words = arguments(session, mailer, (), path, from_user=False)
        place = words[1] if len(words) > 1 else ""
        mail = self._mail(group, sender, path, message)
        if words[:1] == ("FILE",):
            server = SocketServer(self._socket(place))
            yield from _outcomes(group, self._local(server, mailer).deliver(mail))
            return
        smtp = SmtpMailer(
            place,
            self._helo,
            mailer.line_limit,
            _port(words[2]) if len(words) > 2 else PORT,
            self._is_own,
            for_daemon(
                self._options,
                session.macro("{daemon_flags}"),
                session.macro("{if_addr}").removeprefix("IPv6:"),
            ),
            _hello(mailer.flags),
        )
        yield from _outcomes(group, smtp.deliver(mail))

    def to_program(
        self,
        program: DeliveryProgram,
        group: RecipientGroup,
        sender: Sender,
        path: str,
        message: MailerText,
    ) -> Iterator[DeliveryOutcome]:
        """To a program that speaks on its standard input and output. path: `$g`. Raises
        DeliveryError for the whole group."""
        user = "" if "S" in group.mailer.flags else group.user
        mailer = self._local(ProgramServer(program, user), group.mailer)
        yield from _outcomes(group, mailer.deliver(self._mail(group, sender, path, message)))

    def _local(self, server: SocketServer | ProgramServer, mailer: MailerLine) -> LocalMailer:
        return LocalMailer(server, self._helo, _hello(mailer.flags), mailer.line_limit)

    def _socket(self, path: str) -> str:
        """The path of a socket that can be trusted. Raises DeliveryError."""
        if not path.startswith("/"):
            raise ConfigurationError(f"{octets(path)}: expected the path of a socket")
        checks = Check.SAFE_FOLDERS | Check.NO_SYMLINK | Check.NO_HARDLINK
        if trouble := trouble_with(path, self._owner, checks, stat.S_IRUSR | stat.S_IWUSR):
            text = f"unsafe domain socket {path}: {trouble}"
            raise DeliveryError(text, temporary=True, code="4.3.5")
        return path

    def _mail(
        self, group: RecipientGroup, sender: Sender, path: str, message: MailerText
    ) -> OutgoingMail:
        mailer = group.mailer

        def ready(text: bytes) -> bytes:
            return prepared(converted(text, mailer), envelope, mailer.flags + "n")

        def for_seven() -> bytes:
            if message.for_seven is None:
                text = f"{group.host} does not support 8BITMIME"
                raise DeliveryError(text, temporary=False, code="5.6.3")
            return ready(message.for_seven())

        envelope = path[1:-1] if path.startswith("<") and path.endswith(">") else path
        # The conversation names the sender; a From_ line is for programs only.
        return OutgoingMail(
            "" if group.is_report and "g" not in mailer.flags else envelope,
            tuple(user_word(mailer, route.user) for _, route in group.members),
            ready(message.text),
            _route_path(mailer, sender, envelope, self._helo),
            _body(_given(group.parameters, "BODY").partition("=")[2], message),
            (
                _given(group.parameters, "RET", "ENVID"),
                tuple(_given(one.parameters, "NOTIFY", "ORCPT") for one, _ in group.members),
            ),
            for_seven if message.for_seven is not None or message.needs_eight else None,
            DeliverBy.of(group.parameters),
            group.arrived,
        )


def _outcomes(group: RecipientGroup, results: list[Result]) -> Iterator[DeliveryOutcome]:
    for (target, _), result in zip(group.members, results, strict=True):
        if isinstance(result, DeliveryError):
            yield DeliveryOutcome(target, error=result)
        else:
            local = "l" in group.mailer.flags
            yield DeliveryOutcome(target, group.mailer.name, result, is_local=local)


def _body(given: str, message: MailerText) -> str:
    """What is said of the body: that it is 8-bit only where it is."""
    if not given and message.is_mime:
        return "8BITMIME"
    return "7BIT" if given.upper() == "8BITMIME" and message.text.isascii() else given


def _port(text: str) -> int:
    """The port of `A=TCP $h PORT`. Raises ConfigurationError."""
    number = int(text) if text.isdecimal() and len(text) < 6 else PORTS.get(text.lower(), 0)
    if not 0 < number < 65536:
        raise ConfigurationError(f"{octets(text)}: unknown service name")
    return number


def _route_path(mailer: MailerLine, sender: Sender, path: str, helo: str) -> str:
    """`@us:` in front of the sender, for mailers with the flag `p`."""
    if "p" not in mailer.flags or sender.is_local:
        return ""
    return f"@{helo}{',' if path.startswith('@') else ':'}"


def _given(parameters: tuple[str, ...], *names: str) -> str:
    """Those parameters that were given, as they go on."""
    return "".join(f" {one}" for one in parameters if one.partition("=")[0].upper() in names)
