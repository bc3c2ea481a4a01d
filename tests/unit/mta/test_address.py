"""Paths of MAIL and RCPT."""

from __future__ import annotations

import pytest

from filterd.mta.mail.address import PathError, domain_part, local_part, parse_path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<a@x.test>", "a@x.test"),
        ("a@x.test", "a@x.test"),
        ("<>", ""),
        (" <joe> ", "joe"),
        ("<@relay.test:a@x.test>", "a@x.test"),
        ("<@a,@b:c@d>", "c@d"),
        ('<"a b"@x.test>', '"a b"@x.test'),
        ("<a+b=c@x.test>", "a+b=c@x.test"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
    ],
)
def test_what_is_a_path(text: str, address: str) -> None:
    assert parse_path(text) == address


@pytest.mark.parametrize(
    ("text", "code", "complaint"),
    [
        ("<bad@@mx>", "5.1.3", "Invalid route address"),
        ("<@x.test>", "5.1.3", "User address required"),
        ("<a@>", "5.1.3", "Hostname required"),
        ("<a@x", "5.0.0", "Unbalanced '<'"),
        ("a@x>", "5.0.0", "Unbalanced '>'"),
        ('<"a@x>', "5.0.0", "Unbalanced '\"'"),
        ("<a@x y>", "5.1.2", "Invalid host name"),
        (f"<{'a' * 300}@x>", "5.1.0", "Address too long"),
    ],
)
def test_what_is_none(text: str, code: str, complaint: str) -> None:
    with pytest.raises(PathError) as caught:
        parse_path(text)
    assert (caught.value.code, str(caught.value)) == (code, complaint)


def test_parts() -> None:
    assert (local_part("Joe@X.Test."), domain_part("Joe@X.Test.")) == ("Joe", "x.test")
    assert (local_part("joe"), domain_part("joe")) == ("joe", "")
