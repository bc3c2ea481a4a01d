"""How reports are written as plain values, which `json` takes, and read again.

What is read may be the word of a worker that a message has taken over, or a file that somebody else
wrote: every value is of its type, or the report is refused as a whole. What else an answer must
keep to before it is acted on is checked in `filterd.workers.codec`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from filterd.chain.report import ReportForm, ScanReport
from filterd.system.bounded import json_value

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class ReportError(ValueError):
    """A value that is not a report; the text says which field, and what was expected."""


R = TypeVar("R", bound=ScanReport)


class Codec(Generic[R]):
    """How one kind of report is written and read, as plain values that `json` takes or as JSON.

    without: fields that are not written, since the reader knows them.
    """

    def __init__(self, kind: type[R], without: Collection[str] = ()) -> None:
        self._kind = kind
        self._without = {*without}

    def prepare(self) -> None:
        """Make now what reads and writes, which takes some hundredths of a second; else the first
        report waits for it. Commands that read none do without."""
        _ = self._validator, self._serializer

    @cached_property
    def _adapter(self) -> TypeAdapter[R]:
        return TypeAdapter(self._kind)

    # What each message needs is an attribute after the first one.
    @cached_property
    def _validator(self) -> Any:
        return self._adapter.validator

    @cached_property
    def _serializer(self) -> Any:
        return self._adapter.serializer

    def plain(self, report: R, form: ReportForm = ReportForm.WHOLE) -> dict[str, Any]:
        """The fields as plain values; but for the whole form without what is as its default
        says."""
        found: dict[str, Any] = self._serializer.to_python(
            report,
            exclude=self._without,
            exclude_defaults=form is not ReportForm.WHOLE,
            context=form,
            warnings=False,
        )
        return found

    def text(self, report: R) -> str:
        """The short form as JSON."""
        try:
            text: bytes = self._serializer.to_json(
                report,
                exclude=self._without,
                exclude_defaults=True,
                context=ReportForm.SHORT,
                warnings=False,
            )
            return text.decode()
        except ValueError:
            return written(self.plain(report, ReportForm.SHORT))

    def read(self, value: dict[str, Any]) -> R:
        """The report of what `plain` returned, which is changed; what is missing is as its default
        says, and names of no field are passed over. Raises ReportError."""
        _spell_out(value)
        try:
            found: R = self._validator.validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ReportError(f"{where}: {first['msg']}") from None
        return found


def written(value: object) -> str:
    """Plain values as JSON, in a fraction of the time that `json` takes."""
    try:
        return to_json(value).decode()
    except ValueError:
        # Lone surrogates, of octets of no charset, are not for it.
        return _ENCODER.encode(value)


def parsed(text: bytes | str) -> Any:
    """The value of a JSON text, as `json_value` has it, in half the time. Raises ValueError."""
    try:
        return from_json(text)
    except (ValueError, TypeError):
        # A TypeError is one about lone surrogates in the text itself.
        return json_value(text)


def _spell_out(value: dict[str, Any]) -> None:
    """Put an outcome for each recipient in, where there is one for all."""
    outcomes, recipients = value.get("outcomes"), value.get("recipients")
    if recipients and isinstance(outcomes, list) and len(outcomes) == 1:
        (one,) = outcomes
        if isinstance(one, dict) and one.get("recipient") == "":
            value["outcomes"] = [{**one, "recipient": to} for to in dict.fromkeys(recipients)]


_WHOLE = Codec(ScanReport)


def plain(report: ScanReport) -> dict[str, Any]:
    """The whole report as `scan --json` and REST show it."""
    value = _WHOLE.plain(report)
    value["ms"] = value.pop("milliseconds")
    value["virus"] = report.virus or None
    return value
