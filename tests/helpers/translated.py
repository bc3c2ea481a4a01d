"""The English texts that users read, as the pages' sources have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jinja2.ext import babel_extract

from filterd.digest.links import EXPIRED, NOT_VALID
from filterd.web import app, identity, proof
from filterd.web.own_words import OWN_WORDS
from filterd.web.pages import account, held, login, oidc

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "filterd" / "web" / "templates"

OPTIONS = {"trimmed": "false", "trim_blocks": "true", "lstrip_blocks": "true"}


def in_templates() -> Iterator[str | tuple[str, str]]:
    """The texts in the templates; those with a number as singular and plural."""
    for path in sorted(TEMPLATES.glob("*.html")):
        with path.open("rb") as file:
            keywords = ("_", "gettext", "ngettext")
            for _, _, text, _ in babel_extract(file, keywords, [], OPTIONS):
                if isinstance(text, str):
                    yield text
                elif text and text[0]:
                    yield text[0], text[1]


def in_code() -> Iterator[str]:
    """The texts that templates are given."""
    yield from OWN_WORDS.values()
    yield from (*app.HEADS.values(), app.WRONG, app.NO_MESSAGE, app.NO_PAGE, app.NO_SESSION)
    yield from (app.NO_STORE, identity.TOO_OLD)
    yield from (NOT_VALID, EXPIRED, held.GONE)
    yield from (login.WRONG, login.WRONG_CODE, login.TOO_OLD, login.NOT_NOW)
    yield from (oidc.REFUSED, oidc.CANCELLED, oidc.TOO_MANY)
    yield from (proof.WRONG, proof.NOT_NOW, account.WRONG_CODE, account.DIFFERENT, account.THE_SAME)


def texts() -> list[str | tuple[str, str]]:
    """All, each once."""
    return list(dict.fromkeys([*in_templates(), *in_code()]))
