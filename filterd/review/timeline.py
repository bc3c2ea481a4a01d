"""What happened to one message, in order of time: it came, what was decided, what people did with
it, and what the MTA's log says of its delivery.

The one place that collects it, from the report, the journal and the log; pages, REST and commands
only show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from filterd.chain.report import ScanReport
from filterd.chain.sentence import sentence
from filterd.chain.verdict import Action, Outcome
from filterd.maillog.lines import DeliveryAttempt, LogLine, NewQueueId
from filterd.maillog.log import MailLog, MailLogAnswer
from filterd.quarantine.journal import Event
from filterd.system.display import count, size, when

NAMED = 3
"""Recipients that one step names."""

STEPS_LIMIT = 1000
"""Steps of one message, the newest ones besides the first two."""

_DECIDED = {
    Action.ACCEPT: "passed",
    Action.QUARANTINE: "held",
    Action.DISCARD: "discarded",
    Action.TEMPFAIL: "deferred",
    Action.REJECT: "refused",
}

Within = Callable[[Sequence[str]], Sequence[str]]
"""Those of some recipients that the reader may know."""


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """One thing that happened.

    time: seconds since 1970. source: `filterd`, `journal` (what people and filterd did with a kept
    message) or `log` (the MTA's). what: one word for it; of a line of the log the status. text: the
    rest in words. who: as the journal names people; of the log the program. recipients: those that
    the reader may know. queue_id: the MTA's. reply: what an MTA said. id: another message that this
    is about, such as the one that the released copy became. times: how often it was done in a row.
    """

    time: float
    source: str
    what: str
    text: str = ""
    who: str = ""
    recipients: tuple[str, ...] = ()
    queue_id: str = ""
    reply: str = ""
    id: str = ""
    times: int = 1

    def to_json(self) -> dict[str, Any]:
        """The step as a plain value, the time as ISO 8601 in UTC."""
        return {**asdict(self), "time": datetime.fromtimestamp(self.time, UTC).isoformat()}


@dataclass(frozen=True, slots=True)
class Timeline:
    """steps: oldest first. trouble: why the log cannot be read, in words."""

    steps: tuple[TimelineStep, ...]
    trouble: tuple[str, ...] = ()


def timeline(
    report: ScanReport,
    received: float,
    events: Iterable[Event],
    log: MailLog,
    within: Within = lambda recipients: recipients,
) -> Timeline:
    """The timeline of one message.

    report, events: as the reader may see them. received: seconds since 1970. within: which
    recipients the reader may know; by default all.
    """
    done = tuple(events)
    outcomes = [one for one in report.outcomes if not one.recipient or within([one.recipient])]
    first = (_came(report, received, within), _decided(report, received, outcomes))
    answer = _in_log(report, received, done, log)
    told = [
        *_together([_event(event, within) for event in done]),
        *filter(None, (_line(line, within) for line in answer.lines)),
    ]
    told.sort(key=_moment)
    return Timeline((*first, *told[-STEPS_LIMIT:]), answer.trouble)


def _came(report: ScanReport, received: float, within: Within) -> TimelineStep:
    sender = report.sender or "<>"
    text = f"from {sender}, client {report.client}, {size(report.size)}"
    return TimelineStep(
        received,
        "filterd",
        "received",
        text,
        recipients=tuple(within(report.recipients)),
        queue_id=report.queue_id,
    )


def _decided(report: ScanReport, received: float, outcomes: Sequence[Outcome]) -> TimelineStep:
    action = max((one.action for one in outcomes), default=report.action)
    what = _DECIDED[action]
    if action is Action.ACCEPT:
        what = "stripped" if report.removed else "labelled" if report.labelled else what
    text = sentence(report, outcomes)
    return TimelineStep(received, "filterd", what, text, id=report.released)


def _event(event: Event, within: Within) -> TimelineStep:
    id, text = "", event.note
    if event.what == "held_again":
        # The note begins with the new id.
        id, _, rest = event.note.partition(" ")
        text = rest.strip("()")
    if event.again_at:
        text += f"{'; ' if text else ''}next try {when(event.again_at)}"
    return TimelineStep(
        event.time,
        "journal",
        event.what.replace("_", " "),
        text,
        event.who,
        tuple(within(event.recipients)),
        event.queue_id,
        event.reply,
        id,
    )


def _together(steps: Sequence[TimelineStep]) -> Iterable[TimelineStep]:
    """Who looks several times in a row has one step, at the last time."""
    last: TimelineStep | None = None
    for step in steps:
        is_again = last is not None and replace(step, time=0.0) == replace(last, time=0.0, times=1)
        if last is not None and is_again and step.what == "viewed":
            last = replace(step, times=last.times + 1)
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last


def _in_log(
    report: ScanReport, received: float, events: Sequence[Event], log: MailLog
) -> MailLogAnswer:
    """What the log says of the queue id under which it came, and of those that releases got."""
    ids = {report.queue_id: received}
    for event in events:
        if event.queue_id and event.what == "released":
            ids.setdefault(event.queue_id, event.time)
    return log.about(ids)


def _line(line: LogLine, within: Within) -> TimelineStep | None:
    """A line of the log; None for one about recipients whom the reader may not know."""
    if isinstance(line, NewQueueId):
        what = "report to the sender" if line.is_report else "copy"
        text = f"under the queue id {line.new_id}"
        return TimelineStep(line.time, "log", what, text, line.program, (), line.queue_id)
    recipients = tuple(within(line.recipients))
    if line.original and (own := tuple(within([line.original]))):
        recipients = tuple(dict.fromkeys((*own, *recipients)))
    if not recipients:
        return None
    return TimelineStep(
        line.time,
        "log",
        line.status,
        _attempt(line),
        line.program,
        recipients,
        line.queue_id,
        line.reply,
    )


def _attempt(line: DeliveryAttempt) -> str:
    told = (
        f"by {line.relay}" if line.relay and line.relay != "none" else "",
        f"dsn {line.dsn}" if line.dsn else "",
        f"after {line.delay:g} s" if line.delay is not None else "",
        f"TLS {line.tls}" if line.tls else "",
    )
    return ", ".join(filter(None, told))


def _moment(step: TimelineStep) -> float:
    """The time; of a line of a log with whole seconds the end of its second."""
    return step.time + (step.source == "log" and step.time == int(step.time))


def in_words(step: TimelineStep) -> str:
    """A step as one line of text, without its time."""
    named = ", ".join(step.recipients[:NAMED])
    more = len(step.recipients) - NAMED
    told = (
        f"by {step.who}" if step.who and step.source == "journal" else "",
        f"({step.who})" if step.who and step.source == "log" else "",
        f"{step.times} times" if step.times > 1 else "",
        f"for {named}" + (f" and {count(more, 'more', 'more')}" if more > 0 else "")
        if named
        else "",
    )
    head = " ".join((step.what, *filter(None, told)))
    tail = (
        step.text,
        step.reply,
        f"queue-id {step.queue_id}" if step.queue_id and step.source != "log" else "",
        f"id {step.id}" if step.id else "",
    )
    return ": ".join(filter(None, (head, "; ".join(filter(None, tail)))))
