"""The recipients of one message as sendmail's rules and aliases make them: its send queue.

An address is parsed (rulesets 3 and 0), then expanded: aliases (mailers with the flag `A`), ruleset
5 (flag `5`), users and their `.forward` files (flag `w`), `:include:` lists. An address that is
there already is not added again.

Source: sendmail 8.17 `recipient.c` (recipient, sendtolist, self_reference, include), `alias.c`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from filterd.mta.cf.addresses import (
    ERROR_MAILER,
    INCLUDE_MAILER,
    AddressKind,
    AddressState,
    ResolvedAddress,
)
from filterd.mta.cf.lookup import EX_OK, EX_TEMPFAIL
from filterd.mta.cf.marks import MAILER, octets
from filterd.mta.cf.tokens import SPACES, scan, without_quotes
from filterd.mta.cf.voice import user_message
from filterd.mta.delivery.router import DeliveryError
from filterd.mta.sendmail.engine import RuleSession, reply_text
from filterd.mta.sendmail.lists import ListError, include_file, lines
from filterd.mta.sendmail.recipient import (
    FILE,
    PROG,
    QueuedRecipient,
    RecipientState,
    at,
    parents,
    refused,
    unfit_list,
)
from filterd.mta.sendmail.users import LocalUsers, PasswdUser

LOCAL_USER_RULESET = 5

EX_UNAVAILABLE = 69

MAX_RECIPIENTS = 100_000
"""Recipients that the lists of one message may name."""

_DIRECT = {
    PROG: "Cannot mail directly to programs",
    FILE: "Cannot mail directly to files",
    INCLUDE_MAILER: "Cannot mail directly to :include:s",
}


@dataclass(eq=False)
class SendList:
    """The recipients of one message. expands: aliases and `.forward` files are looked up. verifies:
    members of aliases are not (EF_VRFYONLY)."""

    session: RuleSession
    users: LocalUsers
    expands: bool = True
    verifies: bool = False
    all: list[QueuedRecipient] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._map_trouble = ""
        self._by_same: dict[tuple[str, str, str], list[QueuedRecipient]] = {}
        self._program = self.session.engine.program
        self._has_five = bool(self._program.rulesets[LOCAL_USER_RULESET].rules)

    def problem_below(self, root: QueuedRecipient) -> DeliveryError | None:
        """The first error of an address and of what it expands to."""
        for one in self.all:
            if one.problem is not None and any(above is root for above in parents(one)):
                return one.problem
        # What is wrong with the address itself was found after that.
        return root.problem

    def leave_out(self, sender: str, named: Collection[QueuedRecipient]) -> None:
        """Take the sender out of what lists expand to (MeToo), unless nobody else is left.

        sender: in octet form. named: members of lists that are kept, since they were named.
        """
        try:
            away = self.parse(sender)
        except DeliveryError:
            return
        mailer = self._program.mailers.find(away.address.mailer)
        user = away.address.user
        if mailer is not None and "l" in mailer.flags:
            user = user.partition("+")[0]
        same = away.address.mailer, away.address.host, user
        wanted = [one for one in self.all if one.is_wanted]
        listed = [one for one in wanted if one.parent is not None and one not in named]
        copies = [one for one in listed if one.same == same]
        if len(copies) < len(wanted):
            for one in copies:
                one.state = RecipientState.REPLACED

    # Parsing

    def parse(self, text: str, parent: QueuedRecipient | None = None) -> QueuedRecipient:
        """Rulesets 3 and 0. text: in octet form. Raises DeliveryError."""
        with self.session.asking() as question:
            question.resolver.set_kind(AddressKind())
            found = question.resolver.parse(text)
            if question.refusal is not None:
                raise refused(question.refusal)
            if found is None:
                raise refused("501 5.0.0 Missing recipient")
            state = RecipientState.OK
            if found.state is AddressState.QUEUE:
                state = RecipientState.WAITING
            elif found.state is AddressState.BAD or found.mailer == ERROR_MAILER:
                raise refused(f"550 5.1.1 {text}... Addressee unknown")
            return QueuedRecipient(
                text, self._octets(found), parent, state, trouble=question.trouble
            )

    def is_alias(self, recipient: QueuedRecipient) -> bool:
        """Whether a local name is an alias."""
        mailer = self._program.mailers.find(recipient.address.mailer)
        if mailer is None or "A" not in mailer.flags or "\\" in recipient.address.user:
            return False
        return self._looked_up(recipient.address.user, recipient.address.host)[0] is not None

    def _octets(self, found: ResolvedAddress) -> ResolvedAddress:
        """The address without marks, which rules may leave in it: for mailers they are octets."""
        if found.host.isascii() and found.user.isascii():
            return found
        plain = self._program.names.without_marks
        return replace(found, host=plain(found.host), user=plain(found.user))

    # Adding

    def add(self, recipient: QueuedRecipient, level: int = 0) -> QueuedRecipient:
        """Add a parsed recipient and what it expands to; the one that was there already counts.

        A recipient with a problem has it in `problem`.
        """
        address = recipient.address
        if level > self.users.max_alias_depth:
            text = f"aliasing/forwarding loop broken ({level} aliases deep; "
            return self._bad(recipient, "554", "5.4.6", f"{text}{self.users.max_alias_depth} max)")
        if address.mailer in (PROG, FILE, INCLUDE_MAILER) and recipient.parent is None:
            return self._bad(recipient, "550", "5.7.1", _DIRECT[address.mailer])
        if unfit := unfit_list(recipient):
            return self._bad(recipient, "550", "5.7.1", unfit)
        for other in self._by_same.get(recipient.same, ()):
            if address.mailer == PROG and other.user != recipient.user:
                continue
            if other.parent is not None or other.is_accepted:
                if other.state is RecipientState.REPLACED and other.keeps_itself:
                    other.state = recipient.state
                return other
        self._keep(recipient)
        if recipient.state is RecipientState.WAITING:
            return recipient
        if address.mailer == INCLUDE_MAILER:
            self._include(recipient, address.user, level)
        else:
            self._local(recipient, level)
        return self._not_lost(recipient)

    def _keep(self, recipient: QueuedRecipient) -> None:
        self.all.append(recipient)
        self._by_same.setdefault(recipient.same, []).append(recipient)

    def _not_lost(self, recipient: QueuedRecipient) -> QueuedRecipient:
        """An address whose lists lead nowhere but back to it is an error."""
        lost = recipient.parent is None and recipient.state is RecipientState.REPLACED
        if lost and not any(one.is_wanted for one in self.all):
            return self._bad(
                recipient, "554", "5.4.6", "aliasing/forwarding loop broken", keep=False
            )
        return recipient

    def _local(self, recipient: QueuedRecipient, level: int) -> None:
        """Aliases, ruleset 5, users, as the flags of the mailer say."""
        mailer = self._program.mailers.find(recipient.address.mailer)
        if mailer is None:
            return
        quoted = "\\" in recipient.address.user
        if self.expands and not quoted and "A" in mailer.flags:
            self._alias(recipient, level)
        has_five = self._has_five and "5" in mailer.flags and not recipient.address.stays
        if recipient.state is RecipientState.OK and has_five:
            self._ruleset_five(recipient, level)
        if recipient.state is RecipientState.OK and "w" in mailer.flags:
            self._user(recipient, level, quoted=quoted)

    def _bad(
        self, recipient: QueuedRecipient, code: str, enhanced: str, text: str, *, keep: bool = True
    ) -> QueuedRecipient:
        shown = f"{recipient.place}{recipient.text}"
        message = user_message(self._program, f"{code} {enhanced} {text}", shown)
        recipient.state = RecipientState.BAD
        recipient.problem = refused(reply_text(message))
        if keep:
            self._keep(recipient)
        return recipient

    # Aliases

    def _alias(self, recipient: QueuedRecipient, level: int) -> None:
        value, status = self._looked_up(recipient.address.user, recipient.address.host)
        if status in (EX_TEMPFAIL, EX_UNAVAILABLE):
            recipient.state = RecipientState.WAITING
            recipient.trouble = self._map_trouble or "alias database unavailable"
            return
        if value is None:
            return
        if self.verifies:
            recipient.state = RecipientState.VERIFIED
            return
        owned = recipient.address.user
        owner_of = "owner" if owned[:6].lower() == "owner-" else owned
        owner, _ = self._looked_up(f"owner-{owner_of}", recipient.address.host)
        if owner is not None:
            many = any(one in owner for one in ',:/|"')
            recipient.owner = f"owner-{owner_of}" if many else owner.strip()
        self.add_list(value, recipient, level + 1)
        self._replace(recipient)

    def _replace(self, recipient: QueuedRecipient) -> None:
        """Its list stands for a recipient, unless the list names it itself or cannot be used."""
        if not recipient.keeps_itself and recipient.state is not RecipientState.BAD:
            recipient.state = RecipientState.REPLACED

    def _looked_up(self, name: str, host: str) -> tuple[str | None, int]:
        """The members of an alias and the map's status. host: the detail of `user+detail`."""
        aliases = self.session.engine.maps.find("aliases")
        if aliases is None:
            return None, EX_OK
        if name.lower() == "postmaster":
            name = "postmaster"
        with self.session.asking() as question:
            answer = aliases.lookup(name, (host,) if host else ())
            question.rewriter.tell(answer)
        self._map_trouble = question.trouble
        return answer.value, answer.status

    def add_list(
        self, text: str, parent: QueuedRecipient, level: int, *, user: str = "", place: str = ""
    ) -> int:
        """The members of a list, the last one first. Returns how many there are.

        user: whose `.forward` it is. place: file and line.
        """
        found: list[QueuedRecipient] = []
        for part in self.members(text):
            try:
                one = self.parse(part, parent)
            except DeliveryError as error:
                one = QueuedRecipient(part, ResolvedAddress(ERROR_MAILER, user=part), parent)
                one.state, one.problem = RecipientState.BAD, at(error, place or parent.place)
            one.place = place or parent.place
            one.user = user or parent.user
            if one.same == parent.same:
                parent.keeps_itself = True
            itself = self._self_reference(one)
            if itself is not None:
                itself.keeps_itself = True
                continue
            if len(self.all) + len(found) >= MAX_RECIPIENTS:
                self._bad(parent, "452", "4.5.3", "Too many recipients", keep=False)
                break
            found.append(one)
        for one in reversed(found):
            if one.state is RecipientState.BAD:
                self._keep(one)
            else:
                self.add(one, level)
        return len(found)

    def members(self, text: str) -> Iterator[str]:
        """The members of a list, cut at commas outside of quotes, brackets and comments."""
        at = 0
        while at < len(text):
            if text[at] in SPACES or text[at] == ",":
                at += 1
                continue
            end = scan(text[at:], self._program.tables.addresses, _silent, delimiter=",").end
            part = text[at : at + end].strip(SPACES)
            at += max(end, 1)
            if part:
                yield part

    def _self_reference(self, one: QueuedRecipient) -> QueuedRecipient | None:
        """The address above this one in a loop of aliases that gets the mail, None if there is no
        loop, or nobody's mailbox in it."""
        above = next((p for p in parents(one) if p.same == one.same), None)
        if above is None:
            return None
        current: QueuedRecipient | None = one
        while current is not None:
            mailer = self._program.mailers.find(current.address.mailer)
            is_user = mailer is None or "w" not in mailer.flags
            if is_user or self.users.find(without_quotes(current.address.user)) is not None:
                return above if current is one else current
            current = current.parent
        return None

    # :include: and .forward

    def _include(self, recipient: QueuedRecipient, path: str, level: int) -> None:
        recipient.state = RecipientState.REPLACED
        try:
            found = include_file(without_quotes(path).strip(), recipient.user, self.users.lists)
        except ListError as error:
            code, enhanced = ("451", "4.2.4") if error.temporary else ("550", "5.2.4")
            self._bad(recipient, code, enhanced, f"Cannot open {path}: {error}", keep=False)
            if error.temporary:
                recipient.state = RecipientState.WAITING
            return
        above = recipient.parent
        recipient.is_unsafe = found.is_unsafe or (above is not None and above.is_unsafe)
        recipient.bad_shell = self._shell_trouble(found.uid)
        for number, line in found.lines:
            place = f"{path}: line {number}: "
            self.add_list(line, recipient, level + 1, user=found.user, place=place)
            if recipient.state is RecipientState.BAD:
                break

    def _user(self, recipient: QueuedRecipient, level: int, *, quoted: bool) -> None:
        """The user must exist, and may have a `.forward`."""
        user = self.users.find(without_quotes(recipient.address.user))
        if user is None:
            self._bad(recipient, "550", "5.1.1", "User unknown", keep=False)
            return
        recipient.home, recipient.full_name = user.home, user.full_name
        if quoted or not self.expands:
            return
        self._forward(recipient, user, level)

    def _forward(self, recipient: QueuedRecipient, user: PasswdUser, level: int) -> None:
        session = self.session
        for name, value in (
            ("z", user.home),
            ("u", recipient.address.user),
            ("h", recipient.address.host),
        ):
            session.definitions.set(name, value)
        paths = [session.expand(one) for one in self.users.forward_path]
        file = self.users.forward(user, paths)
        if file is None:
            return
        recipient.bad_shell = self._shell_trouble(user.uid)
        added = 0
        for number, line in lines(file.text):
            place = f"{octets(str(file.path))}: line {number}: "
            added += self.add_list(line, recipient, level + 1, user=user.name, place=place)
        if added:
            self._replace(recipient)

    def _shell_trouble(self, uid: int) -> str:
        return self.users.shell_trouble(uid, self.session.macro("j"))

    # Ruleset 5

    def _ruleset_five(self, recipient: QueuedRecipient, level: int) -> None:
        """maplocaluser(): the rules may send a local name elsewhere."""
        definitions, address = self.session.definitions, recipient.address
        definitions.set("h", address.host)
        definitions.set("u", address.user)
        definitions.set("z", recipient.home)
        with self.session.asking() as question:
            question.resolver.set_kind(AddressKind())
            tokens = question.rewriter.scanned(address.user, self._program.tables.addresses)
            if tokens is None:
                return
            status = question.rewriter.run(tokens, LOCAL_USER_RULESET)
            if status == EX_TEMPFAIL:
                recipient.state = RecipientState.WAITING
                recipient.trouble = question.trouble
                return
            if not tokens or tokens[0][0] != MAILER:
                return
            found = question.resolver.build(tokens, AddressKind(), recipient.text)
            refusal = question.refusal
        if refusal is not None:
            recipient.state, recipient.problem = RecipientState.BAD, refused(refusal)
            return
        new = replace_address(recipient, self._octets(found))
        if new.same == recipient.same:
            return
        recipient.state = RecipientState.REPLACED
        counts = self.add(new, level + 1)
        if counts.problem is not None:
            recipient.problem = counts.problem


def replace_address(recipient: QueuedRecipient, found: ResolvedAddress) -> QueuedRecipient:
    """What ruleset 5 made of a recipient."""
    later = found.state is AddressState.QUEUE
    state = RecipientState.WAITING if later else RecipientState.OK
    return QueuedRecipient(
        recipient.text,
        replace(found),
        recipient,
        state,
        owner=recipient.owner,
        user=recipient.user,
        home=recipient.home,
    )


def _silent(text: str) -> None:
    del text
