"""Writing one notice: a message of plain text, from a template, for one address.

A template's first line is the Subject. It is rendered in a sandbox, and no longer than
`TEXT_LIMIT`; what strangers wrote reaches it without control characters and cut to size.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from filterd.chain.headers import points
from filterd.config.notices import EventKind, NoticeSettings
from filterd.notices.events import MessageEvent, NoticeEvent, RequestEvent
from filterd.system import display
from filterd.system.bounded import plain_text, read_regular
from filterd.system.display import printable, when

LISTED_LIMIT = 50
"""Events in one notice; the others are counted."""

VALUE_LIMIT = 200
"""Characters of a stranger's text."""

TEXT_LIMIT = 200_000
"""Characters of a notice."""

SUBJECT_LIMIT = 150
"""Characters of its Subject."""

_TEMPLATE_LIMIT = 1 << 16
_OWN = Path(__file__).parent / "templates"
_TIMES = frozenset({"received", "last", "since", "until", "asked"})
_MARK = re.compile(r"<notice\.([0-9a-f]{16})\.([0-9a-f]{24})@")


class NoticeError(Exception):
    """A notice that cannot be written; the text names file and line of the template."""


@dataclass(frozen=True, slots=True)
class NoticeWriter:
    """What all notices of a site share. key: of the marks of released mail. host: this one's
    name. pages: beginning of links to the pages, empty where nobody said how to reach them."""

    settings: NoticeSettings
    key: bytes
    host: str
    pages: str = ""

    def message(
        self,
        kind: EventKind,
        address: str,
        events: Sequence[NoticeEvent],
        now: float,
        *,
        recipient: str | None = None,
        suppressed: int = 0,
        links: Mapping[str, str] | None = None,
        is_test: bool = False,
    ) -> bytes:
        """The notice that tells an address of events of one kind, ASCII.

        recipient: whose messages they are, where the address is a recipient's. links: by a
        message's id, where that recipient can have it delivered. Raises NoticeError.
        """
        sees = self.settings.subject or recipient is not None
        listed = [self._shown(one, sees, recipient, (links or {})) for one in events[:LISTED_LIMIT]]
        text = self._text(
            kind,
            {
                "kind": kind,
                "events": listed,
                "count": len(events),
                "more": len(events) - len(listed),
                "suppressed": suppressed,
                "recipient": "" if recipient is None else printable(recipient, VALUE_LIMIT),
                "host": self.host,
                "test": is_test,
            },
        )
        subject, body = _parts(f"{kind}.txt", text)
        message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
        message["From"] = self.settings.sender
        # The envelope has the real address; what is not a plain one would break the field.
        plain = address.isascii() and address.isprintable() and not set(address) & set('"<>,;: ')
        message["To"] = address if plain else "undisclosed-recipients:;"
        message["Subject"] = subject
        message["Date"] = formatdate(now, localtime=True)
        message["Message-ID"] = self._id()
        # RFC 3834 §5: nobody's vacation program answers this.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(body)
        return message.as_bytes()

    def is_own(self, message_id: str) -> bool:
        """True for the Message-ID of a notice that filterd wrote: nothing is ever told of one."""
        found = _MARK.search(message_id)
        return found is not None and hmac.compare_digest(found[2], self._signature(found[1]))

    def _id(self) -> str:
        name = secrets.token_hex(8)
        domain = self.settings.sender.rpartition("@")[2]
        return f"<notice.{name}.{self._signature(name)}@{domain}>"

    def _signature(self, name: str) -> str:
        key = hmac.new(self.key, b"filterd notice 1", "sha256").digest()
        return hmac.new(key, name.encode("ascii"), "sha256").hexdigest()[:24]

    def _shown(
        self, event: NoticeEvent, sees: bool, recipient: str | None, links: Mapping[str, str]
    ) -> dict[str, Any]:
        facts = event.facts(subject=sees, recipient=recipient)
        found = {
            name: when(value) if name in _TIMES else _clean(value) for name, value in facts.items()
        }
        if isinstance(event, MessageEvent):
            found["score"], found["required"] = points(facts["score"]), points(facts["required"])
            found["link"] = links.get(event.record.id, "")
            if recipient is None and self.pages and event.record.stored:
                found["link"] = f"{self.pages}/message/{event.record.id}"
        if isinstance(event, RequestEvent):
            found["link"] = f"{self.pages}/message/{facts['id']}" if self.pages else ""
        return found

    def _text(self, kind: EventKind, values: Mapping[str, Any]) -> str:
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FunctionLoader(partial(_template, self.settings)),
            # Plain text has no markup in which anything could be escaped.
            autoescape=False,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["size"] = display.size
        name = f"{kind}.txt"
        text = ""
        try:
            for piece in environment.get_template(name).generate(values):
                text += piece
                if len(text) > TEXT_LIMIT:
                    raise NoticeError(f"{name}: more than {TEXT_LIMIT:,} characters")
        except jinja2.TemplateSyntaxError as error:
            raise NoticeError(f"{error.filename or name}:{error.lineno}: {error.message}") from None
        except jinja2.TemplateError as error:
            raise NoticeError(f"{name}: {error.message}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # A template may do anything with its values that a sandbox allows.
            raise NoticeError(f"{name}: {error}") from None
        return text


def _template(settings: NoticeSettings, name: str) -> tuple[str, str, None] | None:
    """What jinja2.FunctionLoader expects: text, file name, and nothing that tells of changes. None
    if the template does not exist. Raises NoticeError for a file that cannot be read."""
    folders = [] if settings.templates is None else [settings.templates]
    for folder in (*folders, _OWN / settings.language):
        path = folder / name
        try:
            return plain_text(read_regular(path, _TEMPLATE_LIMIT)), str(path), None
        except FileNotFoundError:
            continue
        except OSError as error:
            raise NoticeError(f"{path}: cannot be read ({error.strerror})") from None
        except ValueError as error:
            raise NoticeError(f"{path}: {error}") from None
    return None


def _parts(template: str, text: str) -> tuple[str, str]:
    """Subject and body of a rendered template. Raises NoticeError."""
    first, _, body = text.partition("\n")
    name, colon, subject = first.partition(":")
    if not colon or name.strip().lower() != "subject" or not subject.strip():
        raise NoticeError(
            f"{template}:1: the line is {printable(first, 60)!r}; expected Subject: and the words"
        )
    shown = " ".join(printable(subject).split())[:SUBJECT_LIMIT]
    return shown, printable(body.strip("\n"), lines=True) + "\n"


def _clean(value: Any) -> Any:
    match value:
        case str():
            return printable(value, VALUE_LIMIT)
        case list():
            return [_clean(one) for one in value]
        case dict():
            return {printable(str(name), VALUE_LIMIT): _clean(one) for name, one in value.items()}
    return value
