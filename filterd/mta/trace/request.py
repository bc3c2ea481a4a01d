"""What somebody asks about rules that he gave as text, with limits on all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from filterd.mta.trace.question import TraceQuestion
from filterd.system.bounded import json_value

TEXT_LIMIT = 1 << 18
"""Octets of a configuration; a stock sendmail.cf has 60,000."""

FILES_LIMIT = 1 << 18
"""Octets of all tables and class files together."""

FILE_COUNT = 50
"""Of them."""

NAME_LIMIT = 255
"""Characters of a file's name, a host's, a mailer's."""

ADDRESS_COUNT = 20
"""Addresses of one request."""

ADDRESS_LIMIT = 1000
"""Characters of one; sendmail itself refuses more than 255."""

CPU_LIMIT = 20
"""Seconds of processor time, of m4 as many again."""

ANSWER_LIMIT = 4 << 20
"""Octets of the answer; that to twenty addresses with a stock file has 800,000."""

_HEADING = re.compile(r"==> (\S.*) <==")
_DIRECTIVE = re.compile(r"(?:OSTYPE|MAILER|FEATURE|VERSIONID|define|divert|include)\(|dnl\b")


@dataclass(frozen=True)
class TraceRequest:
    """Rules, and addresses to ask them about. Raises ValueError, in words for the person who asked.

    text: a sendmail.cf, or an mc file with is_mc. host: the name of the host that it is for, empty
    if the file says it. files: by name, the tables, alias and class files that it reads.
    """

    text: str
    addresses: tuple[str, ...]
    is_mc: bool = False
    question: TraceQuestion = TraceQuestion()
    host: str = ""
    files: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check("the file", self.text, TEXT_LIMIT)
        if not self.text.strip():
            raise ValueError("the file is empty; expected a sendmail.cf or an mc file")
        if not 0 < len(self.addresses) <= ADDRESS_COUNT:
            raise ValueError(f"{len(self.addresses)} addresses; expected 1 to {ADDRESS_COUNT}")
        for address in self.addresses:
            _check("an address", address, ADDRESS_LIMIT)
            if "\n" in address or not address.strip():
                raise ValueError("an address is empty or has a line end; expected text")
        for what, text in (("host", self.host), ("mailer", self.question.mailer)):
            if not re.fullmatch(rf"[!-~]{{0,{NAME_LIMIT}}}", text):
                raise ValueError(f"{what}: expected a name of at most {NAME_LIMIT} characters")
        if len(self.files) > FILE_COUNT:
            raise ValueError(f"{len(self.files)} files; at most {FILE_COUNT} are read")
        _check("the files together", "".join(self.files.values()), FILES_LIMIT)
        for name in self.files:
            if not name.startswith("/") or len(name) > NAME_LIMIT:
                raise ValueError(f"{name[:80]!r} is not the full name of a file; expected /…")

    def to_json(self) -> str:
        """As one line of ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: bytes) -> TraceRequest:
        """What `to_json` made."""
        value = json_value(data)
        value["question"] = TraceQuestion(**value["question"])
        value["addresses"] = tuple(value["addresses"])
        return cls(**value)


def _check(what: str, text: str, limit: int) -> None:
    try:
        size = len(text.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise ValueError(f"{what}: half of a surrogate pair; expected text") from None
    if size > limit:
        raise ValueError(f"{what}: {size} octets; at most {limit} are read")
    if "\0" in text:
        raise ValueError(f"{what}: there is a NUL; expected text")


def files_of(text: str) -> dict[str, str]:
    """The files in a text in which `==> NAME <==` stands above each, as `tail -v -n +1 FILE…` and
    `head` print them. Raises ValueError, in words for the person who typed it."""
    files: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for line in text.split("\n"):
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            if heading[1] in files:
                raise ValueError(f"{heading[1][:80]} is there twice; expected each file once")
            lines = files[heading[1]] = []
        elif lines is not None:
            lines.append(line)
        elif line.strip():
            raise ValueError(
                f"the line {line[:80]!r} belongs to no file; expected ==> /etc/mail/access <== "
                "above the lines of a file"
            )
    return {name: "".join(f"{line}\n" for line in lines) for name, lines in files.items()}


def looks_like_mc(text: str) -> bool:
    """Whether a text has a line that begins as one of an mc file does, and none of a sendmail.cf's
    version."""
    lines = text.split("\n")
    return any(map(_DIRECTIVE.match, lines)) and not any(
        re.match(r"V\d+(?:/\w+)?\s*$", line) for line in lines
    )
