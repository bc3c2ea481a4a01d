"""What the MTA itself checks at each command, before its filters are asked.

An MTA without rules consents to everything: `SessionChecks` does. `sendmail.checks` asks
the rulesets of a sendmail.cf.
"""

from __future__ import annotations

from dataclasses import dataclass

from filterd.mta.mail.address import Route
from filterd.mta.mail.draft import EnvelopePath
from filterd.mta.smtp.replies import SmtpReply


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """What a check says.

    reply: the refusal, None for none. discard: take the message, and drop it. quarantine: why the
    message is to be held, None if it is not.
    """

    reply: SmtpReply | None = None
    discard: bool = False
    quarantine: str | None = None


CONSENT = CheckVerdict()


class SessionChecks:
    """The checks of one session. Methods are called in the order of the session.

    decide_relaying: they say who may send mail to other hosts; if not, the server does. `sender`,
    `mail` and `rcpt` may block: where the recipients do (`MessageRecipients.blocks`), all that is
    to be asked at one command is asked in one thread.
    """

    decide_relaying = False

    async def connected(self) -> CheckVerdict:
        """A client has connected. A refusal counts for the whole session; 421 ends it."""
        return CONSENT

    async def features(self, forbidden: frozenset[str]) -> frozenset[str] | SmtpReply:
        """What this client may not do, of what `SessionOptions.forbidden` knows.

        A reply refuses the whole session.
        """
        return forbidden

    async def greet_pause(self) -> float:
        """Seconds before the greeting; a client that does not wait for it is refused."""
        return 0.0

    async def secured(self, verified: str) -> CheckVerdict:
        """The TLS handshake is done. A refusal counts for the whole session."""
        del verified
        return CONSENT

    def begin(self) -> None:
        """A new message."""

    def sender(self, path: EnvelopePath) -> Route | SmtpReply | None:
        """The triple of the sender, or what is wrong with it; None for no opinion."""
        del path
        return None

    def mail(self, path: EnvelopePath) -> CheckVerdict:
        del path
        return CONSENT

    def rcpt(self, path: EnvelopePath, route: Route) -> CheckVerdict:
        """route: the triple of the recipient before aliases."""
        del path, route
        return CONSENT

    async def data(self, recipients: int) -> CheckVerdict:
        """recipients: how many were accepted."""
        del recipients
        return CONSENT

    def room(self, size: int) -> SmtpReply | None:
        """The refusal of a message of `size` octets for which there is no room, else None."""
        del size
        return None

    def received(self, sender: EnvelopePath, data: bytes) -> bytes:
        """What is taken of the octets that came for a message of this sender."""
        del sender
        return data

    async def content(self, data: bytes) -> CheckVerdict:
        """The message was received, header and body, LF line ends."""
        del data
        return CONSENT

    async def verify(self, argument: str, *, expand: bool) -> SmtpReply | None:
        """VRFY, or with `expand` EXPN."""
        del argument, expand
        return None

    async def etrn(self, node: str) -> SmtpReply | None:
        del node
        return None
