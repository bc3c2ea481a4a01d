"""Whether filterd would take what an authenticating filter before it says for a forgery."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level

_AUTHENTICATOR = re.compile(r"dkim|dmarc|spf|openarc|authentication", re.IGNORECASE)
"""Names or sockets of filters that add Authentication-Results: OpenDKIM, OpenDMARC and the like."""


def before_us(settings: Settings, about: str, filters: Sequence[str]) -> Iterator[Finding]:
    """filters: names or sockets of those that the MTA asks before filterd."""
    found = [one for one in filters if _AUTHENTICATOR.search(one)]
    labels = settings.labels
    if labels.remove_forged and labels.trusted_results < len(found):
        yield Finding(
            Level.WARN,
            about,
            f"{', '.join(found)} runs before filterd, which removes its Authentication-Results as "
            "forged",
            f"set trusted_results = {len(found)} in [labels], or ask filterd first",
        )
