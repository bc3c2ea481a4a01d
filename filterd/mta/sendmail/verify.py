"""VRFY and EXPN: what a server tells of an address."""

from __future__ import annotations

from typing import Protocol

from filterd.mta.delivery.router import DeliveryError, Router
from filterd.mta.settings import MtaSettings
from filterd.mta.smtp.replies import Reply


class Addresses(Protocol):
    """The part of a site that knows addresses."""

    @property
    def settings(self) -> MtaSettings: ...
    @property
    def router(self) -> Router: ...


def verify(site: Addresses, argument: str, *, expand: bool) -> Reply:
    """The reply to VRFY, or with `expand` to EXPN."""
    address = argument.strip("<> ")
    host = site.settings.hostname
    if site.settings.flavour == "postfix":
        return Reply.of(f"252 2.0.0 {address}")
    try:
        route = site.router.resolve(address)
        # An alias is verified by its own name, in the lower case that it is looked up in.
        plain = route.user if "@" in route.user else route.user.partition("+")[0].lower()
        found = site.router.members(address) if expand else [plain]
    except DeliveryError as error:
        named = str(error) if "... " in str(error) else f"{address}... {error}"
        return Reply.of(f"550 {error.code} {named}")
    whole = [one if "@" in one or one[:1] in '/|"' else f"{one}@{host}" for one in found]
    # 252: known to be elsewhere, not looked up there.
    code = 252 if route.host and not expand else 250
    lines = (f"{code} 2.1.5 <{one}>" for one in whole)
    return Reply(tuple(line.encode("ascii", "surrogateescape") for line in lines))
