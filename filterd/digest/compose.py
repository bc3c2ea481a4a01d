"""Writing one digest: plain text and HTML from templates, for one recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from filterd.digest.links import MailboxLink, ReleaseLink, Signer
from filterd.quarantine.index import Row
from filterd.system.bounded import plain_text, read_regular
from filterd.system.display import printable, when

LISTED_LIMIT = 200
"""Messages in one digest; who has more looks at them in another way."""

TEXT_LIMIT = 200
"""Characters of a stranger's text."""

SUBJECT_LIMIT = 150
"""Characters of a Subject."""

FALLBACK_SUBJECT = "Mail held for you"
"""Where neither settings nor template have one."""


UNPROVEN = "It does not prove to be from the sender it names; it may be forged."
"""What is said of a message that failed DMARC."""


_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")


class DigestError(Exception):
    """A digest that cannot be written; the text names file and line of the template."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all digests share. base: beginning of the links, `https://mail.example`. actions: what
    a recipient may do with a message besides having it delivered, as links name it; users: whether
    recipients have pages of their own, to which a digest leads."""

    settings: DigestSettings
    base: str
    signer: Signer
    actions: tuple[str, ...] = ()
    users: bool = False


def compose(site: Site, due: Due, rows: Sequence[Row], now: float) -> bytes:
    """The digest that tells a mailbox of these messages, ready to be sent; those with the fewest
    points first.

    rows: those of `due` that it lists. Raises DigestError.
    """
    recipient, count = due.address, len(due.held)
    until = now + site.settings.link_days * 86400
    # Newest first among those with as many points.
    listed = [_listed(site, row, due, until) for row in sorted(rows, key=lambda row: row.score)]
    mailbox = MailboxLink(recipient, until)
    folder = site.settings.templates or _OWN_TEMPLATES / site.settings.language
    values = {
        "recipient": printable(recipient, TEXT_LIMIT),
        "subject": f"{site.settings.subject} ({count})" if site.settings.subject else "",
        "messages": listed,
        "count": count,
        "more": count - len(rows),
        "until": when(until),
        "my_link": f"{site.base}/my/open/{site.signer.mailbox_token(mailbox)}"
        if site.users
        else "",
    }
    first, text = _subject_and_text(_rendered(folder, "digest.txt", values))
    values["subject"] = values["subject"] or first or f"{FALLBACK_SUBJECT} ({count})"
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = site.settings.sender
    # The envelope carries the real address; what is not a plain one would break the field.
    message["To"] = recipient if _PLAIN.fullmatch(recipient) else "undisclosed-recipients:;"
    message["Subject"] = values["subject"]
    message["Date"] = formatdate(now, localtime=True)
    message["Message-ID"] = make_msgid(domain=site.settings.sender.rpartition("@")[2])
    # RFC 3834: nobody's vacation program answers this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    message.add_alternative(_rendered(folder, "digest.html", values), subtype="html")
    return message.as_bytes()


def _listed(site: Site, row: Row, due: Due, until: float) -> dict[str, object]:
    """What templates have of one message."""
    link = f"{site.base}/held/{site.signer.token(ReleaseLink(row.id, due.held[row.id], until))}"
    unproven = row.reason == Reason.DMARC
    return {
        "received": when(row.received),
        "score": points(row.score),
        "sender": printable(row.header_from or row.sender or "<>", TEXT_LIMIT),
        "subject": printable(row.subject, TEXT_LIMIT),
        "unproven": unproven,
        "notice": UNPROVEN if unproven else "",
        "link": link,
        "actions": {
            one: f"{link}?do={one}" for one in site.actions if one != "block" or row.sender
        },
    }


def _subject_and_text(rendered: str) -> tuple[str, str]:
    """The Subject that a template's first line gives, empty where it gives none, and the rest."""
    first, _, rest = rendered.partition("\n")
    if not first.startswith("Subject:"):
        return "", rendered
    subject = " ".join(printable(first.removeprefix("Subject:")).split())
    return subject[:SUBJECT_LIMIT], rest


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


def _rendered(folder: Path, name: str, values: Mapping[str, object]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(partial(_template, folder)),
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
