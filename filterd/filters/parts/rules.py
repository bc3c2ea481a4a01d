"""What the parts filter makes of its findings, for each recipient: actions and banned types.

The settings give everybody's rules; `[[filters.parts.rules]]` give other ones to some recipients or
to one direction. A message is one body for all its recipients, so that stripping is for all of them
or for none; holding and refusing are for each recipient.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from filterd.filters.parts.lists import BANNED_MEDIA_TYPES, EXTENSION_OF
from filterd.filters.parts.settings import Direction, PartAction, PartRule
from filterd.filters.parts.symbols import GROUPS
from filterd.filters.parts.unpacking.doubtful_names import cannot_run
from filterd.filters.parts.unpacking.files import File
from filterd.filters.parts.unpacking.names import extensions, has_class_id, has_direction_marks
from filterd.message import Envelope, Recipient
from filterd.message.address import patterns
from filterd.message.matching import Network, is_in_networks, recipient_keys


@dataclass(frozen=True, eq=False)
class EffectiveRule:
    """All that counts for one recipient. name: of the rule it came from, or `default`. banned:
    extensions."""

    name: str
    banned: frozenset[str]
    kinds: frozenset[str]
    media_types: frozenset[str]
    actions: Mapping[str, PartAction]

    def action(self, symbol: str) -> PartAction:
        """What a symbol means."""
        return self.actions[GROUPS[symbol]]

    def reason(self, file: File, but: frozenset[str] = frozenset()) -> str:
        """Why a file is banned; empty if it is not. but: extensions that do not count."""
        banned = self.banned - but if but else self.banned
        for name in file.names:
            if has_class_id(name):
                return "its name ends in a class id"
            for extension, is_whole in extensions(name):
                if extension in banned and not cannot_run(
                    extension, file.content, file.kinds, is_whole=is_whole
                ):
                    turned = ", disguised by direction marks" if has_direction_marks(name) else ""
                    return f"files of type .{extension} are not accepted{turned}"
        for kind in file.kinds:
            if kind in self.kinds:
                return f"its content is of type {kind}, which is not accepted"
        if file.media_type in self.media_types:
            return f"it is declared as {file.media_type}, which is not accepted"
        return ""


class PartRules:
    """Everybody's rules and those of some."""

    def __init__(
        self,
        default: EffectiveRule,
        rules: Sequence[PartRule],
        own_clients: Sequence[Network],
        media_types: Sequence[str] = BANNED_MEDIA_TYPES,
    ) -> None:
        """media_types: as set for all, for the rules that set none."""
        self._default = default
        self._own_clients = own_clients
        self._rules = tuple(
            (_condition(rule, index), _adapted(default, rule, media_types))
            for index, rule in enumerate(rules)
        )

    def of(self, envelope: Envelope) -> dict[EffectiveRule, list[str]]:
        """The recipients by what counts for them; at least one entry, in the envelope's order."""
        recipients = envelope.recipients or (Recipient(""),)
        if not self._rules:
            return {self._default: [recipient.address for recipient in recipients]}
        direction = self.direction(envelope)
        found: dict[EffectiveRule, list[str]] = {}
        for recipient in recipients:
            keys = recipient_keys(recipient, envelope)
            chosen = next(
                (rule for matches, rule in self._rules if matches(keys, direction)),
                self._default,
            )
            found.setdefault(chosen, []).append(recipient.address)
        return found

    def direction(self, envelope: Envelope) -> Direction:
        """Outbound is what our own people and hosts send, to whomever."""
        own = (
            envelope.authenticated
            or envelope.client.is_local
            or is_in_networks(envelope.client.address, self._own_clients)
        )
        return "outbound" if own else "inbound"


def lowered(extensions: Sequence[str]) -> frozenset[str]:
    """Extensions as they are compared: lower case, no dot before them."""
    return frozenset(extension.lower().lstrip(".") for extension in extensions)


def _condition(rule: PartRule, index: int) -> Callable[[frozenset[str], Direction], bool]:
    wanted = patterns(rule.recipients, "rules", index, "recipients")

    def matches(recipient: frozenset[str], direction: Direction) -> bool:
        if rule.direction is not None and rule.direction != direction:
            return False
        return not wanted or not wanted.isdisjoint(recipient)

    return matches


def declared(media_types: Sequence[str], banned: frozenset[str]) -> frozenset[str]:
    """Media types as they are compared; of the list as it comes, those with banned extensions."""
    if tuple(media_types) == BANNED_MEDIA_TYPES:
        return frozenset(kind for kind, extension in EXTENSION_OF.items() if extension in banned)
    return frozenset(media_type.lower() for media_type in media_types)


def _adapted(default: EffectiveRule, rule: PartRule, media_types: Sequence[str]) -> EffectiveRule:
    banned = default.banned if rule.extensions is None else lowered(rule.extensions)
    listed = media_types if rule.media_types is None else rule.media_types
    return EffectiveRule(
        rule.name,
        banned,
        default.kinds if rule.kinds is None else frozenset(rule.kinds),
        declared(listed, banned),
        {**default.actions, **dict(_set_actions(rule))},
    )


def _set_actions(rule: PartRule) -> Iterator[tuple[str, PartAction]]:
    groups = set(GROUPS.values())
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if field.name in groups and value is not None:
            yield field.name, value
