"""Users' languages: every text is translated, and a browser gets what it asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from filterd.config.users import UserSettings
from filterd.web.languages import ENGLISH, Catalogue, Languages, read_catalogue
from tests.helpers.translated import ROOT, texts

GERMAN = ROOT / "filterd" / "web" / "locale" / "de.po"

VALUE = re.compile(r"%\(\w+\)s")

WITHOUT = "It is not delivered because %(why)s. Ask your postmaster."
"""Why is known in English only."""

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def test_every_text_is_in_german_and_nothing_else() -> None:
    german, wanted = read_catalogue(GERMAN), texts()
    assert len(wanted) > 90, "texts were found"
    keys = [one if isinstance(one, str) else one[0] for one in wanted]
    assert set(german.texts) == set(keys)
    for one in wanted:
        key, others = (one, (one,)) if isinstance(one, str) else (one[0], one)
        found = german.texts[key]
        assert len(found) == len(others), key
        assert all(found), key
        if key != WITHOUT:
            for translated, english in zip(found, others, strict=True):
                assert sorted(VALUE.findall(translated)) == sorted(VALUE.findall(english)), key


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "de-CH, en;q=0.9", "de"),
        ("", "en;q=0.5,de;q=0.8", "de"),
        ("", "fr, de;q=0", "en"),
        ("", "DE", "de"),
        ("de", "en", "de"),
        ("xx", "de", "de"),
        ("", ";;,,q=1,de;q=9", "en"),
        ("", "fr," * 10_000 + "de", "en"),
    ],
)
def test_what_a_browser_asks_for(cookie: str, accepted: str, language: str) -> None:
    assert Languages(UserSettings()).chosen(cookie, accepted).language == language


def test_the_sites_language_where_the_browser_asks_for_none() -> None:
    german = Languages(UserSettings(language="de"))
    assert german.chosen("", "fr").language == "de"
    assert german.chosen("", "en").language == "en"


def test_a_sites_own_language(tmp_path: Path) -> None:
    (tmp_path / "fr.po").write_text(
        HEAD + 'msgid "Delete"\nmsgstr "Supprimer"\n\n'
        'msgid "%(count)s message waits, the least suspicious first."\n'
        'msgid_plural "%(count)s messages wait, the least suspicious first."\n'
        'msgstr[0] "un"\nmsgstr[1] "plusieurs"\n'
    )
    (tmp_path / "es.po").write_text("msgid Delete\n")
    (tmp_path / "no-language.po").write_text(HEAD)
    languages = Languages(UserSettings(catalogues=tmp_path))
    assert list(languages.names) == ["de", "en", "fr"], "what cannot be read is left out"
    french = languages.chosen("fr", "")
    assert (french.gettext("Delete"), french.gettext("Read")) == ("Supprimer", "Read")
    one, many = "%(count)s message waits, the least suspicious first.", "x"
    assert [french.ngettext(one, many, n) for n in (1, 2, 5)] == ["un", "plusieurs", "plusieurs"]


@pytest.mark.parametrize("text", ["msgid Delete\n", "\xff\xfe", 'msgid "a"\nmsgid "b"\nx'])
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "es.po"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"es\.po: cannot be read as a catalogue"):
        read_catalogue(file)


def test_times_and_numbers() -> None:
    german = Catalogue("de")
    assert (german.number(9.04), german.kilobytes(2_500_000)) == ("9,0", "2.441,4 KB")
    assert ENGLISH.number(9.04) == "9.0"
    assert re.fullmatch(r"1\.1\.2026, \d\d:\d\d|01\.01\.2026, \d\d:\d\d", german.moment(1767268800))
