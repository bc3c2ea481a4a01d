"""Settings `[digest]`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from annotated_doc import Doc
from annotated_types import Gt

from filterd.message.address import checked_domains
from filterd.quarantine.words import REASONS, known
from filterd.system.mistakes import mistakes


@dataclass(frozen=True)
class DigestSettings:
    """Settings `[digest]`."""

    enabled: Annotated[
        bool, Doc("let the daemon send each recipient a list of what is held for them")
    ] = False
    every_hours: Annotated[
        float, Gt(0), Doc("hours between two digests; an empty one is not sent")
    ] = 24.0
    at: Annotated[
        tuple[str, ...],
        Doc('local times of day at which digests are sent, e.g. "07:00"; then not by every_hours'),
    ] = ()
    sender: Annotated[str, Doc("From of the digest, e.g. postmaster@mx.example; must be set")] = ""
    envelope_sender: Annotated[str, Doc("who gets the bounce; empty: nobody (the null sender)")] = (
        ""
    )
    subject: Annotated[
        str, Doc("Subject of the digest, to which the number is added; empty: the template's")
    ] = ""
    language: Annotated[Literal["en", "de"], Doc("language of filterd's own templates")] = "en"
    domains: Annotated[
        tuple[str, ...], Doc("only recipients in these domains get digests; empty: all")
    ] = ()
    reasons: Annotated[
        tuple[str, ...], Doc("reasons of the messages that are listed; never virus")
    ] = ("spam", "dmarc")
    link_days: Annotated[float, Gt(0), Doc("days for which links in a digest are valid")] = 7.0
    templates: Annotated[
        Path | None,
        Doc("folder with digest.txt and digest.html of your own (Jinja2); unset: filterd's"),
    ] = None

    def __post_init__(self) -> None:
        with mistakes() as wrong:
            with wrong.at("sender"):
                if self.enabled and "@" not in self.sender:
                    raise ValueError(
                        f'{self.sender!r} is not an address; expected "postmaster@mx.example"'
                    )
            for index, text in enumerate(self.at):
                with wrong.at("at", index):
                    _check_time(text)
            for index, text in enumerate(self.domains):
                with wrong.at("domains", index):
                    checked_domains([text])
            for index, reason in enumerate(self.reasons):
                with wrong.at("reasons", index):
                    _check_reason(reason)


def _check_time(text: str) -> None:
    try:
        time.fromisoformat(text)
    except ValueError:
        raise ValueError(f'{text!r} is not a time of day; expected "07:00"') from None


def _check_reason(reason: str) -> None:
    try:
        known("reasons", reason, REASONS)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("reasons: ")) from None
    if reason == "virus":
        raise ValueError('"virus" is never listed; a recipient cannot release it')
