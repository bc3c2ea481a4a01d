"""Taking infected parts out of a message, where that can be done for sure."""

from __future__ import annotations

from typing import NamedTuple

from filterd.chain.verdict import Edit, Verdict


class _Span(NamedTuple):
    """Octets that are taken out. edits: of an infected part; None where another filter does it."""

    start: int
    end: int
    edits: tuple[Edit, ...] | None


def disinfecting(verdict: Verdict) -> tuple[Edit, ...] | None:
    """The edits that take all infected parts out, besides those of other filters; none for a part
    that one of these takes out.

    None where no infected part is known, and where nobody can say that the message is clean then:
    another filter cuts something out of such a part or across its border.
    """
    if not verdict.infected:
        return None
    spans = [_Span(part.start, part.end, None) for part in verdict.removed]
    spans += [_Span(one.part.start, one.part.end, one.edits) for one in verdict.infected]
    # What is around others comes before them: they go with it.
    spans.sort(key=lambda span: (span.start, -span.end, span.edits is not None))
    edits: list[Edit] = []
    outer: _Span | None = None
    for span in spans:
        if outer is None or span.start >= outer.end:
            edits += span.edits or ()
            outer = span
        elif span.edits is None and outer.edits is not None:
            return None
        elif span.end > outer.end:
            if span.edits is not None:
                return None
            outer = span
    return tuple(edits)
