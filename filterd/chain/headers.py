"""The header fields that filterd puts on mail, and the ones it takes away.

Fields of ours that arrive from outside are forgeries and are removed; what we add goes on top.
Names and layout follow SpamAssassin's, which mail readers and delivery rules know.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge

from filterd.chain.policy import Decision
from filterd.chain.verdict import AddField, ChangeField, Edit, Reply, Verdict
from filterd.message import Envelope, HeaderField, Message
from filterd.message.matching import client_matches, networks
from filterd.message.subject import tag_alone, tagged
from filterd.system.mistakes import mistakes

OWN_FIELDS = frozenset(
    {
        "x-spam",
        "x-spam-flag",
        "x-spam-status",
        "x-spam-score",
        "x-spam-level",
        "x-virus-scanned",
        "x-virus-status",
        "x-quarantine-id",
    }
)
"""Lower-case names of the fields that only filterd may set."""

_CLIENTS_FIELDS = frozenset(
    {"received", "from", "to", "cc", "subject", "date", "message-id", "return-path", "sender"}
)
"""Lower-case names of fields that an earlier filter has no reason to insert on top."""

LEVEL_LIMIT = 50
"""Stars that X-Spam-Level has at most; delivery rules match on a fixed number of them."""

LINE_LIMIT = 76
"""Characters after which a field value is folded; RFC 5322 §2.1.1 asks for at most 78."""

_MAY_BE_OURS = (b"\nx-spam", b"\nx-virus-s", b"\nx-quarantine-id", b"\nauthentication-results")

_TOKEN = re.compile(r"\\.?|[()]|[^()\\]++", re.DOTALL)
_NOT_SHOWN = re.compile(r'[^!-~]+|["\\]')
_AROUND_DOTS = re.compile(r" ?+\.++(?: \.*+)*+")
_ID = re.compile(r"[\s,<>=/:@?)]*+([^\s;,<>=/:@?)]*+)")
_NOT_A_WORD = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class LabelSettings:
    """Settings `[labels]`: what delivered mail carries."""

    hostname: Annotated[
        str,
        Doc("this host in X-Virus-Scanned, Authentication-Results; empty: as the MTA calls itself"),
    ] = ""
    spam_fields: Annotated[
        bool, Doc("add X-Spam-Status, X-Spam-Score and X-Spam-Level to all mail, not only to spam")
    ] = True
    remove_forged: Annotated[
        bool,
        Doc("remove such fields when they come from outside; false only behind another filterd"),
    ] = True
    trusted_results: Annotated[
        int,
        Ge(0),
        Doc(
            "Authentication-Results in this host's name that filters before filterd (OpenDKIM, "
            "OpenDMARC) put on top of a message: so many from the top stay, others are forged"
        ),
    ] = 0
    label_outbound: Annotated[
        bool, Doc("true: outbound mail, too, carries these fields and the Subject tag")
    ] = False
    outbound_clients: Annotated[
        tuple[str, ...],
        Doc(
            'networks whose mail is outbound, besides clients that logged in; "local" for this '
            "host itself"
        ),
    ] = ()

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            for index, text in enumerate(self.outbound_clients):
                with wrong.at("outbound_clients", index):
                    networks([text])

    def host(self, envelope: Envelope) -> str:
        """This host's name in header fields, the authserv-id of its Authentication-Results."""
        return self.hostname or envelope.macros.get("j", "") or "localhost"

    def is_outbound(self, envelope: Envelope) -> bool:
        """True for what our own people and hosts send."""
        return bool(envelope.authenticated) or client_matches(
            envelope.client, self.outbound_clients, networks(self.outbound_clients)
        )


def points(value: float) -> str:
    """Points as header fields, logs and replies show them: `7.9`, `5.0`, `0.25`."""
    text = f"{value:.2f}"
    return text[:-1] if text.endswith("0") else text


def symbol_names(verdict: Verdict) -> list[str]:
    """Names of the symbols found, safe for a header field, each once, in order."""
    return list(dict.fromkeys(_NOT_A_WORD.sub("_", s.name) or "_" for s in verdict.symbols))


def header_edits(
    message: Message,
    verdict: Verdict,
    decision: Decision,
    settings: LabelSettings,
    *,
    stored: bool = False,
) -> tuple[Edit, ...]:
    """All changes of header fields for a message that is delivered (or held by the MTA).

    stored: the original is in the quarantine, so the delivered copy names its id. The first
    AddField is to stand on top.
    """
    host = settings.host(message.envelope)
    edits: list[Edit] = []
    shows = settings.label_outbound or not settings.is_outbound(message.envelope)
    if shows:
        edits += _added(message, verdict, decision, settings, host, stored)
    if settings.remove_forged and _may_have_ours(message):
        kept = {field.start for field in results_of_this_host(message, settings)}
        edits += _removed(message.header_fields, host, kept)
    if decision.subject_tag and shows:
        edits += _tagged_subject(message, decision.subject_tag)
    return tuple(edits)


