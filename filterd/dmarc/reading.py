"""Reading the XML of an aggregate report, which comes from strangers.

The reader is expat, without anything that XML could refer to: a document type
is refused, and with it every entity; nothing is fetched. Size, depth, elements, records and texts
are limited, and what no RFC knows is passed over. Element names count without their namespace:
many senders of today write the elements of RFC 7489 with or without one.
Source: RFC 9990 §3.1 and its schema; RFC 7489 appendix C.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from filterd.dmarc.feedback import (
    AggregateReport,
    DkimResult,
    OverrideReason,
    PolicyPublished,
    ReportRecord,
    SpfResult,
)
from filterd.message.envelope import ip
from filterd.system.display import printable

XML_LIMIT = 32 << 20
"""Octets of one report, unpacked. Large senders cut theirs at 10 to 25 MB."""

DEPTH_LIMIT = 16
"""Elements inside of each other; RFC 9990 has seven, extensions may add some."""

RECORDS_LIMIT = 50_000
"""Records of one report."""

CHILDREN_LIMIT = 1000
"""Elements in one record, or in all that is not in a record, at any depth."""

TEXT_LIMIT = 500
"""Characters of a text that are kept."""

WORD_LIMIT = 40
"""Characters of a word of the schema, known or not."""

COUNT_LIMIT = 10**12
"""Messages of one record; more is nonsense."""

TIME_LIMIT = 253_402_300_799
"""The last second of the year 9999."""

ENCODINGS = frozenset({"utf-8", "us-ascii", "ascii", "iso-8859-1", "utf-16", "windows-1252"})
"""Encodings that a report may say it has; all are read in time linear to the text."""

PROLOG_LIMIT = 1 << 16
"""Octets within which the root element begins."""


class AggregateReportError(ValueError):
    """What is not an aggregate report, or one that cannot be used: where, and what was expected."""


@dataclass(slots=True)
class _Node:
    """One element: its text, cut, and those inside of it."""

    name: str
    line: int
    text: str = ""
    children: list[_Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[_Node]:
        return (child for child in self.children if child.name == name)

    def filled(self, name: str) -> Iterator[_Node]:
        """Those of that name with elements in them; without any they say nothing."""
        return (child for child in self.all(name) if child.children)

    def one(self, name: str) -> _Node:
        """The first of that name, an empty one where there is none."""
        return next(self.all(name), _Node(name, self.line))

    def said(self, name: str) -> str:
        """The text of the first of that name, as people may see it."""
        return printable(self.one(name).text.strip(), TEXT_LIMIT)

    def word(self, name: str) -> str:
        return self.said(name).lower()[:WORD_LIMIT]

    def domain(self, name: str) -> str:
        return self.said(name).lower().rstrip(".")

    def number(self, name: str, limit: int) -> int:
        """Raises AggregateReportError."""
        text = self.one(name).text.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text) <= limit):
            raise AggregateReportError(
                f"line {self.one(name).line}: {name} is {printable(text, WORD_LIMIT)!r}, "
                f"expected a number up to {limit}"
            )
        return int(text)


class _ReportReader:
    """Takes expat's events. Whole subtrees are kept only of the head, and of one record at a
    time."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.ExternalEntityRefHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.namespace = ""
        self.records: list[ReportRecord] = []
        self.head = _Node("feedback", 1)
        self.has_root = False
        self._path: list[_Node] = []
        self._in_head = self._in_record = 0

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding or "utf-8").lower() not in ENCODINGS:
            raise AggregateReportError(
                f"its encoding is {printable(encoding or '', WORD_LIMIT)}, expected UTF-8"
            )

    def _doctype(self, *_values: Any) -> int:
        raise AggregateReportError("has a document type or entities, which no report needs")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        line = self.parser.CurrentLineNumber
        if not self._path:
            if local != "feedback":
                raise AggregateReportError(
                    f"line {line}: the root element is {printable(local, WORD_LIMIT)}, "
                    "expected feedback"
                )
            self.namespace = printable(namespace, TEXT_LIMIT)
            self._path.append(self.head)
            self.has_root = True
            return
        if len(self._path) >= DEPTH_LIMIT:
            raise AggregateReportError(f"line {line}: elements nest deeper than {DEPTH_LIMIT}")
        in_record = len(self._path) > 1 and self._path[1].name == "record"
        if in_record:
            self._in_record += 1
        elif len(self._path) > 1 or local != "record":
            self._in_head += 1
        if max(self._in_record, self._in_head) > CHILDREN_LIMIT:
            raise AggregateReportError(
                f"line {line}: more than {CHILDREN_LIMIT} elements in one part"
            )
        node = _Node(local[:WORD_LIMIT], line)
        self._path[-1].children.append(node)
        self._path.append(node)

    def _end(self, _name: str) -> None:
        node = self._path.pop()
        if len(self._path) == 1 and node.name == "record":
            self.head.children.pop()
            if len(self.records) >= RECORDS_LIMIT:
                raise AggregateReportError(f"more than {RECORDS_LIMIT} records")
            self.records.append(_record(node))
            self._in_record = 0

    def _text(self, text: str) -> None:
        node = self._path[-1]
        room = TEXT_LIMIT - len(node.text)
        if room > 0:
            node.text = (node.text + text[:room]) if node.text else text.lstrip()[:room]


