"""Settings `[maillog]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc


@dataclass(frozen=True)
class MailLogSettings:
    """Where the MTA logs deliveries, which a message's timeline then shows."""

    files: Annotated[
        tuple[Path, ...],
        Doc(
            'log files of sendmail or Postfix, such as "/var/log/mail.log"; the user of filterd '
            "must be allowed to read them; empty: none"
        ),
    ] = ()
    journal: Annotated[
        bool,
        Doc(
            "ask journalctl for what was logged with the facility mail; the user of filterd must "
            "be in the group systemd-journal or adm"
        ),
    ] = False

    @property
    def is_on(self) -> bool:
        """True if there is something to read."""
        return self.journal or bool(self.files)
