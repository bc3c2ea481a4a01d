"""VRFY and EXPN: what sendmail answers about an address."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.delivery.router import DeliveryError, Router
from filterd.mta.mail.address import to_octets
from filterd.mta.smtp.replies import SmtpReply


@dataclass(frozen=True, slots=True)
class AddressVerifier:
    """Answers VRFY and EXPN. host: the MTA's name."""

    host: str

    def __call__(self, router: Router, argument: str, expand: bool) -> SmtpReply:
        """The reply to VRFY, or with `expand` to EXPN."""
        address = argument.strip("<> ")
        try:
            route = router.resolve(address)
            # An alias is shown by its own name, in the lower case that it is looked up in.
            plain = route.user if "@" in route.user else route.user.partition("+")[0].lower()
            members = router.members(address) if expand else [plain]
        except DeliveryError as error:
            text = str(error) if "... " in str(error) else f"{address}... {error}"
            return SmtpReply.of(f"550 {error.code} {text}")
        # 252: the address is on another host, which is not asked.
        code = 252 if route.host and not expand else 250
        lines = (f"{code} 2.1.5 <{self._with_host(one)}>" for one in members)
        return SmtpReply(tuple(to_octets(line) for line in lines))

    def _with_host(self, name: str) -> str:
        return name if "@" in name or name[:1] in '/|"' else f"{name}@{self.host}"
