"""The Q lines of a sendmail.cf: groups of queues. Source: sendmail 8.17 `queue.c` (makequeue)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from filterd.mta.cf.config import SendmailCf
from filterd.mta.cf.mailers import unquoted
from filterd.mta.cf.marks import Complain
from filterd.mta.cf.option_values import unit_complaints

EQUATES = frozenset("PFINJRr")
"""Path, flags, interval, nice value, jobs, runners, recipients."""

_SPACES = " \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class QueueReader:
    """Reads the text behind the Q, with marks. groups: the names that mailers may use."""

    cf: SendmailCf
    groups: set[str]
    complain: Callable[..., None]
    tell: Complain

    def read(self, text: str) -> bool:
        """Take a line. False if sendmail drops it."""
        name = re.split(f"[,{_SPACES}]", text, maxsplit=1)[0]
        rest = text[len(name) + 1 :]
        if not name:
            self.complain("name required for queue")
            return False
        path = self.cf.option("QueueDirectory")
        while rest:
            rest = rest.lstrip(_SPACES + ",")
            key = re.split("[=,]", rest, maxsplit=1)[0]
            if not rest.startswith("=", len(key)):
                self.complain(f"queue {name}: `=' expected")
                return False
            letter = rest[:1]
            value, rest = unquoted(rest[len(key) + 1 :].lstrip(_SPACES), ",")
            if letter not in EQUATES:
                self.complain(f"Q{name}: unknown queue equate {letter}=")
            elif letter == "P" and not value:
                self.complain(f"queue {name}: empty path name")
            elif letter == "P":
                path = value
            elif letter == "I":
                for told in unit_complaints(value):
                    self.tell(told)
        if not path:
            self.complain("QueueDir must be defined before queue groups")
            return False
        self.groups.add(name.lower())
        return True
