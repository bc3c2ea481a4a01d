"""HeaderEval, of big providers: mail that says it is theirs, and was not written by their servers.

Source: the descriptions of the stock rules `FORGED_*_RCVD`; fields of real mail of these providers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.ip_text import IP
from filterd.rules.view.relays import text_of
from filterd.rules.view.view import View

TESTS = Plugin("Mail::SpamAssassin::Plugin::HeaderEval")
"""The part of `header_eval.PLUGIN` that is here."""

_IP = IP.encode("ascii")
_ADDRESS = re.compile(_IP, re.I)
_BLANKS = re.compile(rb"\s+")

_EZMLM = re.compile(rb"^contact [^\s@]+@\S+; run by ezmlm$", re.M)
_LIST = re.compile(rb"^mailing list [^\s@]+@\S", re.M)
_QMAIL = re.compile(rb"qmail \d+ invoked (?:from network|by [^\n]{3,20})\); \d+ [^\n]{3} \d")
_MSN_GROUPS = re.compile(rb"from groups\.msn\.com \(\S+\.msn\.com ")

_HOTMAIL_PICKUP = b"from mail pickup service by hotmail.com with Microsoft SMTPSVC;"
_OUTLOOK_ORGANIZATION = re.compile(rb"hotmail\.com|msonline-outlook")
_HOTMAIL = re.compile(
    rb"from (?:\S*\.)?hotmail.com \(\S+\.hotmail(?:\.msn)?\.com[ )]"
    rb"|from \S*\.hotmail.com \(\[" + _IP + rb"\][ ):]"
    rb"|from \S+ by \S+\.hotmail(?:\.msn)?\.com with HTTP;"
    rb"|from \[66\.218.\S+\] by \S+\.yahoo\.com"
)
_OUTLOOK = re.compile(
    rb"from \S*\.outbound\.protection\.outlook\.com \(\S+\.outbound\.protection\.outlook\.com[ )]"
    rb"|from \S*\.(?:eur|nam)prd\d+\.prod\.outlook\.com \(" + _IP + rb"\)"
)
_SAID = re.compile(rb"(?:from |HELO |helo=)(\S*+)")
_HOTMAIL_NAME = re.compile(rb"hotmail\.com\b")

_MSN_LIST = re.compile(rb"<([^\s<>@]+)@groups\.msn\.com>", re.I)
_MSN_SERVER = re.compile(rb"from mail pickup service by (p\d\d\.groups\.msn\.com)\b")

_YAHOO = re.compile(
    rb"by web(?=\S+?\.mail)\S+\.yahoo\.com via HTTP"
    rb"|by sonic(?=\S+?\.consmr\.mail)\S+\.yahoo\.com with HTTP"
    rb"|by smtp\S+\.yahoo\.com with SMTP"
    rb"|from \[" + _IP + rb"\] by \S+\.(?:groups|scd|dcn)\.yahoo\.com with NNFMP"
    rb"|by \w+\.\w+\.yahoo\.com \(\d+\.\d+\.\d+/\d+\.\d+\.\d+\)(?: with ESMTP)? id \w+"
)
_YAHOO_NEWS = re.compile(rb"\bmailer\d+\.bulk\.scd\.yahoo\.com\b")
_YAHOO_RELAY = re.compile(r" rdns=\S+\.yahoo\.com ")

_JUNO_COOKIE = re.compile(rb" cookie\.(?:juno|untd)\.com ")
_JUNO = (
    re.compile(rb"from"),
    re.compile(rb"\b(?:juno|untd)\.com"),
    re.compile(rb"[\[(]" + _IP + rb"[\])]"),
    re.compile(rb"by"),
)
_MAIL_COM = (
    re.compile(rb"from"),
    re.compile(rb"\bmail\.com"),
    re.compile(rb"\[" + _IP + rb"\]"),
    re.compile(rb"by"),
)
_UNTD = re.compile(rb"from (webmail\S+\.untd\.com) \(\1 \[" + _IP + rb"\]\) by")

_GMAIL = re.compile(rb"by 10\.\S+ with SMTP id \S+|by 2002:a\d\d:\w+:\S+ with SMTP id \S+")
_GOOGLEMAIL = re.compile(rb"by smtp\.googlemail\.com with ESMTPSA id \S+")

GOOGLE_LENGTH = 60
"""Octets that the fields that Google adds have at least."""


def _received(view: View) -> bytes:
    return _BLANKS.sub(b" ", view.value("Received"))


def _is_from(view: View, domain: bytes) -> bool:
    address = view.value("From", "addr").lower()
    return re.search(rb"\b" + re.escape(domain) + rb"$", address) is not None


@TESTS.test("gated_through_received_hdr_remover")
def gated_through_received_hdr_remover(view: View) -> bool:
    """The message has come over something that takes Received fields away, or has none."""
    received = view.header("Received")
    if received is None:
        return True
    if (
        _EZMLM.search(view.value("Mailing-List"))
        and _LIST.search(view.value("Delivered-To"))
        and _QMAIL.search(received)
    ):
        return True
    return _MSN_GROUPS.search(received) is not None


FORGED, MISSING = "forged", "missing"


def _hotmail(view: View) -> str:
    key = "hotmail"
    if key not in view.notes:
        view.notes[key] = _of_hotmail(view)
    return cast(str, view.notes[key])


def _of_hotmail(view: View) -> str:
    """FORGED where a host says that it is hotmail.com, MISSING where only From does; else ""."""
    received = _received(view)
    if (
        _HOTMAIL_PICKUP in received
        or check_for_msn_groups_headers(view)
        or gated_through_received_hdr_remover(view)
    ):
        return ""
    if _ADDRESS.search(view.value("X-Originating-Ip")) and _HOTMAIL.search(received):
        return ""
    if _OUTLOOK_ORGANIZATION.search(view.value("X-OriginatorOrg")) and _OUTLOOK.search(received):
        return ""
    if any(_HOTMAIL_NAME.search(name) for name in _SAID.findall(received)):
        return FORGED
    return MISSING if _is_from(view, b"hotmail.com") else ""


@TESTS.test("check_for_forged_hotmail_received_headers")
def check_for_forged_hotmail_received_headers(view: View) -> bool:
    """A host says that it is Hotmail's, and is not."""
    return _hotmail(view) == FORGED


