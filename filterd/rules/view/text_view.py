"""The part of `View` that is text: paragraphs, chunks, HTML, URIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from filterd.message.lazy import lazy
from filterd.rules.view.body import PART_SIZE as BODY_SIZE
from filterd.rules.view.body import BodyView
from filterd.rules.view.rawbody import PART_SIZE as RAWBODY_SIZE
from filterd.rules.view.rawbody import rawbody
from filterd.rules.view.uri_settings import uri_settings
from filterd.rules.view.uris import Uris, uris_of

if TYPE_CHECKING:
    from filterd.rules.conf.rule import Option
    from filterd.rules.view.html import HtmlInfo
    from filterd.rules.view.parts import MessagePart

DIGITS = 12
"""Digits that an option's number has less of."""

_SIGNED_DOMAIN = re.compile(rb"\bd\s*+=\s*+([^;]+)")


class TextView:
    """What `View` has of a message's text. All of it is octets."""

    options: Mapping[str, tuple[Option, ...]]
    parts: MessagePart

    @lazy
    def texts(self) -> BodyView:
        """The texts of all parts, rendered."""
        return BodyView(self.parts, self._number("body_part_scan_size", BODY_SIZE))

    @lazy
    def body(self) -> tuple[bytes, ...]:
        """The paragraphs of the text, the Subject first."""
        return self.texts.paragraphs()

    @lazy
    def visible_body(self) -> tuple[bytes, ...]:
        """The same without what no reader sees."""
        return self.texts.visible()

    @lazy
    def invisible_body(self) -> tuple[bytes, ...]:
        """What no reader sees."""
        return self.texts.invisible()

    @lazy
    def rawbody(self) -> tuple[bytes, ...]:
        """The text parts, decoded and not rendered, in chunks."""
        return rawbody(self.parts, self._number("rawbody_part_scan_size", RAWBODY_SIZE))

    def _number(self, option: str, usual: int) -> int:
        values = self.options.get(option, ())
        text = values[-1].value.strip() if values else ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < DIGITS else usual

    @property
    def html(self) -> tuple[HtmlInfo, ...]:
        """What is in each HTML part."""
        return self.texts.html

    @lazy
    def uri_detail(self) -> Uris:
        """The URIs as they stand in the message, with what is known of each."""
        signatures: list[bytes] = []
        wanted = self.options.get("parse_dkim_uris", ())
        if not wanted or wanted[-1].value.strip() not in ("", "0"):
            for name in (b"domainkey-signature", b"dkim-signature"):
                for value in self.parts.all(name):
                    signatures += [
                        b"".join(domain.split()) for domain in _SIGNED_DOMAIN.findall(value)
                    ]
        return uris_of(self.body, self.html, uri_settings(self.options), signatures)

    @lazy
    def uris(self) -> tuple[bytes, ...]:
        """All forms of all URIs."""
        return self.uri_detail.cleaned()
