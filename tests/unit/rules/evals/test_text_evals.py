"""Eval tests of HTML, text and URIs, as rules call them."""

from __future__ import annotations

import pytest

from filterd.message.message import Message
from filterd.rules.conf.rule import Option, Origin, RulePattern, UriCondition
from filterd.rules.evals import body_eval, html_eval, redirectors, uri_detail, uri_eval
from filterd.rules.view.view import View

OPTIONS = {
    "util_rb_tld": (Option("util_rb_tld", "com org", Origin("t.cf", 1)),),
    "url_redirector": (Option("url_redirector", "go.com .many.com", Origin("t.cf", 2)),),
}
TESTS = {
    **html_eval.PLUGIN.tests,
    **body_eval.PLUGIN.tests,
    **uri_eval.PLUGIN.tests,
    **redirectors.PLUGIN.tests,
}
HTML = b"Subject: s\nContent-Type: text/html\n\n"
BOTH = (
    b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n%s\n"
    b"--b\nContent-Type: text/html\n\n%s\n--b--\n"
)


def view(message: bytes) -> View:
    return View(Message(message), OPTIONS)


def ask(message: bytes, call: str) -> bool:
    """The answer of a test called as in a rule: `name argument argument`, `~` for a blank."""
    name, *arguments = call.split()
    return bool(TESTS[name](view(message), *(argument.replace("~", " ") for argument in arguments)))


TRUE: dict[str, bytes] = {
    "html_test html": HTML + b"x",
    "html_test embeds": HTML + b"<object>",
    "html_test font_face_bad": HTML + b"<font face='&#9731;'>x</font>",
    "html_test font_low_contrast": HTML + b"<font color=white>x</font>",
    "html_test font_invalid_color": HTML + b"<font color=1>x</font>",
    "html_test form_action_mailto": HTML + b"<form action='mailto:a@b.com'>",
    "html_tag_exists center": HTML + b"<center>",
    "html_tag_balance body !=~0": HTML + b"<body>x",
    "html_image_only 10 90": HTML + b"<img src=x><p>some text",
    "html_image_ratio 0.0 0.1": HTML + b"<img src=x width=10 height=10>text",
    "html_eval length <~100": HTML + b"x",
    "html_range closed_extra_ratio 0.4 inf": HTML + b"x</p></p>",
    "html_range max_size 5 6": HTML + b"<font size=6>x</font>",
    "html_range obfuscation_ratio .4 .6": HTML + b"vi<b></b>a<i></i>gra" * 3,
    "html_range bad_tag_ratio 0.9 1.0": HTML + b"<p>" + b"<nosuch>" * 20,
    "html_range non_element_ratio 0.3 0.6": HTML + b"<p><nosuch>",
    "html_text_match comment sa..d": HTML + b"<!-- saved -->",
    "html_text_match title .{120}": HTML + b"<title>" + b"x" * 120 + b"</title>",
    "html_text_match anchor <img>": HTML + b"<a href=x><img src=y></a>",
    "html_text_not_match title x": HTML + b"<title>y</title>",
    "html_title_subject_ratio 3.5": HTML + b"<title>much longer</title>",
    "check_iframe_src": HTML + b"<iframe src='http://a.com'>",
    "multipart_alternative_difference 99 100": BOTH % (b"one", b"two three"),
    "multipart_alternative_difference_count 3 1": BOTH % (b"a b c d e f g", b"x y"),
    "check_blank_line_ratio 60 90 4": b"A: b\n\nx\n\n\n\n",
    "tvd_vertical_words 100 100": b"A: b\n\na b c d e f g h i\n",
    "check_stock_info 2": b"A: b\n\nCompany: X\nTicker: Y\n",
    "check_body_length 4": b"A: b\n\nabc\n",
    "plaintext_body_length 4 4": b"A: b\n\nabc\n",
    "plaintext_sig_length 6": b"A: b\n\nabc\n-- \nJoe D\n",
    "plaintext_body_sig_ratio 0 1": b"A: b\n\nabc\n-- \nJoe D\n",
    "check_for_http_redirector": b"A: b\n\nhttp://a.com/?http://b.com/\n",
    "check_https_ip_mismatch": HTML + b"<a href='http://1.2.3.4/'>https://a.com</a>",
    "check_uri_truncated": HTML + b"<a href='http://a.com/" + b"x" * 9000 + b"'>y</a>",
    "redir_url": b"A: b\n\nhttp://x.many.com/y\n",
}