def read_report(data: bytes) -> AggregateReport:
    """The report that an XML document is. Raises AggregateReportError."""
    if len(data) > XML_LIMIT:
        raise AggregateReportError(f"larger than {XML_LIMIT >> 20} MiB")
    reader = _ReportReader()
    data = data.lstrip()
    try:
        # By itself, since expat goes on to the end of what it was given, also after an exception: a
        # document type, and entities with it, can come before the root element only.
        reader.parser.Parse(data[:PROLOG_LIMIT], False)
        if not reader.has_root and len(data) > PROLOG_LIMIT:
            raise AggregateReportError(f"no element in the first {PROLOG_LIMIT} octets")
        # In one piece: before expat 2.6 a long token takes quadratic time in several.
        reader.parser.Parse(data[PROLOG_LIMIT:], True)
    except expat.ExpatError as error:
        raise AggregateReportError(
            f"line {error.lineno}, column {error.offset}: not XML: {expat.ErrorString(error.code)}"
        ) from None
    return _report(reader)


def _report(reader: _ReportReader) -> AggregateReport:
    head = reader.head
    metadata, published = head.one("report_metadata"), head.one("policy_published")
    dates = metadata.one("date_range")
    begin, end = dates.number("begin", TIME_LIMIT), dates.number("end", TIME_LIMIT)
    if end < begin:
        raise AggregateReportError(f"line {dates.line}: its time ends before it begins")
    if not published.domain("domain"):
        raise AggregateReportError(f"line {published.line}: policy_published names no domain")
    if not reader.records:
        raise AggregateReportError("has no record")
    return AggregateReport(
        organization=metadata.said("org_name"),
        email=metadata.said("email"),
        contact=metadata.said("extra_contact_info"),
        id=metadata.said("report_id"),
        begin=begin,
        end=end,
        errors=tuple(printable(one.text, TEXT_LIMIT) for one in metadata.all("error")),
        generator=metadata.said("generator"),
        policy=PolicyPublished(
            published.domain("domain"),
            p=published.word("p"),
            sp=published.word("sp"),
            np=published.word("np"),
            adkim=published.word("adkim"),
            aspf=published.word("aspf"),
            fo=published.word("fo"),
            testing=published.word("testing"),
            discovery=published.word("discovery_method"),
        ),
        records=tuple(reader.records),
        version=head.word("version"),
        namespace=reader.namespace,
    )


def _record(node: _Node) -> ReportRecord:
    row, identifiers, found = node.one("row"), node.one("identifiers"), node.one("auth_results")
    evaluated = row.one("policy_evaluated")
    text = row.one("source_ip").text.strip()
    # A zone, as in fe80::1%eth0, means nothing to others.
    source = ip(text.partition("%")[0])
    if source is None:
        raise AggregateReportError(
            f"line {row.one('source_ip').line}: source_ip is {printable(text, WORD_LIMIT)!r}, "
            "expected an address"
        )
    return ReportRecord(
        source=source,
        count=row.number("count", COUNT_LIMIT),
        disposition=evaluated.word("disposition"),
        dkim_passes=evaluated.word("dkim") == "pass",
        spf_passes=evaluated.word("spf") == "pass",
        header_from=identifiers.domain("header_from"),
        envelope_from=identifiers.domain("envelope_from"),
        envelope_to=identifiers.domain("envelope_to"),
        reasons=tuple(
            OverrideReason(one.word("type"), one.said("comment"))
            for one in evaluated.filled("reason")
        ),
        dkim=tuple(
            DkimResult(
                one.domain("domain"),
                one.said("selector"),
                one.word("result"),
                one.said("human_result"),
            )
            for one in found.filled("dkim")
        ),
        spf=tuple(
            SpfResult(
                one.domain("domain"),
                one.word("result"),
                one.word("scope"),
                one.said("human_result"),
            )
            for one in found.filled("spf")
        ),
    )
