"""DKIM, verified before a body is changed, because the change breaks the signature.

Who reads the message later can no longer verify it; what was found while it was whole stands in
`Authentication-Results`. Where the filter `auth` verified it before, that is its work. Source: RFC
6376, RFC 8601.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filterd.chain.verdict import AddField
from filterd.message import Message
from filterd.message.authentication import Authentication

if TYPE_CHECKING:
    from filterd.auth.questions import DnsQuestions


def results(message: Message, host: str, questions: DnsQuestions) -> AddField | None:
    """The field to add to a message that is about to be changed; None if nobody signed it.

    host: the authserv-id.
    """
    from filterd.auth.dkim.verify import verify_dkim  # noqa: PLC0415  (cryptography)
    from filterd.auth.results import written  # noqa: PLC0415
    from filterd.auth.statements import results_of  # noqa: PLC0415

    checks = verify_dkim(message, questions)
    if not checks:
        return None
    found = results_of(Authentication(dkim=checks), host)
    return AddField("Authentication-Results", written(found))
