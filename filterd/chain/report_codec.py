"""How reports are written as plain values, which `json` takes, and read again.

What is read may be the word of a worker that a message has taken over, or a file that somebody else
wrote: every value is of its type, or the report is refused as a whole. What else an answer must
keep to before it is acted on is checked in `filterd.workers.codec`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from filterd.chain.report import ScanReport

_DETAILS = {"details": True}


class ReportError(ValueError):
    """A value that is not a report; the text says which field, and what was expected."""


R = TypeVar("R", bound=ScanReport)


class Codec(Generic[R]):
    """How one kind of report is written and read as plain values: what `json` takes.

    without: fields that are not written, since the reader knows them.
    """

    def __init__(self, kind: type[R], without: Collection[str] = ()) -> None:
        self._adapter: TypeAdapter[R] = TypeAdapter(kind)
        self._without = {*without}
        self._without_outcomes = {*without, "outcomes"}

    def plain(self, report: R, *, details: bool = True) -> dict[str, Any]:
        """All fields as plain values. details: of the symbols, which may take time to find out."""
        context = _DETAILS if details else None
        found: dict[str, Any] = self._adapter.dump_python(
            report, exclude=self._without, context=context, warnings=False
        )
        return found

    def sparse(self, report: R, *, details: bool = True) -> dict[str, Any]:
        """The same without what is as its default says, and with one outcome that names no
        recipient where all are alike: of a hundred thousand recipients that is short."""
        found: dict[str, Any] = self._adapter.dump_python(
            report,
            exclude=self._without_outcomes,
            exclude_defaults=True,
            context=_DETAILS if details else None,
            warnings=False,
        )
        outcomes = report.outcomes
        if len({(one.action, one.rule) for one in outcomes}) == 1:
            outcomes = (replace(outcomes[0], recipient=""),)
        if outcomes:
            found["outcomes"] = [
                {"recipient": one.recipient, "action": one.action, "rule": one.rule}
                for one in outcomes
            ]
        return found

    def read(self, value: dict[str, Any]) -> R:
        """The report of what `plain` or `sparse` returned; what is missing is as its default says,
        and names of no field are passed over. Raises ReportError."""
        try:
            return self._adapter.validate_python(_spelled_out(value))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ReportError(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _spelled_out(value: dict[str, Any]) -> dict[str, Any]:
    """The value with an outcome for each recipient, where it has one for all."""
    outcomes, recipients = value.get("outcomes"), value.get("recipients")
    if recipients and isinstance(outcomes, list) and len(outcomes) == 1:
        (one,) = outcomes
        if isinstance(one, dict) and one.get("recipient") == "":
            each = [{**one, "recipient": to} for to in dict.fromkeys(recipients)]
            return {**value, "outcomes": each}
    return value


_WHOLE = Codec(ScanReport)


def plain(report: ScanReport) -> dict[str, Any]:
    """The whole report as `scan --json` and REST show it."""
    value = _WHOLE.plain(report)
    value["ms"] = value.pop("milliseconds")
    value["virus"] = report.virus or None
    return value
