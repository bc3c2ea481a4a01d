"""One Received field as SpamAssassin reads it: who handed the message over to whom.

Source: RFC 5321 §4.4; Mail::SpamAssassin::Conf(3) and the pseudo fields `X-Spam-Relays-*` of
SpamAssassin 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from filterd.rules.view import received_forms as forms
from filterd.rules.view.ip_text import IP, is_private, plain
from filterd.rules.view.received_forms import ReceivedForm

_DATE = re.compile(
    r"(?<![\s;])[\s;]++(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d++ "
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d++ \d++:\d++(?::\d++)? \S++\Z",
    re.ASCII,
)
_BLANKS = str.maketrans("\t\n\r\f\v", "     ")
_FROM = re.compile(r"\(?from ", re.I)
_LOCAL = re.compile(r"\bwith local for\b", re.ASCII)
_BARE = re.compile(r"from (\S+) by [^\s;]+ ?;", re.I | re.ASCII)
_BARE_ADDRESS = re.compile(r"\[[\d.]+\]", re.ASCII)
_ID = re.compile(r" id <?([^\s<>;]{3,})", re.ASCII)
_HELO_LETTERS = r"[-A-Za-z0-9.^+_&:=?!@%*$\\/]+"
_HELO = re.compile(rf"\bhelo=({_HELO_LETTERS})", re.ASCII)
_HELO_WORD = re.compile(rf"\b(?:HELO|EHLO) ({_HELO_LETTERS})", re.ASCII)
_BY = re.compile(r" by (\S+)(?:[^-A-Za-z0-9;.]|\Z)", re.ASCII)
_SENDER = re.compile(r"(?:return-path:? |envelope-(?:sender|from)[ =])(\S+)\b", re.I | re.ASCII)
_GUESSED_HELO = re.compile(r"\A(\S+)[^-A-Za-z0-9.]", re.ASCII)
_BRACKETED = re.compile(rf"\[({IP})\]", re.ASCII)
_SAID_HELO = re.compile(r"helo=(\S+)", re.ASCII)
_SAID_IDENT = re.compile(r"ident=(\S*)", re.ASCII)
_EXIM_ADDRESS = re.compile(rf" \[({IP})(?:\.\d+)?\] ", re.ASCII)
_EXIM_HELO = re.compile(r" \((\S+)\) ", re.ASCII)
_EXIM_BY = re.compile(r"by (\S+) ", re.ASCII)
_FIRST_WORD = re.compile(r"(\S+) ", re.ASCII)
_QMAIL_LDAP = re.compile(r" by \S+ \(qmail-\S+\) with ", re.ASCII)
_WITH_HTTP = re.compile(r"\bwith HTTP\b", re.ASCII)
_BY_USER = re.compile(r"(?=\S[^\s@]*+@\S)\S++ by \S+ by uid \S+ ", re.ASCII)
_XMAIL_ID = re.compile(r" id <(\S+)>", re.ASCII)
_XMAIL_SENDER = re.compile(r" from <(\S+)>", re.ASCII)
_ODD = str.maketrans(dict.fromkeys(" \t\n\r\f\v\0#[]()<>|", "!"))
_BEFORE_SENDER = re.compile(r"\s*+<*+", re.ASCII)

_WITH = re.compile(r" with ((?:ES|L|UTF8S|UTF8L)MTPS?A|ASMTP|HTTP[SU]?)(?: |;|\Z)", re.I | re.ASCII)
_GMAIL = re.compile(
    r" by mx\.google\.com with ESMTPS id [a-z0-9]{1,4}sm[0-9]{2,9}[a-z]{3}\.[0-9]{1,3}\.[0-9]{4}"
    r"\.(?:[0-6][0-9]\.){4}[0-6][0-9]"
)
_TLS = re.compile(r"\(version=([^ (]+) cipher=([^()]+)\)")
_COURIER = re.compile(
    r"(?:\]\)|\)\]) \(AUTH: (LOGIN|PLAIN|DIGEST-MD5|CRAM-MD5) \S+(?:, [^)]*)?\) by ", re.ASCII
)
_ADDRESS_END = re.compile(r"(?:\](?: \([^()]*\))?\)|\)\]) ")
_GMX = re.compile(
    rf"from \S* \((?:HELO|EHLO) \S*\) \[{IP}\] by (mail\.gmx\.(?:net|com)) \([^)]+\) with (E?SMTP)",
    re.ASCII,
)
_CRITICAL_PATH = re.compile(r" \(\d{1,2}\.\d\.\d{3}(?:\.\d{1,3})?\) \(authenticated as ", re.ASCII)
_POSTFIX = re.compile(r"\) \(Authenticated sender: \S+\) by \S+ \(([^)]+)\) with ", re.ASCII)
_COMMUNIGATE = re.compile("CommuniGate Pro (?:HTTP|SMTP|XIMSS|IMAP)")
_EXCHANGE = re.compile(r" with Microsoft Exchange Server HTTP-DAV\b", re.ASCII)
_VIA = re.compile(r" \(via (HTTP.?)\)(?: |;|\Z)", re.I)


DATE_LIMIT = 100
"""Characters at the end of a field in which its date is looked for."""


@dataclass(slots=True)
class Relay:
    """One hand-over. All text is octets, as Latin-1.

    ip: of the client. rdns: its name as the writer looked it up; "" where it has none or it is not
    said. helo: what it called itself. by: who wrote the field. ident, id: as they stand there.
    sender: the envelope's, None where it is not said. auth: how the client logged in, "" if it did
    not. lacks_rdns: the writer asked, and found no name. internal, is_msa: see `relays`.
    """

    ip: str = ""
    rdns: str = ""
    helo: str = ""
    by: str = ""
    ident: str = ""
    sender: str | None = None
    id: str = ""
    auth: str = ""
    lacks_rdns: bool = False
    internal: bool = False
    is_msa: bool = False

    @property
    def ip_private(self) -> bool:
        """True for a client in a network of its own."""
        return is_private(self.ip)

    @property
    def text(self) -> str:
        """The relay as it stands in `X-Spam-Relays-Untrusted` and its like."""
        sender = self.sender or ""
        if sender == "0":
            sender = ""
        return (
            f"[ ip={self.ip} rdns={self.rdns} helo={self.helo} by={self.by} ident={self.ident}"
            f" envfrom={sender} intl={self.internal:d} id={self.id} auth={self.auth}"
            f" msa={self.is_msa:d} ]"
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A field that is understood, and tells of no hand-over that could be judged.

    was_fetched: a program fetched the message. sender: that of the hand-over that the next field
    below describes.
    """

    was_fetched: bool = False
    sender: str | None = None


