"""What surrounds an address stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mta.cf.crack import ROOM, cracked
from filterd.mta.cf.marks import Names


def crack(text: str) -> str:
    found = cracked(text, colon_in_addresses=False, must_quote="@,;:\\()[].'")
    return Names().show(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ann@x.test", "$g"),
        ("ann@x.test (Ann)", "$g (Ann)"),
        ("(Ann) ann@x.test", "(Ann) $g"),
        ("(a (b) c) ann (d)", "(a (b) c) $g (d)"),
        ("Ann <ann@x.test>", "Ann <$g>"),
        ("Ann Lee <ann@x.test> (home)", "Ann Lee <$g> (home)"),
        # A phrase with special characters is quoted.
        ("Ann L. Lee <ann@x.test>", '"Ann L. Lee" <$g>'),
        ('"Ann" L. <ann@x.test>', '"\\"Ann\\" L." <$g>'),
        ('"Ann L." <ann@x.test>', '"Ann L." <$g>'),
        ("people: ann, bob;", "people: $g;"),
        ("host::user", "$g"),
        ("<ann@x.test> junk", "<$g> junk"),
        # What is missing is closed.
        ("Ann <ann@x.test", "Ann <$g>"),
        ("ann (home", "$g (home)"),
        ("  ann", "  $g"),
        ('"ann"@x.test', "$g"),
        ("a\\@b", "$g"),
        ("", ""),
        ("ann (" + "x" * 300 + ")", "<$g>"),
    ],
)
def test_the_address_is_replaced(text: str, expected: str) -> None:
    assert crack(text) == expected


@given(st.text(st.sampled_from("ab@<>()\"\\:;,. [']"), max_size=300))
def test_there_is_room_for_all(text: str) -> None:
    found = cracked(text, colon_in_addresses=False, must_quote="@,;:\\()[].'")
    assert len(found) < ROOM
