"""Settings that deliver what a filter against dangerous files could not examine."""

from __future__ import annotations

from collections.abc import Iterator

from filterd.config.load import Settings


def open_gates(settings: Settings) -> Iterator[str]:
    """What lets mail pass that such a filter did not examine, one text for each setting.

    Anybody who can make the filter fail, with a file that takes it too long for example, gets it
    delivered. That may be wanted, and should be known.
    """
    for name in settings.chain.filters:
        entry = settings.filters[name]
        if not getattr(entry.own, "must_examine", False):
            continue
        link = entry.link
        if link.dry_run:
            yield (
                f"filters.{name}.dry_run: neither what {name} finds nor its failure has "
                "any effect: all mail passes"
            )
            continue
        for key in ("on_error", "on_error_authenticated"):
            if getattr(link, key) == "continue":
                whose = " of clients that logged in" if key != "on_error" else ""
                yield (
                    f'filters.{name}.{key} = "continue": mail{whose} that {name} could not '
                    'scan is delivered, even if it made the filter fail; "tempfail" or '
                    '"quarantine" keeps it'
                )
        for key in ("over_limit", "too_large"):
            if getattr(entry.own, key, "") == "continue":
                yield (
                    f'filters.{name}.{key} = "continue": mail that {name} gave up on is delivered '
                    'unscanned; "quarantine" keeps it'
                )