@dataclass(slots=True)
class _Draft:
    """What is known of a field so far."""

    text: str
    values: dict[str, str] = field(default_factory=dict)
    sender: str | None = None
    looks_up: bool = False

    def take(self, form: ReceivedForm, match: re.Match[str]) -> None:
        values = {name: value or "" for name, value in match.groupdict().items()}
        both = values.pop("both", None)
        if both is not None:
            values["helo"] = values["rdns"] = both
        said = values.pop("said", None)
        if said is not None:
            helo = _SAID_HELO.search(said)
            if helo is not None:
                values["helo"] = helo[1]
                said = said[: helo.start()] + said[helo.end() :]
            ident = _SAID_IDENT.search(said)
            if ident is not None:
                values["ident"] = ident[1]
        self.values.update(values)
        self.looks_up = self.looks_up or form.looks_up

    def first(self, table: Iterable[ReceivedForm]) -> ReceivedForm | None:
        """The first form of the table that the field has; its values are taken."""
        for form in table:
            if form.needs and form.needs not in self.text:
                continue
            match = form.pattern.match(self.text)
            if match is not None:
                self.take(form, match)
                return form
        return None


def read(value: str) -> Relay | Skipped | None:
    """What the value of a Received field says, octets as Latin-1; None for an unknown form."""
    if not value[:8].lstrip().lower().startswith(("from ", "(from ")):
        return Skipped()
    text = _stripped(value)
    bare = _BARE.match(text)
    tells_little = bare is not None and _BARE_ADDRESS.fullmatch(bare[1]) is None
    if tells_little or _FROM.match(text) is None or _LOCAL.search(text):
        return Skipped()
    date = _DATE.search(text, max(len(text) - DATE_LIMIT, 0))
    text = (text[: date.start()] if date is not None else text).replace(")by ", ") by ", 1)
    draft = _Draft(text, {"id": _found(_ID, text), "auth": _auth(text)})
    helo = _found(_HELO, text) if "helo=" in text else ""
    draft.values["helo"] = helo or (_found(_HELO_WORD, text) if "LO " in text else "")
    draft.values["by"] = _found(_BY, text)
    found = _read_form(draft)
    if isinstance(found, Skipped):
        return found
    if found is not None:
        return Skipped() if found.skip else _relay(draft)
    if not draft.values.get("ip"):
        draft.values["ip"] = _found(_BRACKETED, draft.text)
    return _relay(draft) if draft.values["ip"] and draft.values["by"] else None