FALSE: dict[str, bytes] = {
    "html_test html": b"A: b\n\nx\n",
    "html_test embeds": HTML + b"<p>",
    "html_test font_low_contrast": HTML + b"<font color=white> </font>",
    "html_tag_exists center": HTML + b"<!-- <center> -->",
    "html_tag_balance body !=~0": HTML + b"<body>x</body>",
    "html_image_only 10 90": HTML + b"<p>some text",
    "html_image_ratio 0.0 0.1": HTML + b"<img src=x>text",
    "html_eval length <~100": HTML + b"x" * 100,
    "html_range closed_extra_ratio 0.4 inf": HTML + b"<p>x</p>",
    "html_range max_size 5 6": HTML + b"<font size=5>x</font>",
    "html_text_match title .{120}": HTML + b"<title>" + "é".encode() * 119 + b"</title>",
    "html_title_subject_ratio 3.5": HTML + b"<title>yes</title>",
    "check_iframe_src": HTML + b"<iframe>",
    "multipart_alternative_difference 99 100": BOTH % (b"one two", b"two <b>three</b>"),
    "multipart_alternative_difference_count 3 1": BOTH % (b"a b c d e f", b"x y"),
    # For Perl, marks and joiners are of a word, and a superscript two is not.
    "multipart_alternative_difference_count 2 1": BOTH
    % (b"a b c d e f g h", b"x &zwnj; &#x301; &#8255;"),
    "check_blank_line_ratio 60 90 4": b"A: b\n\nx\n\n\n",
    "tvd_vertical_words 100 100": b"A: b\n\nusual words\n",
    "check_stock_info 2": b"A: b\n\nTicker: X\nTicker: Y\n",
    "check_body_length 3": b"A: b\n\nabc\n",
    "plaintext_body_length 5": b"A: b\n\nabc\n",
    "plaintext_sig_length 6": b"A: b\n\nabc\n-- \nJoe\n",
    "plaintext_body_sig_ratio 0 1": b"A: b\n\nabc\n",
    "check_for_http_redirector": b"A: b\n\nhttp://a.com/?http://www.a.com/\n",
    "check_https_ip_mismatch": HTML + b"<a href='http://1.2.3.4/'>https://1.2.3.4</a>",
    "check_uri_truncated": HTML + b"<a href='http://a.com/'>y</a>",
    "redir_url": b"A: b\n\nhttp://x.com/y\n",
}


@pytest.mark.parametrize(("call", "message"), TRUE.items(), ids=TRUE)
def test_it_hits(call: str, message: bytes) -> None:
    assert ask(message, call)


@pytest.mark.parametrize(("call", "message"), FALSE.items(), ids=FALSE)
def test_it_does_not_hit(call: str, message: bytes) -> None:
    assert not ask(message, call)


def test_all_tests_are_asked() -> None:
    asked = {call.split()[0] for call in TRUE}
    assert set(TESTS) - asked == {"html_charset_faraway"}


def test_a_comparison_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="expected a comparison"):
        ask(HTML + b"x", "html_eval length 2")


CONDITIONS: dict[str, tuple[UriCondition, bool]] = {
    "raw": (UriCondition("raw", RulePattern("%2e", "i")), True),
    "cleaned": (UriCondition("cleaned", RulePattern(r"a\.com/x")), True),
    "not all of cleaned": (UriCondition("cleaned", RulePattern("%"), negated=True), True),
    "not raw": (UriCondition("raw", RulePattern("%"), negated=True), False),
    "type": (UriCondition("type", RulePattern("^a$")), True),
    "text": (UriCondition("text", RulePattern("https:")), True),
    "domain": (UriCondition("domain", RulePattern(r"^a\.com$")), True),
    "host": (UriCondition("host", RulePattern(r"^www\.a\.com$")), True),
    "another host": (UriCondition("host", RulePattern("^b")), False),
}


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_of_uri_detail(condition: UriCondition, holds: bool) -> None:
    message = HTML + b"<a href='http://www%2ea.com/x'>https:</a>"
    found = uri_detail.find(view(message), [condition, UriCondition("type", RulePattern("a"))])
    assert found == (b"http://www%2ea.com/x" if holds else None)


def test_conditions_hold_for_one_uri() -> None:
    message = b"A: b\n\nhttp://a.com/ http://b.com/x\n"
    conditions = [UriCondition("raw", RulePattern("a.com")), UriCondition("raw", RulePattern("x$"))]
    assert uri_detail.find(view(message), conditions) is None
