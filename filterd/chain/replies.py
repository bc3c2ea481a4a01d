"""Replies to SMTP clients when mail is refused or deferred: the defaults, and how settings change
them.

Sources: RFC 5321 §4.2, §4.5.3.1.5; RFC 3463 §2 (the class of the enhanced code is the code's); RFC
7372 §3.3 (5.7.26).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from filterd.chain.verdict import Reply

TEXT_LIMIT = 400
"""Characters of a text. A reply line has at most 512 octets (RFC 5321 §4.5.3.1.5), and the code and
the message's id need some of them."""

SPAM = Reply(550, "5.7.1", "Message refused as spam", "spam")
POLICY = Reply(550, "5.7.1", "Message refused by policy", "policy")
VIRUS = Reply(554, "5.7.0", "Message refused, it contains a virus", "virus")
BANNED = Reply(550, "5.7.1", "Message refused, an attachment's type is not accepted", "banned")
SCANNER_LIMIT = Reply(
    554, "5.7.0", "Message refused, the virus scanner cannot cope with it", "scanner_limit"
)
SCANNER_SIZE = Reply(
    552, "5.3.4", "Message refused, it is too large for the virus scanner", "scanner_size"
)
SIZE = Reply(552, "5.3.4", "Message is too large", "size")
HEADER = Reply(552, "5.3.4", "Message header is too large", "header")
RECIPIENTS = Reply(552, "5.5.3", "Too many recipients", "recipients")
TROUBLE = Reply(451, "4.3.0", "Message could not be checked, please try again later", "trouble")
BUSY = Reply(451, "4.3.0", "Too busy to check the message, please try again later", "busy")
DELAY = Reply(451, "4.7.1", "Message not accepted now, please try again later", "delay")
GREYLIST = Reply(451, "4.7.1", "Greylisted, please try again later", "greylist")
RATE = Reply(451, "4.7.1", "Too much mail for now, please try again later", "rate")
LISTED = Reply(554, "5.7.1", "Service unavailable, the client or sender is listed", "listed")
RECIPIENT = Reply(550, "5.1.1", "User unknown", "recipient")
DMARC = Reply(
    550, "5.7.26", "Message refused by DMARC: it is not proven to come from whom it says", "dmarc"
)
HARVEST = Reply(450, "4.7.1", "Too many unknown recipients, please try again later", "harvest")

DEFAULTS: Mapping[str, Reply] = {
    one.kind: one
    for one in (
        SPAM,
        POLICY,
        VIRUS,
        BANNED,
        SCANNER_LIMIT,
        SCANNER_SIZE,
        SIZE,
        HEADER,
        RECIPIENTS,
        TROUBLE,
        BUSY,
        DELAY,
        GREYLIST,
        RATE,
        LISTED,
        RECIPIENT,
        HARVEST,
        DMARC,
    )
}
"""Every reply by the name that settings give it."""

_REPLY = re.compile(r"([0-9]{3}) ([0-9]+\.[0-9]+\.[0-9]+) (.*)", re.DOTALL)
_CODE = re.compile(r"[45][0-5][0-9]")
_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}")
_TEXT = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class ReplyError(ValueError):
    """A reply that no client could be told; the text says what was expected."""


def parse(kind: str, text: str) -> Reply:
    """The reply of that name, written as `550 5.7.1 Message refused as spam`.

    Raises ReplyError for an unknown name, another form, a code of the other class than the
    default's, and for a text that is empty, long or not printable ASCII.
    """
    default = DEFAULTS.get(kind)
    if default is None:
        raise ReplyError(f"{kind!r} is not the name of a reply; expected {', '.join(DEFAULTS)}")
    example = f'expected "{default.code} {default.xcode} {default.text}" or similar'
    found = _REPLY.fullmatch(text)
    if found is None:
        raise ReplyError(f"{text!r} is not code, enhanced code and text; {example}")
    code, enhanced, words = found.groups()
    kind_of_code = str(default.code)[0]
    if not _CODE.fullmatch(code) and code[0] == kind_of_code:
        raise ReplyError(f"code {code} is not an SMTP reply code; {example}")
    if code[0] != kind_of_code:
        why = "the client is to try again" if kind_of_code == "4" else "the message is refused"
        raise ReplyError(f"code {code} is not {kind_of_code}xx, although {why}; {example}")
    if not _ENHANCED.fullmatch(enhanced) and enhanced[0] == kind_of_code:
        raise ReplyError(f"{enhanced} is not an enhanced status code; {example}")
    if enhanced[0] != kind_of_code:
        raise ReplyError(
            f"enhanced code {enhanced} is not {kind_of_code}.x.x as the code is; {example}"
        )
    if not _TEXT.fullmatch(words):
        raise ReplyError(f"the text {words!r} is not one line of printable ASCII; {example}")
    if len(words) > TEXT_LIMIT:
        raise ReplyError(f"the text has {len(words)} characters; expected at most {TEXT_LIMIT}")
    return Reply(int(code), enhanced, words, kind)


def chosen(settings: Mapping[str, str], default: Reply) -> Reply:
    """What these settings, checked before, say in place of a default."""
    text = settings.get(default.kind)
    return default if text is None else parse(default.kind, text)
