"""What filters do to the envelope: recipients added and deleted, the sender changed.

sendmail takes an address as it takes one in a header field, several at a time and mended; Postfix
takes the first and leaves what it does not understand. sendmail knows a recipient by where its mail
goes, Postfix by the letter.
Sources: sendmail 8.17 `milter.c` (milter_addrcpt, milter_delrcpt, milter_chgfrom), `recipient.c`
(sendtolist); Postfix 3.7 `cleanup_milter.c`; both observed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from filterd.mta.mail.address import AddressError, parse_path
from filterd.mta.mail.draft import Draft, Path
from filterd.mta.smtp.parameters import bad_recipient_parameter, known_only

_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|\\.|[^",\\])+')
_COMMENT = re.compile(r"\([^()]*\)?")
_ANGLE = re.compile(r"<([^<>]*)>?")
_WHOLE_ANGLE = re.compile(r"[^<>]*<([^<>]*)>[^<>]*")

KNOWN_MAIL = frozenset({"RET", "ENVID", "SIZE", "BODY", "AUTH", "BY", "MT-PRIORITY", "SMTPUTF8"})
KNOWN_RCPT = frozenset({"NOTIFY", "ORCPT"})


def text_of(octets: bytes) -> str:
    return octets.decode("ascii", "surrogateescape")


def shown(value: bytes) -> str:
    """A filter's octets as one printable line."""
    return re.sub(r"[^ -~]", "?", value.decode("ascii", "replace"))


class EnvelopeEdits(ABC):
    """The ways of one MTA. Each method changes the draft and returns what it did, for the log."""

    @abstractmethod
    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str: ...

    @abstractmethod
    def delete(self, draft: Draft, address: bytes) -> str: ...

    @abstractmethod
    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str: ...


class SendmailEnvelope(EnvelopeEdits):
    """sendmail 8.17."""

    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        words = tuple(text_of(parameters).split())
        probe = Path("", "", words)
        if bad_recipient_parameter(probe) is not None:
            return f"recipient {shown(address)} not added: bad argument {shown(parameters)}"
        for one in _mended(text_of(address)):
            # What cannot be served is queued all the same; the sender hears of it in a report.
            if not draft.recipients.found(draft.identity, draft.identity(one)):
                draft.recipients.append(Path(one, f"<{one}>", words))
        return f"add recipient {shown(address)}"

    def delete(self, draft: Draft, address: bytes) -> str:
        for one in _mended(text_of(address)):
            draft.recipients.remove(draft.identity, draft.identity(one))
        return f"delete recipient {shown(address)}"

    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        text = text_of(address).strip()
        if not text:
            return "sender not changed: no address"
        found = _mended(text)
        words = known_only(text_of(parameters), KNOWN_MAIL)
        # Of several sendmail can make no sender.
        sender = found[0] if len(found) == 1 else ""
        draft.sender = Path(sender, f"<{sender}>", words or draft.sender.parameters)
        return f"change sender to {shown(address)}"


def _mended(text: str) -> list[str]:
    """The addresses in a list as sendmail reads them: without comments and names, an angle bracket
    that is missing put in, blanks made dots (SpaceSub)."""
    found = []
    for part in _PART.findall(text):
        plain = _COMMENT.sub(" ", part)
        match = _ANGLE.search(plain)
        inner = (match[1] if match else plain.replace(">", " ")).strip()
        address = inner if '"' in inner else ".".join(inner.split())
        if address:
            found.append(address)
    return found


class PostfixEnvelope(EnvelopeEdits):
    """Postfix 3.7."""

    def add(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        try:
            parsed = parse_path(_first(text_of(address)))
        except AddressError as error:
            return f"recipient {shown(address)} not added: {error}"
        if not parsed:
            return "recipient not added: empty address"
        path = Path(parsed, "", known_only(text_of(parameters), KNOWN_RCPT))
        # The client's own recipients have an original address, this has none: they are not one.
        if path not in draft.recipients.found(_by_the_letter, parsed):
            draft.recipients.append(path)
        return f"add recipient {shown(address)}"

    def delete(self, draft: Draft, address: bytes) -> str:
        try:
            parsed = parse_path(_first(text_of(address)))
        except AddressError as error:
            return f"recipient {shown(address)} not deleted: {error}"
        draft.recipients.remove(_by_the_letter, parsed)
        return f"delete recipient {shown(address)}"

    def change_sender(self, draft: Draft, address: bytes, parameters: bytes) -> str:
        words = text_of(parameters).split()
        try:
            parsed = parse_path(_first(text_of(address)))
        except AddressError as error:
            return f"sender not changed to {shown(address)}: {error}"
        unknown = [one for one in words if one.partition("=")[0].upper() not in KNOWN_MAIL]
        if unknown:
            return f"sender not changed: {unknown[0]} parameter unrecognized"
        draft.sender = Path(parsed, f"<{parsed}>", tuple(words) or draft.sender.parameters)
        return f"change sender to {shown(address)}"


def _by_the_letter(address: str) -> str:
    return address


def _first(text: str) -> str:
    """The first address of a list, out of its angle brackets if it has a name beside them."""
    parts = _PART.findall(text)
    part = _COMMENT.sub(" ", parts[0]).strip() if parts else ""
    match = _WHOLE_ANGLE.fullmatch(part)
    return match[1] if match else part
