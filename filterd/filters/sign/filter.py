"""Signs outbound mail (RFC 6376 §5), and seals other mail (RFC 8617 §5.1), last, as it leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from filterd.auth.dkim.header import CanonicalHeader
from filterd.auth.dkim.signing import FIELD, sign, signed_names
from filterd.chain.headers import LabelSettings
from filterd.chain.marks import is_marked
from filterd.chain.outgoing import Outgoing
from filterd.chain.verdict import NO_OPINION, AddField, ChangeField, Symbol, Verdict
from filterd.filters.sign.content import body_of
from filterd.filters.sign.keys import KeyRing
from filterd.filters.sign.sealing import not_sealed, sealed
from filterd.filters.sign.settings import SignSettings
from filterd.filters.sign.settled import ADDRESS_FIELDS, settled
from filterd.filters.sign.symbols import NOT_SIGNED, SIGNED
from filterd.message import Envelope, Message
from filterd.message.address import checked_domains
from filterd.message.mailboxes import mailboxes
from filterd.message.matching import client_matches, networks
from filterd.system.display import printable
from filterd.system.mistakes import SettingsError

AUTHORS_LIMIT = 4
"""Domains in From for which one message is signed; mail of people has one."""

NAMED_LIMIT = 300
"""Characters of what is told of them."""

SETTLED_LIMIT = 100_000
"""Octets of all fields with addresses that are looked at; sendmail takes no larger header."""

SETTLED_FIELDS = 1000
"""Such fields that are changed; mail of people has two."""

ADDED_BY_MTA = frozenset({"date", "message-id", "to"})
"""Fields in lower case that sendmail may add after the milters where they are missing."""


class Sign:
    """The filter. keys: read by `prepare`, which raises ValueError if one cannot be used."""

    name: ClassVar[str] = "sign"

    def __init__(
        self,
        settings: SignSettings,
        keys: KeyRing | None = None,
        labels: LabelSettings | None = None,
    ) -> None:
        self.settings = settings
        self._labels = labels if labels is not None else LabelSettings()
        self._arc_domain = "".join(checked_domains(filter(None, [settings.arc_domain])))
        self._networks = networks(settings.clients)
        self._keys = keys

    def prepare(self) -> None:
        """Read the keys."""
        try:
            self._keys = KeyRing.read(self.settings.keys)
        except SettingsError as error:
            wrong = [(("filters", self.name, *key), text) for key, text in error.found]
            raise SettingsError(wrong) from None

    def examine(self, message: Message) -> Verdict:
        """Say whether this is mail of our own."""
        return Verdict(outbound=True) if self._is_outbound(message.envelope) else NO_OPINION

    def _is_outbound(self, envelope: Envelope) -> bool:
        if is_marked(envelope.sender_parameters):
            # A release whose mark was not honoured: who sent this first is not known here.
            return False
        if envelope.authenticated:
            return True
        return client_matches(envelope.client, self.settings.clients, self._networks)

    def sign(self, outgoing: Outgoing) -> Verdict:
        """Sign outbound mail, also such as was kept and is released now; seal what others sent."""
        # A dry run leaves nothing of what `examine` said.
        if not (outgoing.verdict.outbound or self._is_outbound(outgoing.message.envelope)):
            return self._sealed(outgoing)
        if self._keys is None:
            self.prepare()
        assert self._keys is not None
        changes = tuple(self._settling(outgoing.message))
        outgoing = replace(outgoing, edits=outgoing.edits + changes)
        fields = outgoing.fields
        authors = [value for name, value in fields if name.lower() == "from"]
        if len(authors) != 1:
            # RFC 5322 §3.6: one; and the MTA may add one, or readers see another than we sign.
            return _not_signed(f"{len(authors) or 'no'} From fields, expected one")
        domains = list(dict.fromkeys(one.domain for one in mailboxes(authors[0]) if one.domain))
        # Two authors in subdomains may have one key.
        keys = dict.fromkeys(
            key for domain in domains[:AUTHORS_LIMIT] for key in self._keys.keys_for(domain)
        )
        if not keys:
            named = ", ".join(domains[:AUTHORS_LIMIT]) or "an author without a domain"
            return _not_signed(f"no key in use for {printable(named, NAMED_LIMIT)}")
        header, body = CanonicalHeader(fields), body_of(outgoing)
        names = signed_names(header, self.settings.sign_headers, self._oversigned(header))
        signatures = [sign(header, body, key, names=names) for key in keys]
        told = ", ".join(f"{key.selector} of {key.domain}" for key in keys)
        return Verdict(
            symbols=(Symbol(SIGNED, 0.0, f"with {told}"),),
            edits=(
                # libmilter takes a lone LF, and makes the CRLF itself (smfi_addheader).
                *(AddField(FIELD, one.decode("ascii").replace("\r\n", "\n")) for one in signatures),
                *changes,
            ),
        )

    def _sealed(self, outgoing: Outgoing) -> Verdict:
        domain = self._arc_domain
        if not domain or outgoing.verdict.released:
            # A release is not checked again, so that there is nothing to record.
            return NO_OPINION
        if self._keys is None:
            self.prepare()
        assert self._keys is not None
        if not self._labels.remove_forged:
            return not_sealed("anybody could have written the results: labels.remove_forged is off")
        keys = self._keys.keys_for(domain)
        if not keys:
            return not_sealed(f"no key of {domain} signs today")
        # As the next host gets it; the message itself is left alone, its own signatures count on.
        changes = tuple(self._settling(outgoing.message))
        header = CanonicalHeader(replace(outgoing, edits=outgoing.edits + changes).fields)
        host = self._labels.host(outgoing.message.envelope)
        return sealed(outgoing, header, keys, host, self._oversigned(header))

    def _settling(self, message: Message) -> Iterator[ChangeField]:
        """Changes of signed fields that the MTA would make later, and break the signature."""
        wanted = ADDRESS_FIELDS.intersection(map(str.lower, self.settings.sign_headers))
        macros = message.envelope.macros
        rewriting, host = not macros.get("v", "").startswith("Postfix"), macros.get("j", "")
        seen: Counter[str] = Counter()
        left, changes = SETTLED_LIMIT, 0
        for field in message.header_fields:
            name = field.name.lower()
            if name not in wanted:
                continue
            seen[name] += 1
            left -= len(field.raw_value)
            if left < 0 or changes >= SETTLED_FIELDS:
                return
            value = settled(field.name, field.raw_value, rewriting=rewriting, host=host)
            if value is not None:
                changes += 1
                yield ChangeField(field.name, seen[name], value)

    def _oversigned(self, header: CanonicalHeader) -> list[str]:
        """What nobody may add, but for what the MTA adds where it is missing."""
        names = [name.lower() for name in self.settings.oversign_headers]
        return [name for name in names if name not in ADDED_BY_MTA or header.places(name)]


def _not_signed(why: str) -> Verdict:
    return Verdict(symbols=(Symbol(NOT_SIGNED, 0.0, why),))
