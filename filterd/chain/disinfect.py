"""Taking infected parts out of a message, where that can be done for sure."""

from __future__ import annotations

from filterd.chain.verdict import Edit, Verdict


def disinfecting(verdict: Verdict) -> tuple[Edit, ...] | None:
    """The edits that take all infected parts out, besides those of other filters; none for a part
    that one of these takes out. None if nobody can say that the message is clean then: a scanner
    did not find out where the virus is, or somebody else cuts something out of such a part or
    across its border.
    """
    if not verdict.infected:
        return None if verdict.virus else ()
    spans: list[tuple[int, int, bool, tuple[Edit, ...]]] = [
        *((part.start, -part.end, False, ()) for part in verdict.removed),
        *((one.part.start, -one.part.end, True, one.edits) for one in verdict.infected),
    ]
    edits: list[Edit] = []
    # By their start, and what is around others first: these go with it.
    reach, of_virus = 0, False
    for start, minus_end, is_infected, own in sorted(spans, key=lambda span: span[:3]):
        end = -minus_end
        if start >= reach:
            edits += own
        elif is_infected:
            if end > reach:
                return None
        elif of_virus:
            return None
        if end > reach:
            reach, of_virus = end, is_infected
    return tuple(edits)
