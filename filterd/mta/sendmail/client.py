"""The options of a sendmail.cf for connections to other hosts."""

from __future__ import annotations

from filterd.mta.cf.config import SendmailCf
from filterd.mta.delivery.relay import ClientOptions


def client_options(cf: SendmailCf) -> ClientOptions:
    return ClientOptions(
        fallback=cf.option("FallbackMXhost").strip(),
        last_resort=cf.option("FallbackSmartHost").strip(),
        only_to=cf.option("ConnectOnlyTo").strip().strip("[]"),
        source=_source(cf.option("ClientPortOptions")),
    )


def _source(text: str) -> str:
    """The address in `Family=inet, Addr=192.0.2.1`; first letters count."""
    for one in text.split(","):
        key, _, value = one.strip().partition("=")
        if key[:1] == "A":
            return value.strip()
    return ""
