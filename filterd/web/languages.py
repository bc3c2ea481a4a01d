"""The languages of pages that users read: which there are, which one a browser asks for, and what a
text is in it.

The texts in the templates are English; `locale/LANGUAGE.po` has them in another language, in the
form of gettext, which translators' programs read. A site's own folder may hold more of them.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal

from filterd.config.users import LANGUAGE, UserSettings
from filterd.system.bounded import read_regular
from filterd.system.zone import local

log = logging.getLogger(__name__)

LANGUAGE_COOKIE = "language"

SOURCE = "en"
"""Of the texts in the templates."""

SIZE_LIMIT = 1 << 20
"""Octets of a catalogue; filterd's own have some 20,000."""

ACCEPT_LIMIT = 500
"""Characters of Accept-Language that are looked at."""

_OWN = Path(__file__).parent / "locale"

_RANGE = re.compile(
    r"\s*+([A-Za-z]{2,3})(?:-[A-Za-z0-9-]*+)?\s*+(?:;\s*+q=([01](?:\.\d{0,3})?))?\s*+"
)


@dataclass(frozen=True)
class Catalogue:
    """One language. texts: English → translations, two or more where the number counts."""

    language: str
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def gettext(self, text: str) -> str:
        """The text in this language, as it is where nobody has translated it."""
        found = self.texts.get(text, ())
        return found[0] if found and found[0] else text

    def ngettext(self, one: str, many: str, number: int) -> str:
        """The same of a text that has a number in it."""
        found = self.texts.get(one, ())
        # Some categories have no form of their own in gettext; they take the last one.
        which = min(self._plural(number), len(found) - 1)
        if found and found[which]:
            return found[which]
        return one if number == 1 else many

    def moment(self, seconds: float) -> str:
        """Day and time to the minute, in the zone of the request."""
        when = local(seconds)
        day = format_date(when, "medium", locale=self._locale)
        return f"{day}, {format_time(when, 'short', locale=self._locale)}"

    def number(self, value: float) -> str:
        """A number with one decimal."""
        return format_decimal(value, "#,##0.0", locale=self._locale)

    def kilobytes(self, octets: int) -> str:
        """A size."""
        return f"{format_decimal(max(octets / 1024, 0.1), '#,##0.#', locale=self._locale)} KB"

    def _plural(self, number: int) -> int:
        # The forms stand in the order of CLDR's categories, `other` last, as gettext's do for all
        # languages that have two or three.
        categories = [*sorted(self._locale.plural_form.tags, key=_ORDER.index), "other"]
        return categories.index(self._locale.plural_form(number))

    @cached_property
    def _locale(self) -> Locale:
        # English dates with the day first and 24 hours: most who read English here are abroad.
        return Locale.parse("en_GB" if self.language == SOURCE else self.language)


_ORDER = ("zero", "one", "two", "few", "many")

ENGLISH = Catalogue(SOURCE)

_shown: ContextVar[Catalogue] = ContextVar("catalogue", default=ENGLISH)


@contextmanager
def shown_with(catalogue: Catalogue) -> Iterator[None]:
    """Within this, `shown` is that one."""
    token = _shown.set(catalogue)
    try:
        yield
    finally:
        _shown.reset(token)


def shown() -> Catalogue:
    """The catalogue of what is written now."""
    return _shown.get()


class Languages:
    """All of a site."""

    def __init__(self, users: UserSettings) -> None:
        self._default = users.language
        self._known = {SOURCE: ENGLISH}
        for folder in filter(None, (_OWN, users.catalogues)):
            self._known |= {one.language: one for one in _catalogues(folder)}

    @property
    def names(self) -> dict[str, str]:
        """Language → what it calls itself."""
        return {one: Locale.parse(one).display_name or one for one in sorted(self._known)}

    def chosen(self, cookie: str, accepted: str) -> Catalogue:
        """The language that somebody has chosen, or whose browser asks for it (RFC 9110 §12.5.4),
        else the site's."""
        wanted = [cookie, *_accepted(accepted), self._default]
        return next((self._known[one] for one in wanted if one in self._known), ENGLISH)


def _accepted(text: str) -> list[str]:
    """The languages of Accept-Language, what is wanted most first."""
    found: list[tuple[float, int, str]] = []
    for part in text[:ACCEPT_LIMIT].split(","):
        if one := _RANGE.fullmatch(part):
            weight = float(one[2] or 1)
            if weight:
                found.append((-weight, len(found), one[1].lower()))
    return [language for _, _, language in sorted(found)]


def _catalogues(folder: Path) -> Iterator[Catalogue]:
    for path in sorted(folder.glob("*.po")):
        try:
            yield read_catalogue(path)
        except (OSError, ValueError) as error:
            # The others can be used, and English.
            log.error("%s", error)


def read_catalogue(path: Path) -> Catalogue:
    """A catalogue, by the name of its file (`de.po`). Raises OSError, ValueError that names the
    file."""
    if not LANGUAGE.fullmatch(path.stem):
        raise ValueError(f"{path}: expected a name such as fr.po or pt_BR.po")
    try:
        Locale.parse(path.stem)
        data = read_regular(path, SIZE_LIMIT)
        catalogue = read_po(io.BytesIO(data), abort_invalid=True)
    except UnknownLocaleError:
        raise ValueError(f"{path}: {path.stem} is not a language") from None
    except (PoFileError, UnicodeError) as error:
        raise ValueError(f"{path}: cannot be read as a catalogue of gettext: {error}") from None
    texts: dict[str, tuple[str, ...]] = {}
    for message in catalogue:
        if message.id and not message.fuzzy:
            key = message.id if isinstance(message.id, str) else message.id[0]
            text = message.string
            texts[key] = (text,) if isinstance(text, str) else tuple(text or ())
    return Catalogue(path.stem, texts)
