"""Writing one digest: plain text and HTML from templates, for one recipient."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from functools import partial
from pathlib import Path

import jinja2

from filterd.chain.headers import points
from filterd.chain.verdict import Reason
from filterd.config.digest import DigestSettings
from filterd.digest.ledger import Due
from filterd.digest.links import ReleaseLink, Signer
from filterd.quarantine.index import Row
from filterd.system.bounded import plain_text, read_regular
from filterd.system.display import printable, when

LISTED_LIMIT = 200
"""Messages in one digest; who has more looks at them in another way."""

TEXT_LIMIT = 200
"""Characters of a stranger's text."""


UNPROVEN = "It does not prove to be from the sender it names; it may be forged."
"""What is said of a message that failed DMARC."""


_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class DigestError(Exception):
    """A digest that cannot be written; the text names file and line of the template."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all digests share. base: beginning of the links, `https://mail.example`."""

    settings: DigestSettings
    base: str
    signer: Signer


def compose(site: Site, due: Due, rows: Sequence[Row], now: float) -> bytes:
    """The digest that tells a mailbox of these messages, ready to be sent.

    rows: those of `due` that it lists. Raises DigestError.
    """
    recipient = due.address

    def token(id: str) -> str:
        return site.signer.token(ReleaseLink(id, due.held[id], until))

    until = now + site.settings.link_days * 86400
    listed = [
        {
            "received": when(row.received),
            "score": points(row.score),
            "sender": printable(row.header_from or row.sender or "<>", TEXT_LIMIT),
            "subject": printable(row.subject, TEXT_LIMIT) or "(no subject)",
            "notice": UNPROVEN if row.reason == Reason.DMARC else "",
            "link": f"{site.base}/held/{token(row.id)}",
        }
        for row in rows
    ]
    values = {
        "recipient": printable(recipient, TEXT_LIMIT),
        "subject": site.settings.subject,
        "messages": listed,
        "more": len(due.held) - len(rows),
        "until": when(until),
    }
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = site.settings.sender
    # The envelope carries the real address; what is not a plain one would break the field.
    message["To"] = recipient if _PLAIN.fullmatch(recipient) else "undisclosed-recipients:;"
    message["Subject"] = site.settings.subject
    message["Date"] = formatdate(now, localtime=True)
    message["Message-ID"] = make_msgid(domain=site.settings.sender.rpartition("@")[2])
    # RFC 3834: nobody's vacation program answers this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_rendered(site.settings.templates, "digest.txt", values))
    message.add_alternative(
        _rendered(site.settings.templates, "digest.html", values), subtype="html"
    )
    return message.as_bytes()


_OWN_TEMPLATES = Path(__file__).parent / "templates"
_TEMPLATE_LIMIT = 1 << 20  # bytes of a template; filterd's have 2,000


def _template(folder: Path, name: str) -> tuple[str, str, None] | None:
    """What jinja2.FunctionLoader expects: text, file name, and nothing that tells of changes. None
    if there is no such template. Raises DigestError for a file that cannot be read."""
    path = folder / name
    try:
        return plain_text(read_regular(path, _TEMPLATE_LIMIT)), str(path), None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DigestError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DigestError(f"{path}: {error}") from None


def _rendered(folder: Path | None, name: str, values: dict[str, object]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(partial(_template, folder or _OWN_TEMPLATES)),
        # The text has no markup in which anything could be escaped.
        autoescape=name.endswith(".html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return environment.get_template(name).render(values)
    except jinja2.TemplateSyntaxError as error:
        raise DigestError(f"{error.filename or name}:{error.lineno}: {error.message}") from None
    except jinja2.TemplateNotFound:
        raise DigestError(f"{folder}/{name}: no such template") from None
    except jinja2.TemplateError as error:
        raise DigestError(f"{name}: {error}") from None
