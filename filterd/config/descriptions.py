"""The descriptions of all symbols that a site has, or had."""

from __future__ import annotations

from filterd.chain import filter as filters
from filterd.chain.descriptions import Descriptions
from filterd.chain.filter import Buildable
from filterd.config.load import Settings


def descriptions(settings: Settings) -> Descriptions:
    """Of the filters that the settings name, and of those that come with filterd: messages are
    shown that came when the chain had others."""
    found: dict[str, Buildable] = {name: one.own for name, one in settings.filters.items()}
    for name, value in filters.available().items():
        if name not in found and value.startswith("filterd."):
            try:
                found[name] = filters.load(name)()
            except (filters.UnknownFilterError, TypeError, ValueError):
                continue  # of an installation of before
    return Descriptions(found)
