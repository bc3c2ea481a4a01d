"""`View`: one message as rules and eval tests see it; everything is computed when it is asked for.

All text is octets, decoded to UTF-8 where a charset is known, as SpamAssassin 4.0 has it
(Mail::SpamAssassin::PerMsgStatus(3)).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from filterd.message.address import canonical_domain
from filterd.message.lazy import lazy
from filterd.message.message import Message
from filterd.rules.conf.rule import Option, RuleKind
from filterd.rules.view.domains import Domains
from filterd.rules.view.envelope_from import envelope_from
from filterd.rules.view.handover import handover
from filterd.rules.view.header import MESSAGE_IDS, ONE_VALUE, HeaderView, reduced
from filterd.rules.view.parts import MessagePart, parts_of
from filterd.rules.view.relays import Relays, Trust, originating, relays_of, text_of
from filterd.rules.view.text_view import TextView

_MADE_UP = frozenset(
    ("ALL", "ALL-TRUSTED", "ALL-INTERNAL", "ALL-UNTRUSTED", "ALL-EXTERNAL", "MESSAGEID")
)
_RELAYS = "x-spam-relays-"

_NO_OPTIONS: Mapping[str, tuple[Option, ...]] = MappingProxyType({})


class View(TextView):
    """One message with the options of a rule set.

    hits: how often each rule hit so far, for eval tests that ask. notes: what eval tests remember
    of this message, each plugin under a key of its own. tags: what named groups of patterns took
    out of the message, by name. tests_network: whether tests may ask others (DNS lists). kind: of
    the rule whose eval test runs.
    """

    def __init__(
        self,
        message: Message,
        options: Mapping[str, tuple[Option, ...]] = _NO_OPTIONS,
        *,
        tests_network: bool = False,
    ) -> None:
        self.message = message
        self.options = options
        self.tests_network = tests_network
        self.hits: dict[str, int] = {}
        self.notes: dict[str, object] = {}
        self.tags: dict[str, tuple[bytes, ...]] = {}
        self.kind = RuleKind.BODY
        self._values: dict[tuple[str, tuple[str, ...]], tuple[bytes, ...]] = {}
        self._headers: dict[tuple[str, tuple[str, ...]], bytes | None] = {}

    @lazy
    def full(self) -> bytes:
        """The whole message as it came, with bare line feeds; without the line that begins a
        message in an mbox file."""
        data = bytes(self.message.data).replace(b"\r\n", b"\n")
        if data.startswith(b"From ") and not data[5:].lstrip(b" \t").startswith(b":"):
            data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
        return data

    @lazy
    def parts(self) -> MessagePart:
        """The MIME tree as rules see it."""
        return parts_of(self.full)

    @lazy
    def fields(self) -> HeaderView:
        """The fields of the header, with one on top for the SMTP client, of whom this host has not
        written yet."""
        parts = self.parts
        added = handover(self.message.envelope)
        if added is None:
            return HeaderView(parts.fields, parts.header_octets)
        pristine = b"Received:" + added + parts.header_octets
        return HeaderView(((b"Received", added), *parts.fields), pristine)

    @property
    def field_names(self) -> Collection[bytes]:
        """Their names in lower case, each once."""
        return self.fields.names

    @lazy
    def domains(self) -> Domains:
        """The endings of domains that the rule set knows."""
        return Domains.of(self.options)

    @lazy
    def relays(self) -> Relays:
        """The relays that the message says it came through."""
        trust = Trust.of(self.options)
        values = [value.decode("latin-1") for value in self.fields.values(b"received")]
        for name in trust.originating:
            # The last one counts where a field is repeated.
            for value in self.fields.values(name.lower().encode("latin-1", "replace"))[-1:]:
                if found := originating(value):
                    values.append(found)
        return relays_of(values, trust)

    @lazy
    def envelope_from(self) -> bytes | None:
        """The envelope sender; `b""` for a message without one, None where nobody says."""
        envelope = self.message.envelope
        if envelope.client.address or envelope.sender:
            return envelope.sender.encode("utf-8", "surrogateescape")
        return envelope_from(self)

    @property
    def text(self) -> tuple[bytes, ...]:
        """What a `rawbody` rule with a pattern looks at, in such a rule; else the paragraphs of the
        text. For eval tests of both kinds."""
        return self.rawbody if self.kind is RuleKind.RAWBODY else self.body

    @property
    def header_all(self) -> bytes:
        """All fields, decoded, a line each."""
        return b"".join(self.fields.lines)

    def header(self, name: str, modifiers: Sequence[str] = ()) -> bytes | None:
        """What a `header` rule for `name:modifier` looks at; None if there is no such field."""
        key = name, tuple(modifiers)
        if key not in self._headers:
            values = self.values(name, *modifiers)
            between = b"" if not values or values[0].endswith(b"\n") else b"\n"
            self._headers[key] = between.join(values) if values else None
        return self._headers[key]

    def values(self, name: str, *modifiers: str) -> tuple[bytes, ...]:
        """The same, each value for itself, top first; those of whole fields end with a line end."""
        key = name, modifiers
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = self._computed(name, frozenset(modifiers))
        return found

    def value(self, name: str, *modifiers: str) -> bytes:
        """The first of them that are parts of fields, as with `addr`; else all of them joined;
        `b""` where there are none."""
        values = self.values(name, *modifiers)
        if not values:
            return b""
        if not ONE_VALUE.isdisjoint(modifiers) or name == "EnvelopeFrom":
            return values[0].removesuffix(b"\n")
        return b"".join(values)

    def sender_domains(self) -> list[str]:
        """The domain of the envelope sender, as A-labels; none if it has none."""
        return self._hosts("EnvelopeFrom", "first")[:1]

    def author_domains(self) -> list[str]:
        """The domains of From, as A-labels."""
        return self._hosts("From")

    def _hosts(self, name: str, *modifiers: str) -> list[str]:
        addresses = self.values(name, *modifiers, "addr")
        hosts = (address.rpartition(b"@")[2].strip() for address in addresses if b"@" in address)
        return [canonical_domain(host.decode("utf-8", "surrogateescape")) for host in hosts if host]

    def _computed(self, name: str, modifiers: frozenset[str]) -> tuple[bytes, ...]:
        is_raw = "raw" in modifiers
        if name.startswith("ALL") and (whole := self._whole(name, is_raw=is_raw)) is not None:
            return whole
        lowered = name.lower()
        made_up = self._made_up(name, lowered, is_raw=is_raw)
        if made_up is None:
            key = lowered.encode("latin-1", "replace")
            is_raw = is_raw or "addr" in modifiers or "name" in modifiers
            made_up = self.fields.raw(key) if is_raw else self.fields.values(key)
        if not modifiers or modifiers == {"raw"}:
            return tuple(made_up)
        return reduced(made_up, modifiers, self.domains, name.encode("latin-1", "replace"))

    def _whole(self, name: str, *, is_raw: bool) -> tuple[bytes, ...] | None:
        lines = self.fields.pristine_lines if is_raw else self.fields.lines
        match name:
            case "ALL":
                return lines
            case "ALL-TRUSTED":
                return _between(lines, -1, self.relays.last_trusted + 1)
            case "ALL-INTERNAL":
                return _between(lines, -1, self.relays.last_internal + 1)
            case "ALL-UNTRUSTED":
                return _between(lines, self.relays.last_trusted + 1, None)
            case "ALL-EXTERNAL":
                return _between(lines, self.relays.last_internal + 1, None)
        return None

    def _made_up(self, name: str, lowered: str, *, is_raw: bool) -> list[bytes] | None:
        """The values of a field that is not in the message as such; None for all others."""
        if lowered.startswith(_RELAYS):
            relays = getattr(self.relays, lowered.removeprefix(_RELAYS), None)
            return [text_of(relays)] if isinstance(relays, list) else None
        get = self.fields.unfolded if is_raw else self.fields.values
        if lowered == "tocc":
            return [*get(b"to"), *get(b"cc")]
        if lowered == "envelopefrom":
            return [] if self.envelope_from is None else [self.envelope_from]
        if lowered in _DOMAINS:
            domains = _DOMAINS[lowered](self)
            return [" ".join(domains).encode("utf-8", "surrogateescape")] if domains else []
        if name == "MESSAGEID":
            return [value for key in MESSAGE_IDS for value in get(key) if value]
        return None


_DOMAINS: Mapping[str, Callable[[View], list[str]]] = MappingProxyType(
    {"x-senderdomain": View.sender_domains, "x-authordomain": View.author_domains}
)


def real_field(name: str) -> bytes | None:
    """The name in lower case of the field that `View.header` looks at; None for what is made of
    other fields, or of all."""
    lowered = name.lower()
    if (
        name in _MADE_UP
        or lowered in ("tocc", "envelopefrom", *_DOMAINS)
        or lowered.startswith(_RELAYS)
    ):
        return None
    return lowered.encode("latin-1", "replace")


def _between(lines: Sequence[bytes], first: int, last: int | None) -> tuple[bytes, ...]:
    """The fields from the Received field `first` to that of `last`, both counted from 0; -1: what
    stands above the first one, too."""
    if last is not None and last < 0:
        return ()
    found: list[bytes] = []
    number = -1
    for line in lines:
        number += line[:9].lower() == b"received:"
        if number < first:
            continue
        found.append(line)
        if last is not None and number >= last:
            break
    return tuple(found)
