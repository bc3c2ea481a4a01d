"""The setting `flavour`: which MTA the server is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from filterd.mta.personality import Personality
from filterd.mta.postfix.personality import postfix
from filterd.mta.sendmail.personality import sendmail
from filterd.mta.settings import Flavour, MtaSettings

PERSONALITIES: Mapping[Flavour, Callable[[MtaSettings], Personality]] = {
    "sendmail": sendmail,
    "postfix": postfix,
}


def personality(settings: MtaSettings) -> Personality:
    """The personality of a server without a sendmail.cf."""
    return PERSONALITIES[settings.flavour](settings)
