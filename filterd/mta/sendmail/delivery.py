"""Deliveries by the rules of a sendmail.cf: recipients of one mailer and host go together.

Source: sendmail 8.17 `deliver.c`.
"""

from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Iterable, Iterator
from pathlib import Path

from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.tokens import without_quotes
from filterd.mta.delivery.mailbox import append
from filterd.mta.delivery.program import DeliveryProgram, prepared
from filterd.mta.delivery.relay import host_names
from filterd.mta.delivery.router import (
    ConfigurationError,
    DeliveryError,
    DeliveryOutcome,
    sender_for,
)
from filterd.mta.mail.address import Route, to_text
from filterd.mta.mail.entry import QueueEntry, Target
from filterd.mta.sendmail.by_smtp import SERVERS, SmtpDelivery
from filterd.mta.sendmail.default_user import default_user
from filterd.mta.sendmail.engine import RuleEngine, RuleSession
from filterd.mta.sendmail.group import RecipientGroup, user_word
from filterd.mta.sendmail.mime import EightBitRules, mailer_text
from filterd.mta.sendmail.outgoing import (
    Sender,
    arguments,
    converted,
    envelope_sender,
    folder,
    is_smtp,
    message_for,
    sender_of,
    with_line_ends,
)
from filterd.mta.sendmail.recipient import FILE, PROG, refused
from filterd.mta.sendmail.rulesets import compat, is_known
from filterd.mta.sendmail.users import LocalUsers

log = logging.getLogger("filterd.mta")

APPEND = (
    "sh",
    "-c",
    'umask 077; { cat >> "$1" && { [ ! -f "$1" ] || sync -- "$1"; }; } || exit 75',
    "sh",
)
"""How a file is written as another user: the message is the program's input, and on disk at the
end. 75: to be tried again."""


