"""Fields with addresses are brought into the form in which sendmail leaves them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.filters.sign.settled import HARD_LIMIT, settled
from filterd.message.mailboxes import mailboxes

AS_IT_IS = [
    b" bob@other.example",
    b" bob@other.example, carl@other.example",
    b" bob@other.example,\r\n\tCarl <carl@other.example>",
    b" bob@other.example (Bob), carl@other.example (Carl , x (y, z))",
    b" undisclosed-recipients:;",
    b" friends: bob@other.example, carl@other.example;",
    b' "Bob \\", x" <bob@other.example>',
    b' "Bob B. Bob" <bob@other.example>',
    b" =?utf-8?Q?B=2E_B?= <bob@other.example>",
    b" Bob <bob@[192.0.2.1]>",
    b"",
    b" \xff\xfe,x@y",
    b" a (b",
    b' "a, b',
    # No edit can have these.
    b" bob@a.example,carl@b.example\rX: y",
    b" bob@a.example,carl@b.example\0",
    # With domains it would be larger than any header may be.
    b" " + b",".join(b"u%d" % n for n in range(4000)),
]
REWRITTEN = {
    b" bob@a.example,carl@b.example": "bob@a.example, carl@b.example",
    b' Bob<bob@a.example>,"Carl, the"<carl@b.example>': (
        'Bob<bob@a.example>, "Carl, the"<carl@b.example>'
    ),
    b" bob@a.example , carl@b.example": "bob@a.example, carl@b.example",
    b" bob@a.example,": "bob@a.example",
    b" ,, bob@a.example,,": "bob@a.example",
    b" Bob B. Bob <bob@a.example>": '"Bob B. Bob" <bob@a.example>',
    b" Bob O'Neil <bob@a.example>": '"Bob O\'Neil" <bob@a.example>',
    b" Bob  < bob@a.example >": "Bob  <bob@a.example>",
    b" <@relay.example,@x.example:bob@a.example>": "<bob@a.example>",
    b" bob@a.example.": "bob@a.example",
    b" joe, <sue>": "joe@mx.example, <sue@mx.example>",
    " Änn,b@c".encode(): "Änn@mx.example, b@c",
}


@pytest.mark.parametrize("raw", AS_IT_IS, ids=lambda raw: repr(raw[:60]))
def test_what_stays(raw: bytes) -> None:
    assert settled("To", raw, host="mx.example") is None


@pytest.mark.parametrize(("raw", "value"), REWRITTEN.items())
def test_what_is_written_anew(raw: bytes, value: str) -> None:
    assert settled("To", raw, host="mx.example") == value
    assert settled("To", raw, rewriting=False, host="mx.example") is None


def test_an_author_without_a_domain_is_not_completed() -> None:
    assert settled("From", b" joe", host="mx.example") is None
    assert settled("From", b" joe,a@b", host="mx.example") == "joe, a@b"


@pytest.mark.parametrize("rewriting", [True, False])
def test_a_list_in_one_long_line_is_folded(rewriting: bool) -> None:
    raw = b" " + b",".join(b"someone.%d@other.example" % n for n in range(100))
    value = settled("Cc", raw, rewriting=rewriting)
    assert value is not None
    assert max(map(len, value.split("\n"))) <= 76
    assert mailboxes(value) == mailboxes(raw)
    folded = raw.replace(b",", b",\r\n ")
    assert settled("Cc", folded, rewriting=rewriting) is None


octets = st.text(st.sampled_from("ab@.,;:<>()\"\\' \t=?\r\0"), max_size=60).map(str.encode)


@given(octets)
def test_it_is_settled_after_once(raw: bytes) -> None:
    value = settled("To", raw, host="mx.example")
    if value is not None:
        assert "\r" not in value and "\0" not in value
        assert all(line.startswith("\t") for line in value.split("\n")[1:])
        if max(map(len, value.split("\n"))) <= HARD_LIMIT:
            assert settled("To", b" " + value.encode(), host="mx.example") is None
