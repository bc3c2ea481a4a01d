"""Honest mail once more as HTML, for a starter model to learn.

In the mail that a starter can be trained on, most HTML is spam: twenty years ago few people wrote
it. Today's offices write nothing else, and a model that takes markup itself for a sign of spam
labels their letters. So some of the honest messages are learned a second time, with their text put
into the markup of usual mail programs and newsletters: the words stay those of real mail.
"""

from __future__ import annotations

import html
import random
from collections.abc import Callable, Sequence

from filterd.bayes.model.text import text_of
from filterd.mailfiles.items import MailItem
from filterd.message import Message

EVERY = 10
"""Of so many honest messages one is learned as HTML as well. With three times as many nothing more
is gained."""

TEXT_LIMIT = 8000  # octets of a message's text that its copy has
ALONE = 0.3  # share of the copies that are HTML only; the others have the plain text, too

_OF_BODY = (b"content-", b"mime-version")


def with_html_copies(items: Sequence[MailItem]) -> list[MailItem]:
    """The same messages, and behind every tenth honest one its copy in HTML."""
    found: list[MailItem] = []
    honest = 0
    for item in items:
        found.append(item)
        if item.label is False:
            honest += 1
            if honest % EVERY == 0:
                found.append(_as_html(item, honest))
    return found


def _as_html(item: MailItem, number: int) -> MailItem:
    def read() -> bytes:
        return html_copy(item.read(), random.Random(number))  # noqa: S311  # no secret in a style

    return MailItem(item.label, f"{item.name} as HTML", read)


def html_copy(data: bytes, chance: random.Random) -> bytes:
    """The message with the same header fields, and its visible text in HTML. LF line ends."""
    message = Message(data)
    text = text_of(message)
    visible = text.words[text.visible_section].text[:TEXT_LIMIT]
    kept = [
        data[field.start : field.end].replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
        for field in message.header_fields
        if not field.name.lower().encode().startswith(_OF_BODY)
    ]
    style = chance.choice(STYLES)
    marked = style(visible.decode("utf-8", "replace")).encode()
    head = b"".join(kept) + b"MIME-Version: 1.0\nContent-Type: "
    of_html = b"text/html; charset=utf-8\n\n" + marked
    if chance.random() < ALONE:
        return head + of_html
    mark = b"=_%08x" % chance.getrandbits(32)
    return (
        head
        + b'multipart/alternative; boundary="%s"\n\n--%s\n' % (mark, mark)
        + b"Content-Type: text/plain; charset=utf-8\n\n%s\n--%s\n" % (visible, mark)
        + b"Content-Type: %s\n--%s--\n" % (of_html, mark)
    )


def _lines(text: str) -> list[str]:
    return [html.escape(line) for line in text.split("\n")]


def _web_mail(text: str) -> str:
    lines = (f"<div>{line or '<br>'}</div>" for line in _lines(text))
    return f'<div dir="ltr">{"<br>".join(lines)}</div>\n'


def _word(text: str) -> str:
    lines = "\n".join(
        f"<p class=MsoNormal><span style='font-size:11.0pt'>{line or '&nbsp;'}"
        "<o:p></o:p></span></p>"
        for line in _lines(text)
    )
    return (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office" '
        'xmlns:w="urn:schemas-microsoft-com:office:word" xmlns="http://www.w3.org/TR/REC-html40">'
        '<head><meta http-equiv=Content-Type content="text/html; charset=utf-8">'
        '<meta name=Generator content="Microsoft Word 15 (filtered medium)"><style><!--\n'
        "/* Style Definitions */\np.MsoNormal, li.MsoNormal, div.MsoNormal\n\t{margin:0cm;"
        'font-size:11.0pt;font-family:"Calibri",sans-serif;}\n--></style></head>'
        '<body lang=EN-GB link="#0563C1" vlink="#954F72"><div class=WordSection1>\n'
        f"{lines}\n</div></body></html>\n"
    )


def _outlook_express(text: str) -> str:
    lines = "\n".join(
        f"<DIV><FONT face=Arial size=2>{line or '&nbsp;'}</FONT></DIV>" for line in _lines(text)
    )
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.0 Transitional//EN">\n<HTML><HEAD>\n'
        '<META http-equiv=Content-Type content="text/html; charset=iso-8859-1">\n'
        '<META content="MSHTML 6.00.2600.0" name=GENERATOR></HEAD>\n'
        f"<BODY bgColor=#ffffff>\n{lines}</BODY></HTML>\n"
    )


def _apple(text: str) -> str:
    lines = "\n".join(f'<div class="">{line or "<br>"}</div>' for line in _lines(text))
    return (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
        '<body style="word-wrap: break-word; -webkit-nbsp-mode: space; '
        f'line-break: after-white-space;" class="">{lines}</body></html>\n'
    )


def _mozilla(text: str) -> str:
    return (
        '<html>\n<head>\n<meta http-equiv="content-type" content="text/html; charset=UTF-8">\n'
        '</head>\n<body text="#000000" bgcolor="#FFFFFF">\n<p>'
        f"{'<br>'.join(_lines(text))}</p>\n</body>\n</html>\n"
    )


def _newsletter(text: str) -> str:
    rows = "\n".join(
        '<tr><td valign="top" align="left" style="padding:10px;line-height:1.4">'
        f'<font size="2" color="#333333">{"<br />".join(_lines(paragraph))}</font></td></tr>'
        for paragraph in text.split("\n\n")
    )
    return (
        '<html><head><title></title><style type="text/css">a{color:#336699} '
        "td{font-family:Verdana,Helvetica,sans-serif}</style></head>"
        '<body leftmargin="0" topmargin="0"><center><table border="0" cellpadding="0" '
        f'cellspacing="0" width="580" bgcolor="#ffffff">\n{rows}</table></center></body></html>\n'
    )


STYLES: tuple[Callable[[str], str], ...] = (
    _web_mail,
    _word,
    _outlook_express,
    _apple,
    _mozilla,
    _newsletter,
)
