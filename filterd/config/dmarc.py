"""Settings `[dmarc]`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated

from annotated_doc import Doc
from annotated_types import Ge, Gt

from filterd.message.address import canonical_domain
from filterd.quarantine.settings import ADDRESS
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class DmarcSettings:
    """Settings `[dmarc]`."""

    send: Annotated[
        bool,
        Doc(
            "let the daemon make the aggregate reports of each day, and send them to those who ask"
        ),
    ] = False
    at: Annotated[
        str, Doc("time of day, in UTC, at which those of the day before are made and sent")
    ] = "01:30"
    org_name: Annotated[str, Doc("who reports, e.g. Example Ltd; must be set for reports")] = ""
    email: Annotated[
        str,
        Doc(
            "From and envelope sender of reports, whom their readers ask, "
            "e.g. dmarc-reports@mx.example; must be set for reports"
        ),
    ] = ""
    contact: Annotated[str, Doc("more about whom to ask, e.g. a web address; empty: none")] = ""
    folder: Annotated[
        Path | None,
        Doc(
            "where reports that are made are kept; unset: dmarc-reports in the quarantine's folder"
        ),
    ] = None
    keep_days: Annotated[
        float, Ge(0), Doc("days after which a report in the folder is deleted; 0: never")
    ] = 30.0
    received: Annotated[
        Path | None,
        Doc("folder or mbox with reports that others sent about us, which the pages then show"),
    ] = None
    max_megabytes: Annotated[
        float, Gt(0), Doc("MB of a report, packed, above which it is not sent")
    ] = 10.0

    @property
    def receiver(self) -> str:
        """The domain that reports, in A-labels."""
        return canonical_domain(self.email.rpartition("@")[2])

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("at"):
                _check_time(self.at)
            with wrong.at("email"):
                if (self.email or self.send) and not ADDRESS.fullmatch(self.email):
                    raise ValueError(
                        f'{self.email!r} is not an address; expected "dmarc-reports@mx.example"'
                    )
            with wrong.at("org_name"):
                if self.send and not self.org_name.strip():
                    raise ValueError('is not set; expected a name, e.g. "Example Ltd"')


def _check_time(text: str) -> None:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ValueError(f'{text!r} is not a time of day; expected "01:30"') from None