def _may_have_ours(message: Message) -> bool:
    """A quick look: most mail has none, and splitting its header only to see that takes time."""
    header = b"\n" + message.data[: message.root.body_start].lower()
    return any(name in header for name in _MAY_BE_OURS)


def _added(
    message: Message,
    verdict: Verdict,
    decision: Decision,
    settings: LabelSettings,
    host: str,
    stored: bool,
) -> Iterator[AddField]:
    if stored:
        yield AddField("X-Quarantine-ID", message.id)
    if decision.labelled:
        yield AddField("X-Spam-Flag", "YES")
    if decision.labelled or settings.spam_fields:
        score = verdict.score
        yield AddField("X-Spam-Status", status(verdict, decision))
        yield AddField("X-Spam-Score", points(score))
        if score >= 1:
            yield AddField("X-Spam-Level", "*" * min(int(score), LEVEL_LIMIT))
    if verdict.scanner or verdict.virus:
        yield AddField("X-Virus-Scanned", f"{verdict.scanner or 'filterd'} at {host}")
        found = f"Infected ({_NOT_A_WORD.sub('_', verdict.virus)})" if verdict.virus else "Clean"
        yield AddField("X-Virus-Status", found)


def status(verdict: Verdict, decision: Decision) -> str:
    """The value of X-Spam-Status, folded: `Yes, score=7.9 required=5.0 tests=A,B`."""
    head = (
        f"{'Yes' if decision.labelled else 'No'}, score={points(verdict.score)} "
        f"required={points(decision.required)} tests="
    )
    lines, line = [], head
    names = symbol_names(verdict) or ["none"]
    for index, name in enumerate(names):
        word = name + ("," if index < len(names) - 1 else "")
        if len(line) + len(word) > LINE_LIMIT and line != head:
            lines.append(line)
            line = "\t"
        line += word
    lines.append(line)
    # libmilter takes a lone LF, and makes the CRLF itself (smfi_addheader).
    return "\n".join(lines)


def results_of_this_host(message: Message, settings: LabelSettings) -> tuple[HeaderField, ...]:
    """The Authentication-Results that filters before this one have added, top first.

    No field says who wrote it. What an earlier filter inserts stands above everything that the
    client sent, so only the fields above the first that a client must send, or an MTA on the way
    writes, can be its work: as many of them as the settings say. Where the MTA shows its own
    Received field, which has the queue-id that the client did not know when it sent the message,
    all above that is the work of this host.
    """
    queue_id = message.envelope.queue_id
    host = settings.host(message.envelope).lower()
    found: list[HeaderField] = []
    for field in message.header_fields:
        name = field.name.lower()
        if name in _CLIENTS_FIELDS:
            if name == "received" and queue_id and queue_id in re.split(r"[\s;]+", field.text):
                return tuple(found)
            break
        if name == "authentication-results" and _authserv_id(field.text) == host:
            found.append(field)
    return tuple(found[: settings.trusted_results])


def _removed(fields: Iterable[HeaderField], host: str, kept: Collection[int]) -> list[ChangeField]:
    """Deletions of forged fields, the last of each name first: sendmail keeps the numbers of the
    rest after a deletion, Postfix counts again, and from the end both mean the same.

    kept: where the fields begin that are of this host.
    """
    seen: Counter[str] = Counter()
    found = []
    for field in fields:
        name = field.name.lower()
        seen[name] += 1
        if name in OWN_FIELDS or (
            name == "authentication-results"
            and field.start not in kept
            and _authserv_id(field.text) == host.lower()
        ):
            found.append(ChangeField(field.name, seen[name], None))
    return found[::-1]


def _authserv_id(value: str) -> str:
    """The authserv-id of an Authentication-Results field, lower case (RFC 8601 §2.2).

    Read as the laxest reader reads it: without comments, quotes and octets outside of ASCII, up to
    whatever a token cannot have, without a dot at its end. A forgery is removed however it is
    spelled.
    """
    texts, depth = [], 0
    for match in _TOKEN.finditer(value):
        token = match[0]
        if token == "(":
            depth += 1
        elif token == ")":
            depth = max(0, depth - 1)
        elif not depth:
            texts.append(token)
    text = _NOT_SHOWN.sub(lambda found: "" if found[0] in '"\\' else " ", "".join(texts))
    found = _ID.match(_AROUND_DOTS.sub(".", text))
    return found[1].rstrip(".").lower() if found else ""


def _tagged_subject(message: Message, tag: str) -> list[Edit]:
    for field in message.fields("Subject"):
        value = tagged(field.raw_value, tag)
        return [] if value is None else [ChangeField(field.name, 1, value)]
    return [AddField("Subject", tag_alone(tag))]


def final_reply(reply: Reply, message_id: str) -> Reply:
    """The reply with `(id=...)` at its end, the name by which an admin finds the message."""
    return Reply(reply.code, reply.xcode, f"{reply.text} (id={message_id})")
