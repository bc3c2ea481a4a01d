"""A trivial filter on libmilter, `python tagging_filter.py SOCKET`: proves the fixtures alone.

It adds a field to every message and refuses one recipient; everything else of a test's failure
must then be ours.
"""

from __future__ import annotations

import sys

import Milter


class TaggingFilter(Milter.Base):  # type: ignore[misc]  # pymilter has no types
    """Adds `X-Tagged: yes`; refuses recipients whose address begins with `refused`."""

    def envrcpt(self, recipient: str, *parameters: str) -> int:
        if recipient.startswith("<refused"):
            self.setreply("550", "5.1.1", "nobody of that name")
            return int(Milter.REJECT)
        return int(Milter.CONTINUE)

    def eom(self) -> int:
        self.addheader("X-Tagged", "yes")
        return int(Milter.CONTINUE)


if __name__ == "__main__":
    Milter.factory = TaggingFilter
    Milter.set_flags(Milter.ADDHDRS)
    Milter.runmilter("tagging", sys.argv[1], 60)
