"""Addresses by the rules: to a mailer, host and user, and as a mailer wants to see them.

Source: sendmail 8.17 `parseaddr.c` (parseaddr, buildaddr, remotename).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from filterd.mta.cf.crack import cracked
from filterd.mta.cf.definitions import MAX_LINE
from filterd.mta.cf.lookup import EX_OK, EX_TEMPFAIL
from filterd.mta.cf.mailers import MailerLine
from filterd.mta.cf.marks import HOST, MACRO, MAILER, USER
from filterd.mta.cf.observer import RuleMessage
from filterd.mta.cf.rewriting import Rewriter
from filterd.mta.cf.statuses import status_of
from filterd.mta.cf.tokens import Tokens, without_quotes
from filterd.mta.cf.voice import is_enhanced

MAX_ADDRESS = 255
"""Octets of an address, MAXNAME less the end."""

MAX_HOST = 254
"""Octets of a host, MAXNAME + 1 less 3."""

MAX_REWRITTEN = 256
"""Octets of an address as a mailer sees it."""

EX_USAGE = 64

CANONIFY, PARSE, SENDER, RECIPIENT, FINAL = 3, 0, 1, 2, 4
"""The rulesets that sendmail itself calls."""

ERROR_MAILER = "*error*"
INCLUDE_MAILER = "*include*"

TRANSIENT = "Transient parse error -- message queued for future delivery"

_REPLACEMENT = "?"


class AddressState(Enum):
    OK = "ok"
    BAD = "bad"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class ResolvedAddress:
    """Where an address goes. state: BAD for an error, QUEUE if it is to be tried again later.

    host, user: as the mailer gets them. problem: what an error said. status: its exit status.
    queue_group: what the ruleset `queuegroup` said. stays: a local name that ruleset 5 must not
    send elsewhere.
    """

    mailer: str
    host: str = ""
    user: str = ""
    state: AddressState = AddressState.OK
    problem: RuleMessage | None = None
    status: int = EX_OK
    queue_group: str = ""
    stays: bool = False


@dataclass(frozen=True, slots=True)
class AddressKind:
    """header, sender: what an address is, as in `/tryflags HS`."""

    header: bool = False
    sender: bool = False

    @property
    def macro(self) -> str:
        """The value of `${addr_type}`."""
        return f"{'h' if self.header else 'e'} {'s' if self.sender else 'r'}"


class AddressResolver:
    """Resolves addresses with the rules of a rewriter. errors: statuses of errors, for the exit."""

    def __init__(self, rewriter: Rewriter) -> None:
        self.rewriter, self._program = rewriter, rewriter.program
        self._observer, self._voice = rewriter.observer, rewriter.voice
        self.exit_status = EX_OK

    # Messages

    def note_status(self, status: int) -> None:
        if self.exit_status == EX_OK:
            self.exit_status = status

    def set_kind(self, kind: AddressKind) -> None:
        """Tell the rules what the next address is (`${addr_type}`)."""
        self.rewriter.definitions.set("addr_type", kind.macro)

    # Addresses from outside

    def parse(
        self, text: str, kind: AddressKind = AddressKind(), *, recipient: bool = True
    ) -> ResolvedAddress | None:
        """Where an address goes; None for a text that is none. recipient: not a sender."""
        tokens = self.rewriter.scanned(text, self._program.tables.addresses)
        return self._parsed(tokens, text, kind, recipient=recipient)

    def parse_alias(self, line: str) -> tuple[ResolvedAddress | None, str]:
        """The address before the colon of a line in an alias file, None if there is none, and its
        text."""
        scanned = self._voice.scanned_until(":", line, self._program.tables.addresses)
        text = line[: scanned.end]
        return self._parsed(scanned.tokens, text, AddressKind(), recipient=True), text

    def _parsed(
        self, tokens: Tokens | None, text: str, kind: AddressKind, *, recipient: bool
    ) -> ResolvedAddress | None:
        if tokens is None or not self.acceptable(text, text, recipient=recipient):
            return None
        later = EX_TEMPFAIL in [self.rewriter.run(tokens, one) for one in (CANONIFY, PARSE)]
        address = self.build(tokens, kind, text)
        if address.user:
            address = self._printable(address, text, recipient=recipient)
        if address.state == AddressState.BAD:
            return address
        if not kind.header and not kind.sender:
            address = replace(address, queue_group=self._queue_group(address.user))
        if later:
            message = RuleMessage("050", "", TRANSIENT, self._program.names.stripped(text))
            self._observer.message(message)
            address = replace(address, state=AddressState.QUEUE, problem=message)
        return address

    def acceptable(self, text: str, prefix: str, *, recipient: bool) -> bool:
        """Whether an address may be parsed: of at most 255 octets, none of them a mark's."""
        shown = without_marks(text)
        if len(text) > MAX_ADDRESS:
            kept = shown[:MAX_ADDRESS]
            self._voice.error(
                f'553 5.1.0 Address "{kept}" too long ({MAX_ADDRESS} bytes max)',
                prefix and kept,
            )
            return False
        if shown != text:
            self.note_status(EX_USAGE)
            code = "5.1.3" if recipient else "5.1.7"
            self._voice.error(f'501 {code} 8-bit character in mailbox address "{shown}"')
            return False
        return True

    def _printable(
        self, address: ResolvedAddress, text: str, *, recipient: bool
    ) -> ResolvedAddress:
        """The address, marked bad if its user has characters that it must not have."""
        user, problem = checked_user(address.user)
        if not problem:
            return address
        if problem == "too long":
            error = f'553 5.1.0 Address "{user}" too long ({MAX_ADDRESS} bytes max)'
        else:
            code = "5.1.3" if recipient else "5.1.7"
            error = f'501 {code} Syntax error in mailbox address "{user}" ({problem})'
        if problem == "8-bit character":
            self.note_status(EX_USAGE)
        message = self._voice.error(error, text)
        return replace(address, user=user, state=AddressState.BAD, problem=message)

    def _queue_group(self, user: str) -> str:
        """What the ruleset `queuegroup` makes of a user, which no one hears of."""
        number = self._program.rulesets.find("queuegroup", _silent)
        if number < 0:
            return ""
        tokens = self.rewriter.scanned(user, self._program.tables.internal)
        if tokens is None or self.rewriter.run(tokens, number) != EX_OK:
            return ""
        return tokens[1] if len(tokens) > 1 and tokens[0] == MAILER else ""

    # A triple

    def build(self, tokens: Tokens, kind: AddressKind, text: str = "") -> ResolvedAddress:
        """The address for `$#mailer $@ host $: user`. text: what it came from, for messages."""
        if not tokens or tokens[0][0] != MAILER:
            return self._bad(self._voice.complain("buildaddr: no mailer in parsed address"))
        name = tokens[1] if len(tokens) > 1 else ""
        has_host = tokens[2:3] == [HOST]
        start = 3 if has_host else 2
        if USER not in tokens[start:]:
            return self._bad(self._voice.complain("buildaddr: no user"))
        end = tokens.index(USER, start)
        tables = self._program.tables
        host = tables.join(tokens[start:end], None, MAX_HOST) if has_host and end > start else None
        rest = tokens[end + 1 :]
        user = tables.join(rest, " ", MAX_ADDRESS)
        if name.lower() == "error":
            return self._error(host, user, text)
        mailer = self._program.mailers.find(name)
        if mailer is None:
            return self._bad(self._voice.complain(f"buildaddr: unknown mailer {name}"))
        if host is None and "l" not in mailer.flags:
            return self._bad(self._voice.complain("buildaddr: no host"))
        return self._for_mailer(mailer, host, user, rest, kind)

    def _bad(
        self, problem: RuleMessage, *, later: bool = False, host: str = "", user: str = ""
    ) -> ResolvedAddress:
        state = AddressState.QUEUE if later or self.exit_status == EX_TEMPFAIL else AddressState.BAD
        return ResolvedAddress(
            ERROR_MAILER, host, user, state=state, problem=problem, status=self.exit_status
        )

    def _error(self, host: str | None, user: str, text: str) -> ResolvedAddress:
        """`$#error $@ status $: text`."""
        status = status_of(host)
        self.note_status(status)
        code, enhanced, words = error_text(user, host or "")
        message = self._voice.error(
            f"{code} {enhanced} {words}" if enhanced else f"{code} {words}", text
        )
        later = code.startswith("4")
        address = self._bad(message, later=later, host=host or "", user=user)
        return replace(address, status=status)

    def _for_mailer(
        self, mailer: MailerLine, host: str | None, user: str, rest: Tokens, kind: AddressKind
    ) -> ResolvedAddress:
        mailers = self._program.mailers
        stays = user.startswith("@") and "@" in mailer.flags
        if stays:
            user, rest = user[1:], rest[1:]
        first = user.removeprefix('"')[:1]
        if first == "|" and "|" in mailer.flags:
            mailer = mailers.find("prog") or mailer
        elif first == "/" and "/" in mailer.flags:
            mailer = mailers.find("*file*") or mailer
        elif first == ":" and ":" in mailer.flags:
            plain = without_quotes(user)
            if plain[:9].lower() == ":include:":
                return ResolvedAddress(INCLUDE_MAILER, host or "", plain[9:])
        self.rewriter.definitions.set("h", host)
        sets: Sequence[int] = (FINAL,)
        if self._program.level >= 10 or not (kind.header or kind.sender):
            sets = (RECIPIENT, mailer.recipients.envelope, FINAL)
        for number in sets:
            if number or number == FINAL:
                self.rewriter.run(rest, number)
        user = self._program.tables.join(rest, None, MAX_ADDRESS)
        if host and "h" not in mailer.flags:
            host = host.lower()
        return ResolvedAddress(
            mailer.name, host or "", user if "u" in mailer.flags else user.lower(), stays=stays
        )

    # Addresses as a mailer wants them

    def rewrite_for(
        self,
        text: str,
        mailer: MailerLine,
        kind: AddressKind,
        *,
        domain: Sequence[str] = (),
        plain: bool = False,
    ) -> tuple[str, int]:
        """An address as a mailer sees it, and the status: 75 if it is to be tried again later.

        domain: tokens of the sender's `@domain`, for addresses without one (flag C). plain: without
        what surrounds the address.
        """
        rewriter, definitions = self.rewriter, self.rewriter.definitions
        paths = mailer.senders if kind.sender else mailer.recipients
        definitions.set("addr_type", kind.macro)
        around = (
            MACRO + "g"
            if plain or "c" in mailer.flags
            else cracked(
                text,
                colon_in_addresses=self._program.colon_in_addresses,
                must_quote=self._program.must_quote,
            )
        )
        tokens = rewriter.scanned(text, self._program.tables.addresses)
        if tokens is None:
            return text, EX_OK
        statuses = [rewriter.run(tokens, CANONIFY)]
        if domain and "@" not in tokens:
            tokens += domain
            statuses.append(rewriter.run(tokens, CANONIFY))
        own = paths.header if kind.header else paths.envelope
        for number in (SENDER if kind.sender else RECIPIENT, own, FINAL):
            if number:
                statuses.append(rewriter.run(tokens, number))
        address = self._program.tables.join(tokens, None, MAX_REWRITTEN)
        before = definitions.value("g")
        definitions.define("g", address)
        result = definitions.expand(around, rewriter.complain, MAX_LINE)[:MAX_REWRITTEN]
        definitions.define("g", before)
        return result, EX_TEMPFAIL if EX_TEMPFAIL in statuses else EX_OK