def _stripped(value: str) -> str:
    text = value.translate(_BLANKS)
    while "  " in text:
        text = text.replace("  ", " ")
    text = text.removeprefix(" ").removesuffix(" ")
    while text.endswith(";"):
        text = text[:-1].removesuffix(" ")
    return text


def _read_form(draft: _Draft) -> ReceivedForm | Skipped | None:
    """The form of the field; what it says is taken. None for one that is not known."""
    start, _, draft.text = draft.text.partition(" ")
    match start:
        case "from":
            return _read_from(draft)
        case "FROM":
            found = draft.first((forms.UPPER_CASE,))
            if draft.values.get("rdns") == "unverified":
                draft.values["rdns"] = ""
            return found
        case "(from":
            return draft.first(forms.IN_PARENTHESES)
    draft.text = f"{start} {draft.text}"
    return None


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match is not None else ""


def _auth(text: str) -> str:
    """How the client logged in."""
    has_by = " by " in text
    if has_by and (found := _found(_WITH, text)):
        return found
    if "mx.google.com" in text and _GMAIL.search(text):
        tls = _TLS.search(text)
        if tls is not None:
            return f"GMail - transport={tls[1]} cipher={tls[2]}"
    is_from = text.startswith("from ")
    if is_from and "(AUTH: " in text and (found := _found(_COURIER, text)):
        return found
    if is_from and "authenticated" in text and _is_authenticated(text):
        return "Sendmail"
    if "mail.gmx." in text and (gmx := _GMX.search(text)) is not None:
        return f"GMX ({gmx[2]} / {gmx[1]})"
    if " (authenticated as " in text:
        by = text.find(") by ")
        named = _CRITICAL_PATH.search(text, by + 6) if by >= 0 else None
        if named is not None and text.find(") id ", named.end() + 1) >= 0:
            return "CriticalPath"
    if "(Authenticated sender: " in text and (found := _found(_POSTFIX, text)):
        return found if found == "Postfix" else f"Postfix ({found})"
    if " (account " in text and _COMMUNIGATE.search(text):
        return "Communigate"
    if " HTTP-DAV" in text and _EXCHANGE.search(text):
        return "HTTP-DAV"
    return _found(_VIA, text) if has_by and "(via " in text.lower() else ""


def _is_authenticated(text: str) -> bool:
    """A comment behind the one with the address, and before `by`, says so."""
    end = _ADDRESS_END.search(text)
    if end is None:
        return False
    position = end.end()
    for wanted in ("(", "authenticated", ")", " by"):
        position = text.find(wanted, position)
        if position < 0:
            return False
        position += len(wanted)
    return True


def _read_from(draft: _Draft) -> ReceivedForm | Skipped | None:
    if "-" in draft.text:
        draft.sender = _found(_SENDER, draft.text) or None
    return _of_program(draft) or _of_any(draft) or _of_none(draft)


def _of_program(draft: _Draft) -> ReceivedForm | None:
    """A form of one of the programs that can be told by their names."""
    text = draft.text
    if found := draft.first(forms.WEBMAIL):
        return found
    family = next((one for one in forms.FAMILIES if one.is_in(text)), None)
    if family is not None and (found := draft.first(family.forms)):
        if family is forms.XMAIL:
            draft.values["id"] = _found(_XMAIL_ID, text) or draft.values["id"]
            draft.sender = _found(_XMAIL_SENDER, text) or draft.sender
        elif family.forms is forms.MICROSOFT.forms:
            draft.values["id"] = ""
        return found
    return _odd_exim(draft) if family is forms.EXIM else None


