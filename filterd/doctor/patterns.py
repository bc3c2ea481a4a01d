"""Patterns of recipients that are allowed and probably do not mean what somebody wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from filterd.config.load import Settings


def bare_names(settings: Settings) -> Iterator[str]:
    """Patterns such as "postmaster", one text for each: they stand for a domain of one label."""
    yield from _bare("policy.rules", [rule.recipients for rule in settings.policy.rules])
    for name, entry in settings.filters.items():
        rules = getattr(entry.own, "rules", ())
        recipients = [getattr(rule, "recipients", ()) for rule in rules]
        yield from _bare(f"filters.{name}.rules", recipients)


def _bare(where: str, rules: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, recipients in enumerate(rules, 1):
        for index, text in enumerate(recipients, 1):
            # Somebody who writes "@joe" or "localhost" means a domain.
            if text.lower() != "localhost" and not set("@.:[") & set(text):
                yield (
                    f'{where}[{number}].recipients[{index}]: "{text}" is the domain {text}, not a '
                    f'user; for a mailbox write "{text}@mx.example", for the domain "@{text}"'
                )
