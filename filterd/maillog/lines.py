"""Lines of sendmail's and Postfix's logs, without I/O: what they say of deliveries.

A line has a head that the system's logger wrote, a queue id, and fields. All that strangers chose
(addresses, a server's reply) stands behind the queue id, and quoted local parts may look like
fields: so a line is read from its beginning, field by field, and what comes behind the status is a
reply and nothing else. Each character is looked at a fixed number of times.

Sources: sendmail/deliver.c `logdelivery` as its lines show it (Sendmail Installation and Operation
Guide, 5.1.1); Postfix's lines as bounce(8) and smtp(8) of 3.5 to 3.11 write them, long queue ids as
postconf(5) `enable_long_queue_ids`, `tls=` as postconf(5) `smtp_log_tls_feature_status`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

LINE_LIMIT = 8192
"""Octets of a line that are read; syslog's own limits are lower."""

RECIPIENTS_LIMIT = 100
"""Recipients of one line that are kept."""

DAY = 86400.0

_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}

_HEAD = re.compile(
    r"(?P<when>[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}|[0-9]{4}-[0-9T:.+Z-]{10,30}) "
    r"[^ ]{1,255} (?P<program>[^ :\[\]]{1,64})(?:\[[0-9]{1,10}\])?: "
)
"""What the logger writes: time, host, program and process."""

_MARK = re.compile(r"\[ID [0-9]{1,10} [a-z0-9.]{1,20}\] ")
"""What Solaris writes behind that."""

_ID = re.compile(r"(?P<id>[0-9A-Za-z]{5,32}): ")

_CLONE = re.compile(r"(?P<new>[0-9A-Za-z]{5,32}): (?P<what>clone|DSN|postmaster notify|return to)")
"""sendmail: a new entry of the queue that was made of this one."""

_NOTIFICATION = re.compile(
    r"sender (?:non-delivery|delay|delivery status) notification: (?P<new>[0-9A-Za-z]{5,32})$"
)
"""Postfix's reports to the sender."""

_DELAY = re.compile(r"(?:(?P<days>[0-9]{1,6})\+)?(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})")

_DSN = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")

_STATUS = re.compile(r"(?P<status>[a-z-]{1,32})(?: (?P<reply>.*))?$", re.DOTALL)
"""Postfix's word, and the reply in parentheses."""

_SENT = re.compile(r"(?:Sent|Message accepted for delivery)\b", re.IGNORECASE)

_HERE = re.compile(r"\[(?:127\.[0-9.]{5,11}|::1)\]")
"""A relay of this host, as both write addresses."""

_MORE = re.compile(
    r"queued as (?P<id>[0-9A-Za-z]{5,32})|(?<![^ (])(?P<accepted>[0-9A-Za-z]{5,32}) "
)


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One line: a try to deliver to some recipients.

    time: seconds since 1970. program: as it names itself, `postfix/smtp`. queue_id: of the message.
    recipients: without angle brackets. original: the address that an alias stands behind (Postfix's
    `orig_to`), else empty. relay: the host, or what stands for it. delay: seconds since the message
    came, None where the line has none. dsn: RFC 3463, empty where the line has none. status:
    `sent`, `deferred`, `bounced`, `expired`, `queued` or another word of Postfix; of sendmail's
    texts the word that they mean, also `held` and `refused`. reply: what the other side, or the MTA
    itself, said. tls: how the connection was protected (Postfix 3.11), such as `dane` or
    `may:none`.
    """

    time: float
    program: str
    queue_id: str
    recipients: tuple[str, ...]
    status: str
    reply: str = ""
    original: str = ""
    relay: str = ""
    delay: float | None = None
    dsn: str = ""
    tls: str = ""


@dataclass(frozen=True, slots=True)
class NewQueueId:
    """One line: the MTA made a new entry of its queue of this one. is_report: a report to the
    sender, not the message itself."""

    time: float
    program: str
    queue_id: str
    new_id: str
    is_report: bool


LogLine = DeliveryAttempt | NewQueueId


def queue_id_of(line: str) -> str:
    """The queue id of a line; empty for a line without one."""
    head = _HEAD.match(line)
    found = head and _ID.match(line, _behind_mark(line, head.end()))
    return found["id"] if found else ""


def parsed(line: str, now: float) -> LogLine | None:
    """What a line of a log file says of a delivery; None for every other line.

    now: seconds since 1970, for a time without a year.
    """
    if len(line) > LINE_LIMIT or (head := _HEAD.match(line)) is None:
        return None
    time = _time(head["when"], now)
    if time is None:
        return None
    return parsed_text(line[_behind_mark(line, head.end()) :].rstrip("\r\n"), head["program"], time)


def parsed_text(text: str, program: str, time: float) -> LogLine | None:
    """The same for what stands behind the head; the journal keeps both apart."""
    if len(text) > LINE_LIMIT or (found := _ID.match(text)) is None:
        return None
    id, rest = found["id"], text[found.end() :]
    if rest.startswith("to="):
        return _attempt(DeliveryAttempt(time, program, id, (), ""), rest)
    if made := _NOTIFICATION.match(rest):
        return NewQueueId(time, program, id, made["new"], is_report=True)
    if made := _CLONE.match(rest):
        return NewQueueId(time, program, id, made["new"], is_report=made["what"] != "clone")
    return None


def next_queue_id(attempt: DeliveryAttempt) -> str:
    """The queue id under which an MTA of this host has the message now, by its reply; empty where
    it does not say one. What another host says would be its own id, or any."""
    if attempt.status != "sent" or not _HERE.search(attempt.relay):
        return ""
    for found in _MORE.finditer(attempt.reply):
        if found["id"]:
            return found["id"]
        if attempt.reply.startswith("Message accepted", found.end()):
            return found["accepted"]
    return ""


def _behind_mark(line: str, start: int) -> int:
    mark = _MARK.match(line, start)
    return mark.end() if mark else start


def _attempt(attempt: DeliveryAttempt, text: str) -> DeliveryAttempt | None:
    """The attempt with the fields of a line; None where it has no status."""
    values: dict[str, object] = {}
    for name, value in _fields(text):
        if name == "to":
            values["recipients"] = tuple(map(_bare, _parts(value)))[:RECIPIENTS_LIMIT]
        elif name == "orig_to":
            values["original"] = _bare(value)
        elif name in ("relay", "tls"):
            values[name] = value
        elif name == "dsn" and _DSN.fullmatch(value):
            values["dsn"] = value
        elif name == "delay":
            values["delay"] = _seconds(value)
        elif name == "status":
            if (found := _STATUS.match(value)) is None:
                return None
            reply = found["reply"] or ""
            is_whole = reply.startswith("(") and reply.endswith(")")
            values |= {"status": found["status"], "reply": reply[1:-1] if is_whole else reply}
        elif name == "stat":
            values |= {"status": _meaning(value, str(values.get("dsn", ""))), "reply": value}
    if not values.get("status") or not values.get("recipients"):
        return None
    return replace(attempt, **values)  # type: ignore[arg-type]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The fields of a line in order; the last one is the status, whose value has no end but the
    line's. A comma inside of quotation marks is an address's."""
    start = 0
    while start < len(text):
        equals = text.find("=", start, start + 32)
        if equals < 0:
            return
        name = text[start:equals]
        if name in ("stat", "status"):
            yield name, text[equals + 1 :]
            return
        end = _end_of_field(text, equals + 1)
        yield name, text[equals + 1 : end]
        start = end + 2


