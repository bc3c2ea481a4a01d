"""What may be asked, and what is said of the rest."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.trace.question import TraceQuestion
from filterd.mta.trace.request import TraceRequest, files_of, looks_like_mc

RULES = "V10\nS3\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": " \n"}, "the file is empty"),
        ({"text": "x" * ((1 << 18) + 1)}, "262145 octets; at most 262144 are read"),
        ({"text": "V10\0\n"}, "the file: there is a NUL"),
        ({"text": "V10\ud800\n"}, "half of a surrogate pair"),
        ({"addresses": ()}, "0 addresses; expected 1 to 20"),
        ({"addresses": ("a",) * 21}, "21 addresses; expected 1 to 20"),
        ({"addresses": ("a\nb",)}, "has a line end"),
        ({"addresses": (" ",)}, "an address is empty"),
        ({"addresses": ("a" * 1001,)}, "an address: 1001 octets"),
        ({"host": "mx example"}, "host: expected a name"),
        ({"question": TraceQuestion(mailer="a b")}, "mailer: expected a name"),
        ({"files": {"access": ""}}, "'access' is not the full name of a file"),
        ({"files": {f"/{n}": "" for n in range(51)}}, "51 files; at most 50 are read"),
        ({"files": {"/a": "x" * (1 << 17), "/b": "y" * (1 << 17) + "z"}}, "262145 octets"),
    ],
)
def test_what_is_refused(given: dict[str, object], said: str) -> None:
    wish = {"text": RULES, "addresses": ("joe",), **given}
    with pytest.raises(ValueError, match=re.escape(said)):
        TraceRequest(**wish)  # type: ignore[arg-type]


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(["\udcff", "é", ""]),
)
def test_a_request_comes_through_json_as_it_is(text: str, octet: str) -> None:
    wish = TraceRequest(
        RULES + text + octet,
        ("joe" + octet,),
        True,
        TraceQuestion(sender=True, mailer="esmtp"),
        "mx.example",
        {"/etc/mail/access": text},
    )
    assert TraceRequest.from_json(wish.to_json().encode("ascii")) == wish


def test_files_as_tail_prints_them() -> None:
    text = "\n==> /etc/mail/access <==\nspam.example REJECT\n\n==> /etc/mail/w <==\nmx.example\n"
    assert files_of(text) == {
        "/etc/mail/access": "spam.example REJECT\n\n",
        "/etc/mail/w": "mx.example\n\n",
    }
    assert files_of("") == {}
    with pytest.raises(ValueError, match=r"the line 'spam\.example REJECT' belongs to no file"):
        files_of("spam.example REJECT")
    with pytest.raises(ValueError, match="/a is there twice"):
        files_of("==> /a <==\n==> /a <==\n")


@pytest.mark.parametrize(
    ("text", "is_mc"),
    [
        ("OSTYPE(`linux')dnl\n", True),
        ("dnl a comment\nMAILER(`local')\n", True),
        ("divert(-1)\n", True),
        ("V10/Berkeley\nS3\nR$*\t$1\n", False),
        ("##### built by root\n# define(x)\nV10/Berkeley\ndefine(`x')\n", False),
        ("S3\nR$*\t$1\n", False),
    ],
)
def test_what_a_file_looks_like(text: str, is_mc: bool) -> None:
    assert looks_like_mc(text) is is_mc
