"""Deliveries by the rules of a sendmail.cf: recipients of one mailer and host go together.

Source: sendmail 8.17 `deliver.c`.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.marks import octets
from filterd.mta.cf.tokens import without_quotes
from filterd.mta.delivery.mailbox import append
from filterd.mta.delivery.program import Program, prepared
from filterd.mta.delivery.relay import PORT, OutgoingMail, SmtpMailer, host_names
from filterd.mta.delivery.router import ConfigurationError, DeliveryError, Outcome, sender_for
from filterd.mta.mail.address import Route, to_text
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail.client import client_options
from filterd.mta.sendmail.engine import RuleEngine, RuleSession
from filterd.mta.sendmail.outgoing import (
    Sender,
    arguments,
    converted,
    envelope_sender,
    folder,
    message_for,
    sender_of,
    with_line_ends,
)
from filterd.mta.sendmail.recipient import refused
from filterd.mta.sendmail.rulesets import compat, is_known
from filterd.mta.sendmail.send_list import FILE, PROG
from filterd.mta.sendmail.users import LocalUsers, default_user

PORTS = {"smtp": 25, "submission": 587, "smtps": 465, "lmtp": 24}

APPEND = (
    "sh",
    "-c",
    'umask 077; { cat >> "$1" && { [ ! -f "$1" ] || sync -- "$1"; }; } || exit 75',
    "sh",
)
"""How a file is written as another user: the message is the program's input, and on disk at the
end. 75: to be tried again."""


@dataclass(frozen=True)
class _Group:
    """Recipients that a mailer gets together."""

    mailer: MailerLine
    host: str
    sender: str
    user: str
    members: tuple[tuple[Target, Route], ...]
    parameters: tuple[str, ...]
    """Of the sender."""


class RuleDelivery:
    """Delivers the messages of one configuration."""

    def __init__(self, engine: RuleEngine, users: LocalUsers) -> None:
        self._engine, self._users = engine, users
        cf = engine.cf
        self._helo = cf.option("HeloName") or cf.macros.get("j", "localhost")
        self._has_compat = is_known(engine.program, "check_compat")
        self._client_options = client_options(cf)
        # Only root can run a program as another user.
        own: tuple[int | None, int | None] = (None, None)
        if os.geteuid() == 0:
            own = default_user(cf.option("DefaultUser"))
        self._uid, self._gid = own
        code = engine.program.names.code("w")
        self._is_own = lambda name: engine.program.classes.contains(code, name.rstrip("."))

    def deliver(
        self, entry: QueueEntry, message: bytes, members: Iterable[tuple[Target, Route]]
    ) -> Iterator[Outcome]:
        """Deliver to recipients whose routes are known."""
        wanted: list[tuple[Target, Route]] = []
        for target, route in members:
            kept_back = self._kept_back(entry, target)
            if kept_back is None:
                wanted.append((target, route))
            else:
                yield kept_back
        senders: dict[str, Sender] = {}
        texts: dict[tuple[int, str], bytes] = {}
        for group in self._groups(entry, wanted):
            session = self._engine.session()
            session.set("i", entry.id)
            try:
                sender = senders.get(group.sender)
                if sender is None:
                    sender = senders[group.sender] = sender_of(session, group.sender)
                session.definitions.set("f", sender.name)
                session.definitions.set("h", group.host)
                path = envelope_sender(session, sender, group.mailer)
                session.definitions.set("g", path)
                key = (group.mailer.number, group.sender)
                if key not in texts:
                    texts[key] = message_for(session, message, group.mailer, sender, path)
                yield from self._sent(session, group, sender, path, texts[key])
            except DeliveryError as error:
                yield from (Outcome(target, error=error) for target, _ in group.members)

    def _kept_back(self, entry: QueueEntry, target: Target) -> Outcome | None:
        """What becomes of a recipient that `check_compat` refuses or discards, else None."""
        if not self._has_compat:
            return None
        session = self._engine.session()
        recipient = target.address if target.listed else f"<{target.address}>"
        # A report made here is from $n; the null reverse-path is a client's.
        sender = session.macro("n") if entry.is_report else f"<{sender_for(entry, target)}>"
        verdict = compat(session, sender, recipient, entry.id)
        if verdict.reply is not None:
            return Outcome(target, error=refused(to_text(verdict.reply.lines[0])))
        return Outcome(target, "discard", "discarded") if verdict.discard else None

    def _groups(self, entry: QueueEntry, members: list[tuple[Target, Route]]) -> Iterator[_Group]:
        """Recipients of one mailer, host, sender and user, no more than r= at a time."""
        together: dict[tuple[str, str, str, str], list[tuple[Target, Route]]] = {}
        for target, route in members:
            signature = route.host
            line = self._engine.program.mailers.find(route.mailer)
            if line is not None and line.path == "[IPC]":
                # Where the first host is the same, recipients of several lists go together.
                signature = next(iter(host_names(route.host)), "").lower()
            # Programs and files are their user's; other mailers do not care.
            user = target.user if route.mailer in (PROG, FILE) else ""
            key = (route.mailer.lower(), signature, sender_for(entry, target), user)
            together.setdefault(key, []).append((target, route))
        for (_, _, sender, user), found in together.items():
            route = found[0][1]
            line = self._engine.program.mailers.find(route.mailer)
            if line is None:
                line = MailerLine(route.mailer, "", "", "")
            many = line.max_recipients if "m" in line.flags else 1
            for at in range(0, len(found), many):
                part = tuple(found[at : at + many])
                yield _Group(line, part[0][1].host, sender, user, part, entry.sender_parameters)

    def _sent(
        self, session: RuleSession, group: _Group, sender: Sender, path: str, message: bytes
    ) -> Iterator[Outcome]:
        """Raises DeliveryError for the whole group."""
        mailer = group.mailer
        if not mailer.path:
            raise ConfigurationError(f"buildaddr: unknown mailer {mailer.name}")
        if 0 < mailer.max_size < len(message):
            text = f"Message is too large; {mailer.max_size} bytes max"
            raise DeliveryError(text, temporary=False, code="5.2.3")
        message = converted(message, mailer)
        if mailer.path == "[IPC]":
            yield from self._by_smtp(session, group, sender, path, message)
            return
        user = self._users.find(_plain_user(group))
        session.definitions.set("z", user.home if user is not None else "")
        envelope = path[1:-1] if path.startswith("<") and path.endswith(">") else path
        data = prepared(message, envelope, mailer.flags, mailer.line_limit)
        names = [_user_word(mailer, route.user) for _, route in group.members]
        if mailer.name == FILE:
            place = self._to_file(names[0], group.user, data, message, envelope)
        else:
            words = arguments(session, mailer, names, path, from_user=bool(sender.text))
            # With the flag S a program keeps the MTA's user, whoever named it.
            user_name = "" if "S" in mailer.flags else group.user
            place = self._program(session, mailer, words, group.user).run(
                with_line_ends(data, mailer), user_name
            )
        yield from (Outcome(target, mailer.name, place) for target, _ in group.members)

    def _program(
        self, session: RuleSession, mailer: MailerLine, words: tuple[str, ...], user: str
    ) -> Program:
        uid, gid = self._uid, self._gid
        if "S" in mailer.flags:
            uid, gid = None, None
        if mailer.user >= 0 and os.geteuid() == 0:
            uid, gid = mailer.user, mailer.group if mailer.group >= 0 else gid
        places = folder(session, mailer)
        if user and len(places) > 1:
            try:
                session.definitions.set("z", pwd.getpwnam(user).pw_dir)
            except KeyError:
                session.definitions.set("z", "")
            places = folder(session, mailer)
        place = next((one for one in places if os.access(one, os.X_OK)), "/")
        return Program(mailer.path, words, uid, gid, place, dict(self._engine.cf.environment))

    def _to_file(self, path: str, user: str, data: bytes, message: bytes, sender: str) -> str:
        """Append to a file that an alias or a user's `.forward` names. Raises DeliveryError."""
        if not path.startswith("/"):
            raise DeliveryError(f"{path}: not a file's name", temporary=False, code="5.3.5")
        if path == os.devnull:
            return path
        if user and os.geteuid() == 0:
            # What a user names is written with that user's rights, whatever is there.
            text = prepared(message, sender, "P")
            Program("/bin/sh", (*APPEND, path)).run(text + b"\n", user)
            return path
        del data
        try:
            append(Path(path), sender, prepared(message, sender, "Pn"))
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise DeliveryError(f"{path}: {words}", temporary=True, code="4.2.0") from None
        return path

    # Other hosts

    def _by_smtp(
        self, session: RuleSession, group: _Group, sender: Sender, path: str, message: bytes
    ) -> Iterator[Outcome]:
        mailer = group.mailer
        words = arguments(session, mailer, (), path, from_user=False)
        if words[:1] == ("FILE",):
            text = f"mailer {mailer.name}: delivery over a local socket is not supported"
            raise DeliveryError(text, temporary=True, code="4.3.5")
        hosts = words[1] if len(words) > 1 else ""
        port = _port(words[2]) if len(words) > 2 else PORT
        envelope = path[1:-1] if path.startswith("<") and path.endswith(">") else path
        outgoing = OutgoingMail(
            "" if sender.text == "<>" and "g" not in mailer.flags else envelope,
            tuple(_user_word(mailer, route.user) for _, route in group.members),
            message,
            _route_path(mailer, sender, envelope, self._helo),
            _given(group.parameters, "BODY").partition("=")[2],
            (
                _given(group.parameters, "RET", "ENVID"),
                tuple(_given(one.parameters, "NOTIFY", "ORCPT") for one, _ in group.members),
            ),
        )
        smtp = SmtpMailer(
            hosts, self._helo, mailer.line_limit, port, self._is_own, self._client_options
        )
        for (target, _), result in zip(group.members, smtp.deliver(outgoing), strict=True):
            if isinstance(result, DeliveryError):
                yield Outcome(target, error=result)
            else:
                yield Outcome(target, mailer.name, result)


def _user_word(mailer: MailerLine, user: str) -> str:
    """A user as a mailer gets it: without quotes (s), a program without its bar."""
    if "s" in mailer.flags:
        user = without_quotes(user)
    return user.removeprefix("|") if mailer.name.lower() == PROG else user


def _plain_user(group: _Group) -> str:
    if "w" not in group.mailer.flags:
        return ""
    return without_quotes(group.members[0][1].user)


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