def _end_of_field(text: str, start: int) -> int:
    """Where the next `, ` stands outside of quotation marks, or the end; of an address in angle
    brackets, behind its bracket: Postfix before 3.5 writes local parts without the quotation marks
    that they need."""
    is_bracketed = text.startswith("<", start)
    for comma in _commas(text, start):
        if text.startswith(" ", comma + 1) and not (is_bracketed and text[comma - 1] not in ">)"):
            return comma
    return len(text)


def _parts(value: str) -> Iterator[str]:
    """The addresses of sendmail's list, which has no blanks behind its commas."""
    start = 0
    for comma in _commas(value, 0):
        if not value.startswith("<", start) or value[comma - 1] == ">":
            yield value[start:comma]
            start = comma + 1
    yield value[start:]


def _commas(text: str, start: int) -> Iterator[int]:
    """Where commas stand outside of quotation marks."""
    position, is_quoted = start, False
    while position < len(text):
        character = text[position]
        if is_quoted and character == "\\":
            position += 1
        elif character == '"':
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            yield position
        position += 1


def _bare(address: str) -> str:
    is_bracketed = address.startswith("<") and address.endswith(">")
    return address[1:-1] if is_bracketed else address


def _seconds(value: str) -> float | None:
    """Postfix's seconds, or sendmail's `D+HH:MM:SS`."""
    if found := _DELAY.fullmatch(value):
        days, hours, minutes, seconds = (int(one or 0) for one in found.groups())
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
    try:
        seconds_ = float(value) if len(value) < 20 and value.isascii() else -1.0
    except ValueError:
        return None
    return seconds_ if 0 <= seconds_ < 1e9 else None


def _meaning(text: str, dsn: str) -> str:
    """Postfix's word for what sendmail's text means."""
    if _SENT.match(text):
        return "sent"
    for beginning, meaning in (("queued", "queued"), ("quarantined", "held")):
        if text.startswith(beginning):
            return meaning
    if text.startswith("Deferred") or dsn.startswith("4"):
        return "deferred"
    if dsn.startswith("2"):
        return "sent"
    # Without a DSN a milter or a rule has refused it while it came.
    return "bounced" if dsn.startswith("5") else "refused"


def _time(text: str, now: float) -> float | None:
    """Seconds since 1970; a time without a zone is local, one without a year the last such."""
    try:
        if text[0].isdigit():
            return datetime.fromisoformat(text).timestamp()
        month, day = _MONTHS[text[:3]], int(text[4:6])
        hour, minute, second = (int(one) for one in text[7:].split(":"))
    except (ValueError, KeyError, OverflowError):
        return None
    year = datetime.fromtimestamp(now).year
    for one in (year + 1, year, year - 1, year - 2, year - 3, year - 4):
        try:
            found = datetime(one, month, day, hour, minute, second).timestamp()
        except (ValueError, OverflowError):
            continue
        if found <= now + DAY:
            return found
    return None