def _of_any(draft: _Draft) -> ReceivedForm | None:
    """A form that several programs write."""
    text = draft.text
    if _WITH_HTTP.search(text) and (found := draft.first(forms.HTTP)):
        return found
    if not _QMAIL_LDAP.search(text) and (found := draft.first(forms.SENDMAIL)):
        _split_ident(draft)
        return found
    if found := draft.first(forms.BEFORE_QMAIL):
        return found
    hotmail = forms.HOTMAIL.search(text)
    if hotmail is not None:
        draft.values["by"] = hotmail[1]
        draft.values["ip"] = _found(forms.ADDRESS_FIRST, text)
        return forms.HTTP[0]
    return draft.first(forms.WITH_HELO) or _qmail(draft) or draft.first(forms.MANY)


def _of_none(draft: _Draft) -> ReceivedForm | Skipped | None:
    """What is left: of a program that fetched the message, rare forms, and those that say too
    little."""
    text = draft.text
    if forms.FETCHED.search(text):
        return Skipped(was_fetched=True)
    if found := draft.first(forms.MORE) or draft.first(forms.IGNORED):
        return found
    if _BY_USER.match(text):
        return Skipped()
    if forms.SCANNED.match(text):
        return Skipped(sender=_sender(draft.sender))
    if found := draft.first(forms.UNSAID):
        return found
    draft.values["helo"] = draft.values["helo"] or _found(_GUESSED_HELO, text)
    return None


def _odd_exim(draft: _Draft) -> ReceivedForm | None:
    """Exim's field may be set to anything: bits of it are looked for. What is found stays, even
    where it is not enough and other forms are tried."""
    text = draft.text
    for name, pattern in (("helo", _EXIM_HELO), ("ip", _EXIM_ADDRESS), ("by", _EXIM_BY)):
        found = _found(pattern, text)
        if found:
            draft.values[name] = found
    first = _FIRST_WORD.match(text)
    if first is not None:
        draft.values["rdns"] = first[1]
    return forms.HTTP[0] if draft.values.get("ip") and _EXIM_BY.search(text) else None


def _split_ident(draft: _Draft) -> None:
    """sendmail writes what RFC 1413 said of the user before the name."""
    rdns = draft.values["rdns"]
    for prefix in ("IDENT:", ""):
        if rdns.startswith(prefix) and "@" in rdns:
            draft.values["ident"], _, rdns = rdns.removeprefix(prefix).partition("@")
    draft.values["rdns"] = rdns


def _qmail(draft: _Draft) -> ReceivedForm | None:
    text = draft.text
    start = forms.QMAIL_FROM.match(text)
    if start is None:
        return None
    position = start.end()
    if text.startswith(" with ", position):
        position += 6
    elif text.startswith(" (", position):
        position = text.find(") with ", position + 3)
        if position < 0:
            return None
        position += 7
    else:
        return None
    if forms.QMAIL_WITH.search(text, position) is None:
        return None
    draft.first(forms.QMAIL)
    # qmail itself asks for no names; what calls it may do so, and then there is one.
    if draft.values.get("rdns", "") == "unknown":
        draft.values["rdns"] = ""
    else:
        draft.looks_up = True
    return forms.QMAIL[0]


def _sender(text: str | None) -> str | None:
    if text is None:
        return None
    text = text[_BEFORE_SENDER.match(text).end() :]  # type: ignore[union-attr]
    return text.rstrip(" \t\n\r\f\v").rstrip(">").translate(_ODD)


def _relay(draft: _Draft) -> Relay:
    values = draft.values
    rdns = values.get("rdns", "").rstrip(".")
    if rdns.lower() == "unknown" or rdns.startswith("["):
        rdns = ""
    by = values["by"].removesuffix(";")
    return Relay(
        ip=plain(values.get("ip", "")).translate(_ODD),
        rdns=rdns.translate(_ODD),
        helo=values["helo"].translate(_ODD),
        by=by.translate(_ODD),
        ident=values.get("ident", "").translate(_ODD),
        sender=_sender(draft.sender),
        id=values["id"],
        auth=values["auth"],
        lacks_rdns=not rdns and draft.looks_up,
    )
