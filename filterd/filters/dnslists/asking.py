"""The questions about one message, and what the answers add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from filterd.chain.replies import DELAY, LISTED
from filterd.chain.verdict import NO_OPINION, Action, Reply, Symbol, Verdict
from filterd.filters.dnslists.codes import CodeMeaning, Table, meanings, packed
from filterd.filters.dnslists.health import TEST_ADDRESS, TEST_NAME, ListHealth
from filterd.filters.dnslists.known import ADDRESSES, OF_CLIENT, About
from filterd.filters.dnslists.settings import DnsList, DnsListsSettings
from filterd.filters.dnslists.subjects import Subject, subject_of
from filterd.filters.dnslists.symbols import LIMIT, UNANSWERED, received_name
from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.names import reversed_address

DETAIL_VALUES = 5
"""Listed names and addresses that a symbol's detail has."""

ADDRESSES_LIMIT = 4
"""Addresses of one name that are asked about."""

_OURS = frozenset({DnsStatus.LIMIT, DnsStatus.UNREACHABLE, DnsStatus.INVALID})
"""Failures that say nothing of the list."""


@dataclass(frozen=True, slots=True, eq=False)
class ListInUse:
    """A list of the settings with what is computed once."""

    own: DnsList
    zone: str
    table: Table
    unnamed: CodeMeaning | None
    health: ListHealth
    asked: frozenset[About]
    ipv6: bool
    url_addresses: bool

    def takes(self, subject: Subject, about: About) -> bool:
        """Whether it is asked about such: some lists take no IPv6, or no addresses where others
        have names."""
        if not subject.version:
            return True
        taken = self.url_addresses or self.own.resolve or about in ADDRESSES
        return taken and (subject.version == 4 or self.ipv6)


class _ListQuestion(NamedTuple):
    """value: what it is about, as people read it. name: what is asked. point: the test point that
    the list must have passed."""

    list: ListInUse
    about: About
    value: str
    name: str
    point: str


@dataclass(slots=True)
class _Hit:
    points: float
    reply: Reply
    abouts: set[About] = field(default_factory=set)
    values: dict[str, None] = field(default_factory=dict)


