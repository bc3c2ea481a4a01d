"""Theme and density of the pages, as a cookie has them: the page comes as it is to look, so nothing
moves or flashes afterwards, and no script is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOOK_COOKIE = "look"

SYSTEM = "system"

THEMES = (SYSTEM, "light", "dark")
"""By the browser's wish, or whatever that is."""

DENSITIES = ("normal", "compact")


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody has chosen."""

    theme: str = SYSTEM
    density: str = DENSITIES[0]

    @classmethod
    def of(cls, value: str) -> Look:
        """What the cookie says, as far as it is known."""
        theme, _, density = value[:40].partition(".")
        return cls().changed({"theme": theme, "density": density})

    def changed(self, wish: Mapping[str, str]) -> Look:
        """With what of the wish is known."""
        theme, density = wish.get("theme", ""), wish.get("density", "")
        return Look(
            theme if theme in THEMES else self.theme,
            density if density in DENSITIES else self.density,
        )

    @property
    def value(self) -> str:
        """For the cookie."""
        return f"{self.theme}.{self.density}"

    @property
    def schemes(self) -> str:
        """For the browser's own parts of a page (`color-scheme`)."""
        return "light dark" if self.theme == SYSTEM else self.theme