def _silent(text: str) -> None:
    del text


def without_marks(text: str) -> str:
    """Text with a question mark for each octet that is a mark's."""
    return "".join(_REPLACEMENT if "\udc80" <= one < "\udca0" else one for one in text)


def error_text(user: str, host: str) -> tuple[str, str, str]:
    """Code, enhanced code and text of `$#error $@ host $: user`."""
    text = without_quotes(user)
    if len(text) > 3 and text[:3].isdecimal() and text[0] in "245" and text[3] == " ":
        code, rest = text[:3], text[4:]
        enhanced, space, words = rest.partition(" ")
        if space and is_enhanced(enhanced):
            return code, enhanced, words
        return code, host if is_enhanced(host) else "", rest
    return "553", "5.3.0", text


def checked_user(text: str) -> tuple[str, str]:
    """A user without bad characters, and what was wrong with it, "" for nothing."""
    if len(text) > MAX_ADDRESS:
        return text[:MAX_ADDRESS], "too long"
    out: list[str] = []
    problem, quoted, at = "", False, 0
    while at < len(text):
        one = text[at]
        at += 1
        if not quoted and (one < " " or one == "\x7f"):
            problem, one = "non-printable character", _REPLACEMENT
        elif one == '"':
            quoted = not quoted
        elif one == "\\":
            out.append(one)
            if at == len(text):
                out[-1] = _REPLACEMENT
                problem = "trailing \\ character"
                break
            one = text[at]
            at += 1
        if "\udc80" <= one < "\udca0":
            problem, one = "8-bit character", _REPLACEMENT
        out.append(one)
    if quoted:
        problem = "unbalanced quote"
    return "".join(out), problem