class Asking:
    """The questions of one message, or of one SMTP session: say with `about` what to ask, `begin`,
    and take the `verdict` late."""

    def __init__(
        self, lookups: DnsLookups, settings: DnsListsSettings, exempt: frozenset[str]
    ) -> None:
        self._lookups = lookups
        self._settings = settings
        self._exempt = exempt
        self._questions: dict[tuple[str, About, ListInUse], _ListQuestion] = {}
        self._tests: dict[tuple[str, str], tuple[ListHealth, str]] = {}
        self._unanswered: dict[str, str] = {}
        self._left_out = False
        self._limit = ""
        self._names: list[str] = []
        self._to_resolve: list[tuple[ListInUse, About, str]] = []
        self._subjects: dict[str, Subject | None] = {}

    def about(self, lists: Iterable[ListInUse], about: About, values: Sequence[str]) -> None:
        """Ask those lists about the values that want to know about such, with `begin`."""
        lists = [one for one in lists if about in one.asked]
        if not lists:
            return
        subjects = [found for value in values if (found := self._subject(value)) is not None]
        for one in lists:
            for subject in subjects:
                if not one.takes(subject, about):
                    continue
                why = one.health.resting
                if why:
                    self._unanswered[one.zone] = why
                    self._left_out = True
                    break
                if one.own.resolve and not subject.version:
                    self._to_resolve.append((one, about, subject.whole))
                    self._names.append(subject.whole)
                else:
                    self._ask(one, about, subject)

    def _ask_resolved(self) -> None:
        """Ask about the addresses that names lead to. Private ones are asked about by nobody.

        Names are waited for half of the time: a sender's silent name server must not take that of
        the lists.
        """
        half = self._lookups.restart() if self._to_resolve else 0.0
        for one, about, name in self._to_resolve:
            answer = self._lookups.answer(name, RecordType.A, until=half)
            if answer.failed:
                self._unanswered[name] = answer.detail or str(answer.status)
            for address in answer.texts[:ADDRESSES_LIMIT]:
                subject = subject_of(address, self._exempt)
                if subject is not None and one.takes(subject, about):
                    self._ask(one, about, subject._replace(shown=f"{name} at {subject.shown}"))
        self._to_resolve = []
        self.begin()

    def _subject(self, value: str) -> Subject | None:
        if value not in self._subjects:
            self._subjects[value] = subject_of(value, self._exempt)
        return self._subjects[value]

    def begin(self) -> None:
        """Put the questions."""
        self._lookups.start_all((name, RecordType.A) for name in self._names)
        self._names = []

    def restart(self) -> None:
        """The time of the questions counts from now on."""
        self._lookups.restart()

    def limited(self, text: str) -> None:
        """Note that not everything is asked about."""
        self._limit = text

    def _ask(self, one: ListInUse, about: About, subject: Subject) -> None:
        is_name = not subject.version
        point = TEST_NAME if is_name else TEST_ADDRESS
        if one.health.needs_test(point):
            test = f"{point if is_name else reversed_address(point)}.{one.zone}"
            self._tests[(one.zone, point)] = one.health, test
            self._names.append(test)
        name = f"{subject.whole if one.own.whole_names else subject.labels}.{one.zone}"
        if (name, about, one) not in self._questions:
            shown = subject.whole if is_name and one.own.whole_names else subject.shown
            self._questions[(name, about, one)] = _ListQuestion(one, about, shown, name, point)
            self._names.append(name)

    def verdict(self, *, of_relay: bool = False) -> Verdict:
        """Wait for the answers, and add up what they mean.

        of_relay: a trusted relay has the mail already, and would have to send a bounce to whoever
        is the sender; so nothing is refused for who its client is. Raises OSError if no list at all
        answered and the settings want one to.
        """
        self.begin()
        self._ask_resolved()
        answers = [
            (question, self._lookups.answer(question.name, RecordType.A))
            for question in self._questions.values()
        ]
        self._take_tests()
        hits: dict[str, _Hit] = {}
        allowed = ""
        answered = 0
        for question, answer in answers:
            found = self._meanings(question, answer)
            answered += found is not None
            for meaning in found or ():
                about = question.about
                if about != "client" and (meaning.client_only or meaning.praises):
                    continue
                if meaning.allows:
                    allowed = meaning.symbol
                self._note(hits, meaning, question)
        if self._settings.must_answer and (answers or self._left_out) and not answered:
            told = "; ".join(f"{zone}: {why}" for zone, why in self._unanswered.items())
            raise OSError(f"no DNS list answers: {told}")
        symbols = [*_symbols(hits, allowed), *self._remarks()]
        if not symbols:
            return NO_OPINION
        action, reply, cause = Action.ACCEPT, None, ""
        for name, hit in hits.items():
            if _is_outweighed(hit, allowed) or (of_relay and hit.abouts.issubset(OF_CLIENT)):
                continue
            if name in self._settings.reject and action is not Action.REJECT:
                action, reply, cause = Action.REJECT, hit.reply, name
            elif name in self._settings.tempfail and action is Action.ACCEPT:
                action, reply, cause = Action.TEMPFAIL, DELAY, name
        because = next((f"{cause} ({s.cause})" for s in symbols if s.name == cause), "")
        return Verdict(action, tuple(symbols), reply=reply, because=because)

    def _take_tests(self) -> None:
        for health, test in self._tests.values():
            answer = self._lookups.answer(test, RecordType.A)
            point = TEST_NAME if test.startswith(TEST_NAME) else TEST_ADDRESS
            if answer.status is DnsStatus.FOUND:
                health.refused(f"it lists {point}, which no list has (RFC 5782)")
            elif not answer.failed:
                health.passed(point)

    def _meanings(self, question: _ListQuestion, answer: DnsAnswer) -> list[CodeMeaning] | None:
        """What a list says; None if it does not answer, or cannot be believed."""
        one = question.list
        if answer.failed or answer.status is DnsStatus.INVALID:
            if self._is_to_blame(question, answer):
                one.health.failed(answer.detail or str(answer.status))
            if answer.failed:
                self._unanswered[one.zone] = answer.detail or str(answer.status)
                return None
            return []
        if answer.status is not DnsStatus.FOUND:
            one.health.answered()
            return []
        records = [found for found in map(packed, answer.records) if found is not None]
        found = meanings(records, one.table, one.unnamed)
        if any(not meaning.symbol for meaning in found):
            shown = ", ".join(".".join(map(str, record)) for record in records[:DETAIL_VALUES])
            why = f"it answers {shown}, which is an error of the list"
            one.health.refused(why)
            self._unanswered[one.zone] = why
            return None
        if not one.health.is_proven(question.point):
            self._unanswered[one.zone] = one.health.resting or "it did not pass its test"
            return None
        one.health.answered()
        return found

    def _is_to_blame(self, question: _ListQuestion, answer: DnsAnswer) -> bool:
        """Whether a failure tells against the list: not if the time was over as it was asked."""
        if answer.status is DnsStatus.TIMEOUT:
            return self._lookups.had_time(question.name, RecordType.A)
        return answer.status not in _OURS

    def _note(self, hits: dict[str, _Hit], meaning: CodeMeaning, question: _ListQuestion) -> None:
        about, value = question.about, question.value
        name, points = meaning.symbol, self._settings.scores.get(meaning.symbol, meaning.points)
        if about == "received":
            name = received_name(name)
            points = self._settings.scores.get(name, points * self._settings.received_share)
        if about != "client":
            points = max(points, 0.0)
        hit = hits.setdefault(name, _Hit(points, _reply(question)))
        hit.points = max(hit.points, points, key=abs)
        hit.abouts.add(about)
        hit.values[f"{value} ({about})"] = None

    def _remarks(self) -> Iterable[Symbol]:
        if self._unanswered:
            told = "; ".join(f"{zone}: {why}" for zone, why in self._unanswered.items())
            yield Symbol(UNANSWERED, 0.0, told)
        if self._limit:
            yield Symbol(LIMIT, 0.0, self._limit)


def _is_outweighed(hit: _Hit, allowed: str) -> bool:
    return bool(allowed) and hit.abouts == {"client"}


def _reply(question: _ListQuestion) -> Reply:
    """What a client is told. A zone may have the site's key in its name: then the known name."""
    own = question.list.own
    value = question.value if question.value.isascii() else "the sender"
    text = f"Service unavailable, {value[:100]} is listed by {own.like or own.zone}"
    return Reply(LISTED.code, LISTED.xcode, text, LISTED.kind)


def _symbols(hits: Mapping[str, _Hit], allowed: str) -> Iterable[Symbol]:
    for name, hit in hits.items():
        shown = list(hit.values)
        detail = ", ".join(shown[:DETAIL_VALUES])
        if len(shown) > DETAIL_VALUES:
            detail += f" and {len(shown) - DETAIL_VALUES} more"
        if hit.points > 0 and _is_outweighed(hit, allowed):
            yield Symbol(name, 0.0, f"{detail}; {allowed} outweighs it ({hit.points:+g} points)")
        else:
            yield Symbol(name, hit.points, detail)
