"""The forms in which mail servers write Received fields, as a table.

RFC 5321 §4.4 leaves a writer much freedom, and each has used it in another way: some put the name
that the client gave first, some the name that its address resolves to. A form says which is which.
The forms are tried from top to bottom, on the field without its leading `from `. Source: RFC 5321
§4.4, fields in real mail, the manuals of the mail servers named, SpamAssassin 4.0's answers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filterd.rules.view.ip_text import IP

_PLACES = {
    "helo": r"(?P<helo>\S+)",
    "helo*": r"(?P<helo>\S*)",
    "rdns": r"(?P<rdns>\S+)",
    "both": r"(?P<both>\S+)",
    "by": r"(?P<by>\S+)",
    "ident": r"(?P<ident>\S+)",
    "ident*": r"(?P<ident>\S*)",
    "ip": rf"(?P<ip>{IP})",
    "IP": IP,
    "EHLO": "(?:HELO|EHLO)",
    "word": r"\S+",
    "port": r"\d+",
    "any": ".*?",
    "all": ".*",
    "group": r"\([^)]+\)",
    "localhost": r"(?:localhost(?:\.localdomain)?|(?:IPv6:)?(?:(?:::ffff:)?127\.0\.0\.1|::1))",
}
_PLACE = re.compile(r"<([a-zA-Z]++\*?)>|`([^`]*+)`")


def _source(template: str) -> str:
    """The pattern of a template: places in angle brackets, patterns between back quotes, and text
    as it stands."""
    parts, position = [], 0
    for match in _PLACE.finditer(template):
        parts.append(re.escape(template[position : match.start()]))
        parts.append(_PLACES[match[1]] if match[1] else match[2].replace("IP", IP))
        position = match.end()
    parts.append(re.escape(template[position:]))
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """One form. needs: text that is in every such field, so that most patterns need not be tried.
    looks_up: the writer always asks for the name of the address, so that no name means there is
    none. skip: the field tells of no hand-over from host to host that could be judged."""

    pattern: re.Pattern[str]
    needs: str = ""
    looks_up: bool = False
    skip: bool = False


def _form(
    template: str, needs: str = "", *, looks_up: bool = False, skip: bool = False
) -> ReceivedForm:
    return ReceivedForm(re.compile(_source(template), re.ASCII), needs, looks_up, skip)


def _skipped(template: str, needs: str = "") -> ReceivedForm:
    return _form(template, needs, skip=True)


@dataclass(frozen=True, slots=True)
class Family:
    """Forms of one program. A field with its mark is of the first such family, and of none below.
    pattern: what is found there as well."""

    mark: str
    forms: tuple[ReceivedForm, ...]
    pattern: re.Pattern[str] | None = None

    def is_in(self, text: str) -> bool:
        """True for a field of this program."""
        return self.mark in text and (self.pattern is None or bool(self.pattern.search(text)))


SMTPSVC = Family(
    " SMTPSVC",
    (
        _form(r"<helo*> ([<ip>]`[^)]{0,40}`) by <by> with Microsoft SMTPSVC"),
        _skipped(r"mail pickup service by <word> with Microsoft SMTPSVC`\Z`"),
    ),
)
MICROSOFT = Family(
    " with M",
    (_form(r"<helo> (`\[?`<ip>`(?:%[A-Z0-9._~-]*)?\]?`) by <by> "),),
    re.compile(r" with Microsoft SMTP Server (?:\([^()]+\) )?\d+(?:\.\d+){3}(?: |\Z)", re.A),
)
EXCHANGE = Family(
    " with mapi id ",
    MICROSOFT.forms,
    re.compile(r" with mapi id (?:\([^()]+\) )?\d+(?:\.\d+){3}(?: |\Z)", re.A),
)
XMAIL = Family(
    "[XMail ",
    (_form(r"<helo> (`(?P<ip>\[?IP\]?)`:<port>) by <by>`(?: \(\S+\))?` with [XMail"),),
)
ECELERITY = Family(
    "(ecelerity",
    (
        _form(r"([<ip>:<port>] helo=<helo>) by <by> "),
        _form(r"<word> ([<ip>:<port>]) by <by> "),
    ),
)
EXIM = Family(
    "Exim",
    (
        _skipped(r"`.*\bwith local(?:-\S+)? `", "with local"),
        _form(r"[<ip>] (`(?P<said>.*?)`) by <by> "),
        _form(r"<both> ([<ip>]`(?P<said>.*?)`) by <by> "),
        _form(r"<both> [<ip>]`(?::\d+)?` by <by> "),
    ),
)
POSTFIX = Family(
    " (Postfix) with",
    (
        _form(r"<helo> (<rdns> [<ip>]) by <by> ", looks_up=True),
        _form(r"<helo> (<rdns>[<ip>]) by <by> ", looks_up=True),
    ),
)
SCALIX = Family(
    "(Scalix SMTP Relay",
    (_form(r"<helo> (` ?`<ip>) by <by>"),),
)
DOMINO = Family(
    " (Lotus Domino ",
    (_form(r"<helo> ([<ip>]) by <by> (Lotus"),),
)
FAMILIES = (SMTPSVC, MICROSOFT, EXCHANGE, XMAIL, ECELERITY, EXIM, POSTFIX, SCALIX, DOMINO)

WEBMAIL = (
    _form(r"`.*?`<ip>`\b(?![.-]).{10,80}`by <by> with HTTP", "Mail authenticated user "),
    _form(r"`.*?`<ip> by <by> (<IP>) with HTTP (WebMailUI)", "aol.com"),
)
HTTP = (_form(r"<ip> ([<IP>]) by <by>", "with HTTP"),)

# More comments may stand between the one with the address and `by`.
SENDMAIL = (_form(r"<helo> (<rdns> [<ip>]<all>) by <by> (", looks_up=True),)

BEFORE_QMAIL = (
    _form(r"<helo> (<rdns> [<ip>]) by <by> with <word> (", looks_up=True),
    _form(r"<rdns> ([<ip>] helo=<helo>) by <by> with ", "helo="),
    _form(r"<helo> (`<unknown\S*`[<ip>]) by <by> ", "(<unknown"),
    _form(r"<helo> (`(?P<rdns>[^\s[][^\s[.]*+\.[^\s[]+)`[<ip>]) by <by> ", looks_up=True),
    _form(r"<helo> (<ident*>@[<ip>]<all>) by <by> (", "@[", looks_up=True),
)

HOTMAIL = re.compile(r"by (?P<by>\S+\.hotmail\.msn\.com) ", re.ASCII)
ADDRESS_FIRST = re.compile(rf"\A({IP}) ", re.ASCII)

WITH_HELO = (
    _form(
        r"<rdns> (<EHLO> <helo*>) (<ip>) by <by> (qpsmtpd/<word>) with `(?:ESMTP|SMTP)`", "qpsmtpd"
    ),
    _form(r"<rdns> (LHLO <helo*>) (<ip>) by <by> with LMTP", "(LHLO "),
    _form(r"<rdns> (<EHLO> <helo*>) [<ip>] by <by> <group> with `(?:ESMTP|SMTP)`", "LO "),
    _form(r"<helo> ([<ip>]) by <by> via smtpd (for <word>) with SMTP(", "via smtpd"),
)

# Fields of qmail and of what is like it: these two decide, the forms below read.
QMAIL_FROM = re.compile(
    rf"\S+(?: \((?:HELO|EHLO) \S*\))? \((?:\S+@)?\[?{IP}\]?\)"
    r"(?: \(envelope-sender <\S+>\))? by \S+",
    re.ASCII,
)
QMAIL_WITH = re.compile(r"(?:(?<=with )|(?<= ))(?:SMTP|QMQP)(?! id )")
_SENDER = r"`(?: \(envelope-sender <\S+>\))?`"
QMAIL = (
    _form(rf"<rdns> (<EHLO> `(?P<helo>[^ ()]*)`) (<ident*>@`\[?`<ip>`\]?`){_SENDER} by <by>"),
    _form(rf"<rdns> (<EHLO> `(?P<helo>[^ ()]*)`) (`\[?`<ip>`\]?`){_SENDER} by <by>"),
    _form(rf"<both> (<ident*>@`\[?`<ip>`\]?`){_SENDER} by <by>"),
    _form(rf"<both> (`\[?`<ip>`\]?`){_SENDER} by <by>"),
)

MANY = (
    _form(r"[<ip>] by <by> via HTTP`\Z`", "via HTTP"),
    _form(r"<word> ( [<ip>])<any> by <by> ", "( ["),
    _form(r"(<helo> [<ip>]) by <by> "),
    _form(r"[<ip>] by <by> "),
    _form(r"(`\[?`<ip>`\]?`) by <by> "),
    _form(r"<helo> [<ip>] by <by> [<IP>] with ", looks_up=True),
    _form(r"<helo> [(<ip>)] by <by> (<IP>) ", "[("),
    _form(r"<helo> ([<ip>]) by <by> (", looks_up=True),
    # couriertcpd says so where the DNS did not answer.
    _form(r"<helo> (softdnserr [<ip>])<any> by `(?P<by>\S+\b)`", "softdnserr"),
    _form(r"<helo> (<rdns> [<ip>])<any> by `(?P<by>\S+\b)`", looks_up=True),
    _form(r"<helo> ([<ip>`(?:[.:]\d+)?`])<any> by <by> ", looks_up=True),
    _form(r"<helo> (<rdns> [<ip>]) (authenticated bits=<port>) by <by> (", looks_up=True),
)

FETCHED = re.compile("with (?:POP3|IMAP)")
"""Of programs that fetch mail: what stands above is not the way that the message took."""

MORE = (
    _form(
        r"<rdns> (<EHLO> `(?P<helo>[^)]*)`) (`(?:(?P<ident>\S*)@)?\[?`<ip>`\]?`)<all> by <by> ",
        "LO ",
        looks_up=True,
    ),
    _form(r"<both> (`(?:(?P<ident>\S*)@)?\[?`<ip>`\]?`)<all> by <by> ", looks_up=True),
    _form(r"[<ip>] by <by> with http for ", "with http for "),
    _form(r"<rdns>(<ip>) by <by> via smap ", "via smap", looks_up=True),
    _form(r"<rdns>(<ip>, <EHLO> <helo*>) by <by> via smap ", "via smap", looks_up=True),
    _form(r"<ip> by <by> (`(?:SMTPL|InterScan)\b`"),
    _skipped(r"<word> by <word> with BSMTP", "with BSMTP"),
    _form(r"<helo> (<rdns> [<ip>]) by <by> with ", looks_up=True),
    _form(
        r"<rdns> (<EHLO> <helo*>) (`(?:(?P<ident>\S+)@)?`<ip>`.{0,200}?`) by <by> with ",
        "LO ",
        looks_up=True,
    ),
    _form(r"[<ip>] (`(?:account \S+ )?`<EHLO> <helo*>) by <by> (", "LO "),
    _form(r"<both> ([<ip>] verified) by <by> (", " (CommuniGate Pro", looks_up=True),
    _form(r"([<ip>]) by <by> with "),
    _form(r"`(?P<helo>\D\S+)` (<ip>) by <by> "),
    _skipped(r"<word> (<word>) by <word> (Content Technologies ", "(Content Technologies "),
    _form(r"<helo> ([<ip>] [<word>]) by <by> with ", "] ["),
    _form(r"<ip> by <by> with "),
    _form(r"<helo> (<rdns>[<ip>]) by <by> ", looks_up=True),
    _form(r"[<ip>]<word> (<EHLO> <helo*>) by <by> ", "LO "),
    _form(r"<ip> (<EHLO> <helo*>) by <by> ", "LO "),
    _form(r"<helo> [<ip>] by <by> "),
    _form(r"<rdns>(<ip>) by <by> "),
    _form(r"<helo> (unverified [<ip>]) by <by> ", "(unverified ["),
    _form(r"<ip> (`[A-Za-z][^)]+`) by <by> with "),
    _form(r"[<ip>] (`(?P<said>[^)]+)`) by <by> "),
    _form(r"<rdns> (`(?:\S+@)?`<ip>) by <by> with "),
    _form(r"UNKNOWN(<ip>)`(?:, claiming to be \"(?P<helo>\S+)\")?` via <word> by <by>,"),
    _form(
        r"<rdns>(<ip>)`(?:, claiming to be \"(?P<helo>\S+)\")?` via <word> by <by>,", looks_up=True
    ),
    _form(r"<helo> (<word>@<ip> with login) by `(?P<by>\S+\.yahoo\.com)` with SMTP", "with login"),
    _form(r"X-Originating-IP: <ip>`(?P<by>)\Z`", "X-Originating-IP"),
)

IGNORED = (
    _skipped(r"<word> (`[^\s@]+`@<localhost>) by <word> ("),
    _skipped(r"<word> <word> by <word> with local-`e?`smtp ", "with local"),
    _skipped(r"127.0.0.1 (AVG SMTP <word> [<word>])"),
    _skipped(r"`(?=\S[^\s@]*+@\S)\S++` by <word> "),
    _skipped(r"Unknown/Local ("),
    _skipped(r"<localhost> (`(?:\S+@)?`<localhost>`[)[]`"),
    _skipped(r"<word> (`(?:\S+@)?`<localhost>) "),
    _skipped(r"<word> (`(?=\S[^\s@]*+@\S)\S++` [<localhost>]) "),
    _skipped(r"(AUTH: <word>) by <word> with "),
    _skipped(r"localhost (localhost [[UNIX: localhost]]) by "),
    _skipped(r"`\S+\.amazon\.com` by `\S+\.amazon\.com` with ESMTP (peer crosscheck: "),
    _skipped(r"`[^.]+` by <word> with Novell_GroupWise"),
    _skipped(r"no.name.available by <word> via smtpd (for "),
)

SCANNED = re.compile(r"\S+ by \S+ \(.{0,100}\) with qmail-scanner", re.ASCII)
"""qmail-scanner tells the sender of the hand-over that the field below describes."""

UNSAID = (
    _skipped(r"<word> by <word> with local"),
    _skipped(r"<word> ([unix socket]) by <word> (Cyrus v`\d*\.\d*\.\d*`) with LMTPA"),
    _skipped(r"<word> by <word> `(?:with|via|for|\()`"),
    _skipped(r"<word> `(?:(?:with|via|for) \S+|\(unverified\))` `by\b`"),
    _skipped(r"<word> (unknown) by <word> (SG) with `\b`"),
    _skipped(r"<word> (<word> [local]) by <word> (OpenSMTPD) with `\b`"),
    _skipped(r"`.*`(LSMTP for", "(LSMTP for"),
    _skipped(r"([<localhost>]) with MailEnable "),
    _skipped(r"facebook.com <group> by facebook.com with Thrift id <word>`\Z`"),
    _skipped(r"<word> named <word> by gmailapi.google.com with HTTPREST`\Z`"),
    _skipped(r"<word> id <word>`\Z`"),
    _skipped(r"[`<.*? \(Jetsend`"),
)
"""Hand-overs of which too little is written to judge them."""

UPPER_CASE = _form(
    r"<helo> (<rdns> [<ip>]) BY <by> "
    r"`(?:\([^)]+\) WITH SMTP )?ID <?(?P<id>\S+?)>?(?: FOR <[^>]+>)?\Z`",
    looks_up=True,
)
IN_PARENTHESES = (
    _form(r"<helo*> [<ip>]) by <by> (NAVGW <any>) with ", "(NAVGW "),
    _skipped(r"`\S+`@localhost) by <word> "),
    _skipped(r"`[^\s@]+@[^)]+`) by `\S+`(jqueuemail) id `[^\s;]+`", "(jqueuemail)"),
)
