"""Rules that somebody pastes or uploads, and the steps that a page shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from httpx import Response

from filterd.system.confinement import can_confine_files
from filterd.web.pages import trace
from tests.helpers.process import require, unpacked
from tests.helpers.site import Site, text_of, token_in

pytestmark = pytest.mark.server

CF = """\
V10/Berkeley
O OperatorChars=.:%@!^/[]+
Ktable hash /etc/mail/table
S3
R$* % $*	$: $1 @ $2
R$+ @ $+	$: $1 < @ $(table $2 $: $2 $) >
S0
R<b> < @ $* >	$#error $@ 5.1.2 $: "550 no such <i>host</i>"
R$+ < @ $+ >	$#smtp $@ $2 $: $1 < @ $2 >
R$+	$#local $: $1
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat $u
Msmtp, P=[IPC], F=mDFMuX, A=TCP $h
"""
MC = """\
OSTYPE(`linux')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_RULE_0
Rrobot	$#local $: x
"""
MACROS = unpacked("sendmail") / "usr/share/sendmail/cf"


def asked(site: Site, upload: tuple[str, bytes] | None = None, **fields: str) -> Response:
    data = {"csrf": token_in(site.get("/trace")), "addresses": "joe%old.test", **fields}
    files: Any = {"file": upload or ("", b"")}
    return site.browser.post("/trace", data=data, files=files)


def test_only_admins_have_the_page(ann: Site, tmp_path: Path) -> None:
    assert 'href="/trace"' in ann.get("/quarantine").text
    ann.browser = ann.another()
    ann.log_in("bob")
    assert 'href="/trace"' not in ann.get("/quarantine").text
    token = token_in(ann.get("/quarantine"))
    data = {"csrf": token, "rules": CF, "addresses": "joe"}
    for answer in (ann.get("/trace"), ann.browser.post("/trace", data=data)):
        assert answer.status_code == 403
        assert "only an admin may do that" in text_of(answer)


def test_each_step_can_be_gone_through(ann: Site) -> None:
    answer = asked(ann, rules=CF.replace("\n", "\r\n"), addresses="joe%old.test\r\n\r\nann\r\n")
    assert answer.status_code == 200
    text = text_of(answer)
    assert "mailer smtp, host old.test, user joe<@old.test>" in text
    assert "mailer local, user ann" in text
    assert "1 sendmail.cf:5 ‹ › R $* % $* → becomes $: $1 @ $2" in text.replace("R$*", "R $*")
    assert "$1 $* joe $2 $* old . test" in text
    assert "not looked up: /etc/mail/table was not given" in text
    # Each link leads to a rule that is there.
    ids = re.findall(r'<li class="step depth-\d" id="([^"]+)"', answer.text)
    assert ids == ["a1-1", "a1-2", "a1-3", "a2-1"]
    assert set(re.findall(r'href="#(a[^"]+)"', answer.text)) == set(ids)


def test_tables_are_asked_by_line(ann: Site) -> None:
    files = "==> /etc/mail/table <==\n\nold.test new.test\n"
    text = text_of(asked(ann, rules=CF, files=files))
    assert "table(old.test) = 'new.test' (/etc/mail/table:2)" in text
    assert "host new.test" in text
    assert "Not looked up" not in text


def test_what_was_asked_stays_in_the_form(ann: Site) -> None:
    answer = asked(ann, rules=CF, side="sender", place="header", mailer="smtp", host="mx.own.test")
    assert "for mailer smtp: joe<@old.test>" in text_of(answer)
    assert "R$* % $*\t$: $1 @ $2" in answer.text, "with its tab"
    for chosen in ("sender", "header"):
        assert f'<option value="{chosen}" selected>' in answer.text
    assert 'value="mx.own.test"' in answer.text


def test_a_file_is_uploaded_and_stays_too(ann: Site) -> None:
    upload = ("sendmail.cf", CF.replace("\n", "\r\n").encode() + b"Dx\xff\n")
    answer = asked(ann, upload, rules="something else")
    assert "host old.test" in text_of(answer)
    assert "R$* % $*\t$: $1 @ $2" in answer.text
    assert "something else" not in answer.text


def test_what_rules_say_is_shown_as_text(ann: Site) -> None:
    answer = asked(ann, rules=CF, addresses="<b>@<script>alert(1)</script>")
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<b>" not in answer.text
    refused = asked(ann, rules=CF.replace("R<b>", "R$-"), addresses="joe@x")
    assert "no such <i>host</i>" in text_of(refused)
    assert "<i>" not in refused.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rules": ""}, "the file is empty"),
        ({"rules": CF, "addresses": " \n"}, "0 addresses; expected 1 to 20"),
        ({"rules": CF, "mailer": "uucp"}, "uucp: not in sendmail.cf; it has "),
        ({"rules": CF, "files": "a b"}, "the line 'a b' belongs to no file"),
        ({"rules": "x" * (300 << 10)}, "at most 262144 are read"),
    ],
)
def test_what_cannot_be_traced(ann: Site, fields: dict[str, str], said: str) -> None:
    answer = asked(ann, **fields)
    assert answer.status_code == 422
    assert said in text_of(answer)


def test_what_is_too_large(ann: Site) -> None:
    assert asked(ann, ("x.cf", b"x" * (300 << 10))).status_code == 413
    assert asked(ann, rules="x" * (2 << 20)).status_code == 413


def test_an_mc_file_goes_through_m4(tmp_path: Path) -> None:
    require("m4", "m4")
    require(unpacked("sendmail") / "usr/libexec/sendmail/sendmail", "sendmail-cf")
    if not can_confine_files():
        pytest.skip("this kernel has no Landlock")
    site = Site(tmp_path, web=f'sendmail_macros = "{MACROS}"')
    site.log_in()
    text = text_of(asked(site, rules=MC, addresses="robot"))
    assert re.search(r"sendmail\.mc:5 \(line \d+ of the cf, sendmail\.mc:5\)", text)
    assert "mailer local, user x" in text
    wrong = text_of(asked(site, ("site.mc", MC.replace("OSTYPE", "OSTPYE").encode())))
    assert "sendmail.mc:1: " in wrong
    assert "OSTPYE is not a macro" in wrong
    # And what the page says stands.
    answer = asked(site, rules="include(`/etc/passwd')\n" + MC)
    assert "root:" not in answer.text
    assert "There is no sendmail.cf to ask" in text_of(answer)
    site.state.close()


def test_where_m4_cannot_be_confined_the_page_says_so(
    ann: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no Landlock" not in text_of(ann.get("/trace"))
    monkeypatch.setattr(trace, "can_confine_files", lambda: False)
    text = text_of(ann.get("/trace"))
    assert "Mc files are not taken here: the kernel has no Landlock" in text
    assert "or an mc file, up to" not in text