@TESTS.test("check_for_no_hotmail_received_headers")
def check_for_no_hotmail_received_headers(view: View) -> bool:
    """From is at Hotmail, but no host is."""
    return _hotmail(view) == MISSING


@TESTS.test("check_for_msn_groups_headers")
def check_for_msn_groups_headers(view: View) -> bool:
    """Mail of a list at MSN Groups."""
    name = _MSN_LIST.search(view.value("To"))
    server = _MSN_SERVER.search(view.value("Received"))
    if name is None or server is None:
        return False
    identity = view.value("Message-Id")
    if name[1] == b"notifications":
        return re.match(rb"<\S+@" + re.escape(server[1]) + b">", identity) is not None
    return re.match(
        b"<" + re.escape(name[1]) + rb"-\S+@groups\.msn\.com>", identity
    ) is not None and name[1] + b"-bounce@groups.msn.com" in view.value("EnvelopeFrom", "addr")


@TESTS.test("check_for_forged_eudoramail_received_headers")
def check_for_forged_eudoramail_received_headers(view: View) -> bool:
    """From is at Eudoramail, but no host is."""
    if not _is_from(view, b"eudoramail.com") or gated_through_received_hdr_remover(view):
        return False
    is_theirs = re.search(rb"by \S*whowhere.com;", _received(view)) is not None
    return not (is_theirs and _ADDRESS.search(view.value("X-Sender-Ip")))


@TESTS.test("check_for_forged_yahoo_received_headers")
def check_for_forged_yahoo_received_headers(view: View) -> bool:
    """From is at Yahoo, but no host is."""
    if not _is_from(view, b"yahoo.com"):
        return False
    received = _received(view)
    if view.value("Resent-From") and view.value("Resent-To") and view.value("X-Received"):
        received = _BLANKS.sub(b" ", view.value("X-Received"))
    if gated_through_received_hdr_remover(view) or _YAHOO.search(received):
        return False
    relays = [*view.relays.trusted, *view.relays.untrusted[:1]]
    if any(_YAHOO_RELAY.search(text_of([relay]).decode("latin-1")) for relay in relays):
        return False
    is_news = _YAHOO_NEWS.search(received) and _is_from(view, b"reply.yahoo.com")
    return not is_news


@TESTS.test("check_for_forged_juno_received_headers")
def check_for_forged_juno_received_headers(view: View) -> bool:
    """From is at Juno, but no host is, or the program is not theirs."""
    if not _is_from(view, b"juno.com") or gated_through_received_hdr_remover(view):
        return False
    received, mailer = view.value("Received"), view.value("X-Mailer")
    if view.value("X-Originating-IP"):
        is_theirs = _in_order(received, _JUNO) or _JUNO_COOKIE.search(received) is not None
        return not is_theirs or b"Juno " not in mailer
    if _in_order(received, _MAIL_COM):
        is_theirs = re.search(rb"\bmail\.com", mailer) is not None
    else:
        is_theirs = _UNTD.search(received) is not None and (
            re.match(rb"Webmail Version \d", mailer) is not None
        )
    # Without the field that its webmail adds, it never is.
    return not is_theirs or _ADDRESS.search(view.value("X-Originating-IP")) is None


@TESTS.test("check_for_forged_gmail_received_headers")
def check_for_forged_gmail_received_headers(view: View) -> bool:
    """From is at Gmail, but neither a host is nor a field that Google adds."""
    if not _is_from(view, b"gmail.com"):
        return False
    if _GMAIL.search(view.value("X-Received")) or _GOOGLEMAIL.search(view.value("Received")):
        return False
    added = "X-Gm-Message-State", "X-Google-Smtp-Source"
    return any(len(view.value(name)) < GOOGLE_LENGTH for name in added)


def _in_order(text: bytes, patterns: Sequence[re.Pattern[bytes]]) -> bool:
    """True if one line has a match of each pattern, one behind the other. One pattern of them all
    would try again from each place of each."""
    for line in text.split(b"\n"):
        at = 0
        for pattern in patterns:
            found = pattern.search(line, at)
            if found is None:
                break
            at = found.end()
        else:
            return True
    return False