class RuleDelivery:
    """Delivers the messages of one configuration."""

    def __init__(self, engine: RuleEngine, users: LocalUsers) -> None:
        self._engine, self._users = engine, users
        cf = engine.cf
        self._by_smtp = SmtpDelivery(engine)
        self._eight_bits = EightBitRules.of(cf)
        self._has_compat = is_known(engine.program, "check_compat")
        # Only root can run a program as another user.
        own: tuple[int | None, int | None] = (None, None)
        if os.geteuid() == 0:
            own = default_user(cf.option("DefaultUser"))
        self._uid, self._gid = own

    def deliver(
        self, entry: QueueEntry, message: bytes, members: Iterable[tuple[Target, Route]]
    ) -> Iterator[DeliveryOutcome]:
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
            session.update(entry.macros)
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
                yield from (DeliveryOutcome(target, error=error) for target, _ in group.members)

    def _kept_back(self, entry: QueueEntry, target: Target) -> DeliveryOutcome | None:
        """What becomes of a recipient that `check_compat` refuses or discards, else None."""
        if not self._has_compat:
            return None
        session = self._engine.session()
        session.update(entry.macros)
        recipient = target.address if target.listed else f"<{target.address}>"
        # A report made here is from $n; the null reverse-path is a client's.
        sender = session.macro("n") if entry.is_report else f"<{sender_for(entry, target)}>"
        verdict = compat(session, sender, recipient, entry.id)
        if verdict.reply is not None:
            return DeliveryOutcome(target, error=refused(to_text(verdict.reply.lines[0])))
        return DeliveryOutcome(target, "discard", "discarded") if verdict.discard else None

    def _groups(
        self, entry: QueueEntry, members: list[tuple[Target, Route]]
    ) -> Iterator[RecipientGroup]:
        """Recipients of one mailer, host, sender and user, no more than r= at a time.

        Those of a local mailer (flag `l`) go together by order of their hosts.
        """
        together: dict[tuple[str, str, str, str], list[tuple[Target, Route]]] = {}
        for target, route in members:
            signature = route.host
            line = self._engine.program.mailers.find(route.mailer)
            if line is not None and "l" in line.flags:
                # One mailbox after the other, whatever the details: `$h` is that of the first.
                signature = ""
            elif line is not None and line.path == "[IPC]":
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
            if "l" in line.flags:
                found.sort(key=lambda member: member[1].host.lower())
            many = line.max_recipients if "m" in line.flags else 1
            for at in range(0, len(found), many):
                part = tuple(found[at : at + many])
                yield RecipientGroup(
                    line,
                    part[0][1].host,
                    sender,
                    user,
                    part,
                    entry.sender_parameters,
                    entry.is_report,
                    entry.arrived,
                )

    def _sent(
        self, session: RuleSession, group: RecipientGroup, sender: Sender, path: str, message: bytes
    ) -> Iterator[DeliveryOutcome]:
        """Raises DeliveryError for the whole group."""
        mailer = group.mailer
        if not mailer.path:
            raise ConfigurationError(f"buildaddr: unknown mailer {mailer.name}")
        if 0 < mailer.max_size < len(message):
            text = f"Message is too large; {mailer.max_size} bytes max"
            raise DeliveryError(text, temporary=False, code="5.2.3")
        given = mailer_text(session, self._eight_bits, message, mailer, sender.charset)
        message = converted(given.text, mailer)
        envelope = path[1:-1] if path.startswith("<") and path.endswith(">") else path
        if mailer.path in SERVERS:
            yield from self._by_smtp.to_host(session, group, sender, path, given)
            return
        if mailer.name != FILE and is_smtp(mailer):
            words = arguments(session, mailer, (), path, from_user=False)
            program = self._program(session, mailer, words, group.user)
            yield from self._by_smtp.to_program(program, group, sender, path, given)
            return
        if "z" in mailer.flags:
            log.warning("Warning: mailer %s: LMTP flag (F=z) turned off", mailer.name)
        user = self._users.find(_plain_user(group))
        session.definitions.set("z", user.home if user is not None else "")
        data = prepared(message, envelope, mailer.flags, mailer.line_limit)
        names = [user_word(mailer, route.user) for _, route in group.members]
        if mailer.name == FILE:
            place = self._to_file(names[0], group.user, data, message, envelope)
        else:
            words = arguments(session, mailer, names, path, from_user=bool(sender.text))
            # With the flag S a program keeps the MTA's user, whoever named it.
            user_name = "" if "S" in mailer.flags else group.user
            place = self._program(session, mailer, words, group.user).run(
                with_line_ends(data, mailer), user_name
            )
        local = "l" in mailer.flags
        for target, _ in group.members:
            yield DeliveryOutcome(target, mailer.name, place, is_local=local)

    def _program(
        self, session: RuleSession, mailer: MailerLine, words: tuple[str, ...], user: str
    ) -> DeliveryProgram:
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
        return DeliveryProgram(
            mailer.path, words, uid, gid, place, dict(self._engine.cf.environment)
        )

    def _to_file(self, path: str, user: str, data: bytes, message: bytes, sender: str) -> str:
        """Append to a file that an alias or a user's `.forward` names. Raises DeliveryError."""
        if not path.startswith("/"):
            raise DeliveryError(f"{path}: not a file's name", temporary=False, code="5.3.5")
        if path == os.devnull:
            return path
        if user and os.geteuid() == 0:
            # What a user names is written with that user's rights, whatever is there.
            text = prepared(message, sender, "P")
            DeliveryProgram("/bin/sh", (*APPEND, path)).run(text + b"\n", user)
            return path
        del data
        try:
            append(Path(path), sender, prepared(message, sender, "Pn"))
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise DeliveryError(f"{path}: {words}", temporary=True, code="4.2.0") from None
        return path


def _plain_user(group: RecipientGroup) -> str:
    if "w" not in group.mailer.flags:
        return ""
    return without_quotes(group.members[0][1].user)
