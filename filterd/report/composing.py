"""Writing a report: plain text and HTML from templates, pictures inside the HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from filterd.history.summary import KINDS, Kind
from filterd.report.gathering import SiteReport
from filterd.system import display, zone
from filterd.system.display import printable

TEXT_LIMIT = 60
"""Characters of a stranger's text."""

LINES = 5
"""Rows of each list."""


@dataclass(frozen=True, slots=True)
class KindLine:
    """Messages of one kind. before: in as many days before, None where nobody knows."""

    kind: Kind
    messages: int
    percent: float
    before: int | None


def compose(
    report: SiteReport,
    sender: str,
    to: str,
    host: str,
    moment: float,
    *,
    base: str = "",
    pictures: Mapping[str, bytes] | None = None,
) -> bytes:
    """The mail, ready to be sent. base: beginning of links to the pages, empty without. pictures:
    PNG by name."""
    pictures = pictures or {}
    domain = sender.rpartition("@")[2]
    names = {name: make_msgid(name, domain) for name in pictures}
    values = _values(report, host) | {
        "base": base,
        "pictures": {"flow": "", "filters": ""} | {name: one[1:-1] for name, one in names.items()},
    }
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = to
    message["Subject"] = values["subject"]
    message["Date"] = formatdate(moment, localtime=True)
    message["Message-ID"] = make_msgid(domain=domain)
    # RFC 3834: nobody's vacation program answers this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_environment().get_template("report.txt").render(values))
    message.add_alternative(
        _environment().get_template("report.html").render(values), subtype="html"
    )
    html = message.get_payload()[-1]  # type: ignore[index]  # of a multipart a list
    for name, content in pictures.items():
        html.add_related(content, "image", "png", cid=names[name], filename=f"{name}.png")  # type: ignore[union-attr]
    return message.as_bytes()


def digest_of(data: bytes) -> str:
    """A name for these octets."""
    return hashlib.sha256(data).hexdigest()[:24]


def _values(report: SiteReport, host: str) -> dict[str, Any]:
    """What templates have."""
    now, before = report.now, report.before
    unwanted = now.messages - now.kinds["clean"] - now.kinds["deferred"]
    percent = 100.0 * unwanted / now.messages if now.messages else 0.0
    first, last = zone.local(now.since), zone.local(now.until - 1)
    days = f"{first:%d %b}" if report.days == 1 else f"{first:%d %b} to {last:%d %b}"
    return {
        "subject": f"filterd at {host}: {display.count(now.messages, 'message')}, "
        f"{percent:.1f} % not clean, {days}",
        "host": host,
        "report": report,
        "first": f"{first:%A, %d %B %Y}",
        "last": f"{last:%A, %d %B %Y}",
        "percent": percent,
        "kinds": [
            KindLine(
                kind,
                now.kinds[kind],
                100.0 * now.kinds[kind] / now.messages if now.messages else 0.0,
                None if before is None else before.kinds[kind],
            )
            for kind in KINDS
        ],
        "lists": [
            (title, rows[:LINES])
            for title, rows in (
                ("Senders", now.senders),
                ("Recipients", now.recipients),
                ("Clients", now.clients),
                ("Viruses", now.viruses),
                ("Symbols", now.symbols),
            )
            if rows
        ],
    }


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(["html"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=display.count,
        size=display.size,
        when=display.when,
        shown=lambda text: printable(text, TEXT_LIMIT),
    )
    return environment
