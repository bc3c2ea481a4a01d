"""A rule file as sites share them, made of invented words: every construct, again and again.

`rule_file(500)` gives the text of the file, a message, and the names of the rules that hit in it:
known, because each rule looks for a word of its own that was put into the message or left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_SYLLABLES = "ba be bi bo bu da de di do du fa fe fi fo fu ga ge gi go gu ka ke ki ko ku".split()


@dataclass
class RuleFile:
    """text: the file. hits: names of the rules that hit in `message`, parts of others left out."""

    lines: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    hits: set[str] = field(default_factory=set)
    rules: int = 0

    @property
    def content(self) -> bytes:
        """The file as it is read."""
        return "\n".join([*_BEGIN, *self.lines, *_END, ""]).encode()

    @property
    def message(self) -> bytes:
        """Text, HTML and an attachment, with what the rules look for."""
        header = [
            "Received: from mx.example.net (mx.example.net [192.0.2.7]) by here.example.org with"
            " ESMTP id 4aBcDe; Mon, 09 Nov 2026 10:00:00 +0000",
            "From: Ada Byron <ada@example.net>",
            "To: Bob <bob@example.org>",
            "Date: Mon, 09 Nov 2026 09:59:58 +0000",
            "Message-ID: <20261109095958.GA1234@mx.example.net>",
            "MIME-Version: 1.0",
            'Content-Type: multipart/mixed; boundary="otter"',
            *self.fields,
        ]
        parts = [
            "--otter\nContent-Type: text/plain; charset=utf-8\n\n" + "\n\n".join(self.text),
            "--otter\nContent-Type: text/html; charset=utf-8\n\n<html><body>"
            + "\n".join(self.html)
            + "</body></html>",
            "--otter\nContent-Type: application/x-mink; name=mink.bin\n"
            "Content-Disposition: attachment; filename=mink.bin\n"
            "Content-Transfer-Encoding: base64\n\nbWluaw==",
            "--otter--",
        ]
        return ("\n".join(header) + "\n\n" + "\n".join(parts) + "\n").encode()


_BEGIN = [
    "# Rules of nobody's, for tests.",
    "clear_headers",
    "required_score 5.0   # points",
    "report_safe 0",
    "trusted_networks 192.0.2.1 !198.51.100.0/24 2001:db8::/32",
    "internal_networks 192.0.2.1",
    "welcomelist_from *@friends.example ann@*.example.com",
    "whitelist_from_rcvd *@example.com example.com",
    "blocklist_from spammer@*.example",
    "freemail_domains mail.example freemail.*.example",
    "enlist_addrlist (OTTERS) *@otters.example",
    "redirector_pattern m'^https?://go\\.example/\\?u=(.+)'i",
    "util_rb_2tld example.net",
    "util_rb_tld com net org example",
    "add_header all Otter _SCORE(00)_ _TESTS(,)_",
    "replace_start <",
    "replace_end >",
    "replace_tag A [a\u0430@4]",
    "replace_tag O (?:[o0]|\u043e)",
    "replace_inter W1 .?",
    "replace_pre  P1 (?=\\S)",
    "replace_post Q1 {1,2}",
    "ifplugin Mail::SpamAssassin::Plugin::OfNobody",
    "body  SAMPLE_OF_NOBODY eval:of_nobody('otter')",
    "score SAMPLE_OF_NOBODY 5",
    "endif",
]
_END = [
    "if (version >= 4.000000) && !plugin(Mail::SpamAssassin::Plugin::OfNobody)",
    "meta  SAMPLE_VERSION 1",
    "score SAMPLE_VERSION 0.1",
    "else",
    "meta  SAMPLE_NO_VERSION 1",
    "endif",
    "if can(Mail::SpamAssassin::Conf::feature_of_nobody)",
    "meta SAMPLE_FEATURE 1",
    "endif",
    "lang de describe SAMPLE_VERSION Die Fassung",
]

Maker = Callable[[RuleFile, str, str, str], None]


def _add(file: RuleFile, name: str, line: str, *more: str) -> None:
    file.lines += [line, f"describe {name} Looks for a word", *more]
    if not any(one.startswith(f"score {name} ") for one in more):
        file.lines.append(f"score    {name} 0.1")


def _subject(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f"X-Subject: about {put} and more")
    _add(file, name, f"header {name} X-Subject =~ /\\b{word}\\b/i", f"score {name} 0.1 0.2 0.3 0.4")


def _address(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f'X-{word}: "A, B" <{put}@example.com> (comment)')
    _add(file, name, f"header {name} X-{word}:addr =~ /^{word}\\@example\\.com$/")


def _name(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f"X-{word}: =?utf-8?q?{put}_=C3=A4?= <a@example.com>")
    _add(file, name, f"header {name} X-{word}:name =~ m'^{word} \\xc3\\xa4'")


def _exists(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f"X-{put}-There: 1")
    _add(file, name, f"header {name} exists:X-{word}-There", f"priority {name} -50")


def _unset(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f"X-{put}-Set: 1")
    _add(file, name, f"header {name} X-{word}-Set !~ /^UNSET/ [if-unset: UNSET]")


def _all(file: RuleFile, name: str, word: str, put: str) -> None:
    file.fields.append(f"X-{put}-Line: x")
    _add(file, name, f"header {name} ALL =~ /^X-{word}-Line: [a-z]$/mi", f"tflags {name} nice")


def _body(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"We saw {put} in the garden.")
    _add(file, name, f"body {name} /saw (?>{word}|never) in (?:the|a)\\s+garden[.!]/")


def _multiple(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"{put} {put} {put}")
    part = f"__{name}"
    file.lines += [f"body {part} /\\b{word}\\b/", f"tflags {part} multiple maxhits=3"]
    _add(file, name, f"meta {name} ({part} > 2) && ({part} <= 3)")


def _look_around(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"one{put}two")
    _add(file, name, f"body {name} /(?<=one){word}(?=two)(?!twofold)/x", f"tflags {name} userconf")


def _repeat(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"{put}-{put}")
    _add(file, name, f"body {name} /\\b({word})-\\1\\b/")


def _rawbody(file: RuleFile, name: str, word: str, put: str) -> None:
    file.html.append(f'<p class="{put}"\n id="x">x</p>')
    _add(file, name, f"rawbody {name} /<p\\s+class=[\"']{word}[\"']\\s+id/is")


def _full(file: RuleFile, name: str, word: str, put: str) -> None:
    file.html.append(f"<!-- {put}\n-->")
    _add(file, name, f"full {name} m{{<!-- {word}\\n-->}}")


def _uri(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"See http://www.{put}.example.com/a?b=c for more.")
    _add(file, name, f"uri {name} m!^https?://(?:www\\.)?{word}\\.example\\.com/!i")


def _uri_detail(file: RuleFile, name: str, word: str, put: str) -> None:
    file.html.append(f'<a href="http://{put}.example.org/x">click {put}</a>')
    conditions = f"domain =~ /^example\\.org$/ text =~ /click {word}/ type !~ /^img$/"
    _add(file, name, f"uri_detail {name} {conditions}")


def _mimeheader(file: RuleFile, name: str, word: str, put: str) -> None:
    wanted = "mink" if word == put else word
    _add(file, name, f"mimeheader {name} Content-Disposition =~ /filename={wanted}/")


def _arithmetic(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"{put}one {put}two")
    parts = [f"__{name}_{index}" for index in range(3)]
    for part, ending in zip(parts, ("one", "two", "three"), strict=True):
        file.lines.append(f"body {part} /{word}{ending}/")
    total = " + ".join(f"(2 * {part})" for part in parts)
    _add(file, name, f"meta {name} !({total} < 4) && ({parts[0]} ^ 1) == 0 || 0")


def _matching(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"{put}alpha")
    file.lines += [f"body __{name}_{end} /{word}{end}/" for end in ("alpha", "beta")]
    _add(file, name, f"meta {name} rules_matching(__{name}_*) == 1")


def _eval(file: RuleFile, name: str, word: str, put: str) -> None:
    least = "1" if word == put else "7"
    test = f"check_header_count_range('Message-ID','{least}','9')"
    _add(file, name, f"header {name} eval:{test}")


def _replaced(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"{put}: c@sin0 {put}")
    _add(
        file,
        name,
        f"body {name} /<inter W1><pre P1>{word}: c<A>s<post Q1>i?n<O>/",
        f"replace_rules {name}",
    )


def _again(file: RuleFile, name: str, word: str, put: str) -> None:
    file.text.append(f"twice {put}")
    file.lines += [f"body {name} /never said by anybody/", f"score {name} 3"]
    _add(file, name, f"body {name} /twice\\x20{word}/", f"score {name} (0.5)")


_MAKERS: tuple[Maker, ...] = (
    _subject,
    _address,
    _name,
    _exists,
    _unset,
    _all,
    _body,
    _multiple,
    _look_around,
    _repeat,
    _rawbody,
    _full,
    _uri,
    _uri_detail,
    _mimeheader,
    _arithmetic,
    _matching,
    _eval,
    _replaced,
    _again,
)


def _words(seed: int) -> Iterator[str]:
    choose, seen = random.Random(seed), set[str]()
    while True:
        word = "".join(choose.choice(_SYLLABLES) for _ in range(4))
        if word not in seen:
            seen.add(word)
            yield word


def rule_file(count: int, seed: int = 1) -> RuleFile:
    """A file with so many rules that look for something; every third one does not find it."""
    file, words = RuleFile(), _words(seed)
    for index in range(count):
        make, word = _MAKERS[index % len(_MAKERS)], next(words)
        name = f"SAMPLE_{make.__name__.strip('_').upper()}_{index}"
        found = index % 3 != 2
        if found:
            file.hits.add(name)
        make(file, name, word, word if found else next(words))
        file.rules += 1
    file.hits |= {"SAMPLE_VERSION"}
    return file
