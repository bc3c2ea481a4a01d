"""VRFY and EXPN: what sendmail answers about an address."""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.cf.marks import octets
from filterd.mta.delivery.router import DeliveryError, Router
from filterd.mta.mail.address import to_octets
from filterd.mta.sendmail.recipient import QueuedRecipient
from filterd.mta.sendmail.replies import seven_bits
from filterd.mta.sendmail.router import RuleRouter
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


@dataclass(frozen=True, slots=True)
class RuleVerifier:
    """Answers VRFY and EXPN by the rules of a sendmail.cf: an argument may be a list. Blocking.

    Source: sendmail 8.17 `srvrsmtp.c` (printvrfyaddr).
    """

    host: str

    def __call__(self, router: Router, argument: str, expand: bool) -> SmtpReply:
        assert isinstance(router, RuleRouter)
        found = router.send_list(router.engine.session(of_client=True), expands=expand)
        try:
            parsed = [found.parse(member) for member in found.members(octets(argument))]
            for one in reversed(parsed):
                if not expand and found.is_alias(one):
                    found.all.append(one)
                    continue
                problem = found.problem_below(found.add(one))
                if problem is not None:
                    raise problem
        except DeliveryError as error:
            code = 451 if error.temporary else 550
            return SmtpReply.of(error.reply or f"{code} {error.code} {argument}... {error}")
        shown = [one for one in found.all if one.is_wanted]
        # sendmail's list is in order of hosts.
        shown.sort(key=lambda one: one.address.host)
        if not shown:
            verb = "EXPN" if expand else "VRFY"
            return SmtpReply.of(f"554 5.5.2 Nothing to {verb}")
        return SmtpReply(tuple(self._line(router, one, expand) for one in shown))

    def _line(self, router: RuleRouter, one: QueuedRecipient, expand: bool) -> bytes:
        mailer = router.engine.program.mailers.find(one.address.mailer)
        # 252: nobody here knows whether the address exists.
        verified = expand or mailer is None or "q" in mailer.flags
        user = one.address.user
        has_host = "@" in user or mailer is None or mailer.types[1].lower() not in ("", "rfc822")
        shown = user if has_host else f"{user}@{self.host}"
        said = f"{one.full_name} <{shown}>".lstrip()
        return to_octets(f"{250 if verified else 252} 2.1.5 {seven_bits(said)}")
