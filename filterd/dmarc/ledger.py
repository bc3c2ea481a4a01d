"""Which report went to whom: entries in the state, so that hosts that share it send once.

Who is about to send a report claims it first, by an entry that only one can make. A process that
ends meanwhile leaves a claim that expires, and the report is sent then: it has the same id and the
same Message-ID, by which its receiver can see that it is the same (RFC 9990 §3.5.4).
"""

from __future__ import annotations

from filterd.state.facts import SharedState, state_key

CLAIM_SECONDS = 3600.0
"""For which a claim counts; an MTA may take ten minutes for each reply."""

KEPT_SECONDS = 90 * 86400.0
"""For which is known that a report was sent."""

KIND = "dmarc_report"

SENDING, SENT, REFUSED = "sending", "sent", "refused"


class ReportLedger:
    """Of one state. Times are seconds since 1970. Methods raise StateError."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def claim(self, id: str, address: str, now: float) -> str:
        """Take it upon oneself to send a report to an address: "" if that is so, else what became
        of it: `sending` (by somebody else), `sent` or `refused`."""
        key = state_key(KIND, id, address)
        (there,) = self._state.get([key], now)
        if there is not None:
            # Not touched: a host whose clock is behind would make it expire earlier.
            return there.value
        found = self._state.touch(key, now, CLAIM_SECONDS, SENDING)
        return "" if found.count == 1 else found.value

    def settle(self, id: str, address: str, outcome: str, now: float) -> None:
        """Note how it ended."""
        self._state.put(state_key(KIND, id, address), now, KEPT_SECONDS, outcome)

    def give_back(self, id: str, address: str) -> None:
        """It is to be tried again."""
        self._state.delete(state_key(KIND, id, address))
