"""Apply a filter's changes to a draft, with sendmail's or Postfix's results.

Sources: sendmail 8.17 `milter.c` (milter_addheader … milter_replbody), Postfix 3.7
`cleanup_milter.c`; SENDMAIL counts and compares differently from Postfix, see `header`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from filterd.milter import replies
from filterd.mta.address import AddressError, parse_path
from filterd.mta.draft import Draft, Path

_KNOWN_RCPT = ("NOTIFY", "ORCPT")
_KNOWN_MAIL = ("RET", "ENVID", "SIZE", "BODY", "AUTH", "BY", "MT-PRIORITY", "SMTPUTF8")

Same = Callable[[str, str], bool]
"""Whether two addresses are one recipient."""


def same_for_sendmail(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def same_for_postfix(one: str, other: str) -> bool:
    """The local part counts as it is spelled, the domain does not."""
    left, right = one.rpartition("@"), other.rpartition("@")
    return left[0] == right[0] and left[2].lower() == right[2].lower()


def apply(edit: replies.Edit, draft: Draft, *, verbatim: bool, same: Same) -> str:
    """Change the draft; return what was done, for the log, or why it was not.

    A body comes in chunks and is not handled here. verbatim: HDR_LEADSPC is in force.
    """
    match edit:
        case replies.AddHeader(name, value):
            draft.header.add(name, value, verbatim=verbatim)
            return f"add header {_shown(name)}"
        case replies.InsertHeader(index, name, value):
            draft.header.insert(index, name, value, verbatim=verbatim)
            return f"insert header {_shown(name)} at {index}"
        case replies.ChangeHeader(index, name, value):
            draft.header.change(index, name, value, verbatim=verbatim)
            return f"{'change' if value else 'delete'} header {_shown(name)} {index}"
        case replies.Quarantine(reason):
            draft.quarantine = _shown(reason)
            return f"quarantine: {draft.quarantine}"
        case replies.AddRecipient(address, parameters):
            return _add_recipient(draft, address, parameters, same)
        case replies.DeleteRecipient(address):
            return _delete_recipient(draft, address, same)
        case replies.ChangeSender(address, parameters):
            return _change_sender(draft, address, parameters)
    return "nothing"


def _shown(value: bytes) -> str:
    """A filter's octets as one printable line."""
    return re.sub(r"[^ -~]", "?", value.decode("ascii", "replace"))


def _parameters(text: bytes, known: tuple[str, ...] | None) -> tuple[str, ...]:
    """ESMTP parameters. known: those of the command, None to take what is known and no more.

    Raises AddressError for one that this command does not have.
    """
    words = tuple(text.decode("ascii", "replace").split())
    if known is None:
        return tuple(word for word in words if word.partition("=")[0].upper() in _KNOWN_RCPT)
    for word in words:
        if word.partition("=")[0].upper() not in known:
            raise AddressError("5.5.4", f"{word} parameter unrecognized")
    return words


def _add_recipient(draft: Draft, address: bytes, parameters: bytes, same: Same) -> str:
    text = address.decode("ascii", "surrogateescape")
    try:
        parsed = parse_path(text)
        words = _parameters(parameters, _KNOWN_RCPT if same is same_for_sendmail else None)
    except AddressError as error:
        if error.code == "5.1.3" and same is same_for_sendmail:
            # sendmail queues it, and the sender hears of it in a report.
            draft.recipients.append(Path(text.strip().removeprefix("<").removesuffix(">"), text))
        return f"recipient {_shown(address)} not added: {error}"
    if not parsed:
        return "recipient not added: empty address"
    if not any(same(parsed, known.address) for known in draft.recipients):
        draft.recipients.append(Path(parsed, f"<{parsed}>", words))
    return f"add recipient {_shown(address)}"


def _delete_recipient(draft: Draft, address: bytes, same: Same) -> str:
    try:
        parsed = parse_path(address.decode("ascii", "surrogateescape"))
    except AddressError as error:
        return f"recipient {_shown(address)} not deleted: {error}"
    draft.recipients = [one for one in draft.recipients if not same(parsed, one.address)]
    return f"delete recipient {_shown(address)}"


def _change_sender(draft: Draft, address: bytes, parameters: bytes) -> str:
    try:
        parsed = parse_path(address.decode("ascii", "surrogateescape"))
        words = _parameters(parameters, _KNOWN_MAIL)
    except AddressError as error:
        return f"sender not changed to {_shown(address)}: {error}"
    draft.sender = Path(parsed, f"<{parsed}>", words or draft.sender.parameters)
    return f"change sender to {_shown(address)}"
