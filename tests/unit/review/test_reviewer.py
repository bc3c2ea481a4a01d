"""Whom a reviewer reaches."""

from __future__ import annotations

import pytest

from filterd.review.reviewer import Reviewer

ADMIN = Reviewer("ann", "admin")
MX = Reviewer("bob", "reviewer", frozenset({"mx.example"}))
JOE = Reviewer("cid", "reviewer", recipients=frozenset({"joe@mx.example"}))
NONE = Reviewer("dan", "reviewer")
EAI = Reviewer(
    "eva", "reviewer", frozenset({"XN--MLLER-KVA.example"}), frozenset({"J\u00fcrgen@mx.example"})
)


@pytest.mark.parametrize(
    ("who", "recipients", "sees", "decides", "within"),
    [
        (ADMIN, ["joe@mx.example", "x@y.example"], True, True, ("joe@mx.example", "x@y.example")),
        (ADMIN, [], True, True, ()),
        (MX, ["joe@mx.example"], True, True, ("joe@mx.example",)),
        (MX, ["JOE@MX.Example"], True, True, ("JOE@MX.Example",)),
        (MX, ["joe@mx.example", "x@y.example"], True, False, ("joe@mx.example",)),
        (MX, ["x@y.example"], False, False, ()),
        (MX, ["x@sub.mx.example"], False, False, ()),
        (MX, ["x@notmx.example"], False, False, ()),
        (MX, ["mx.example"], False, False, ()),
        (MX, [], False, False, ()),
        (JOE, ["joe@mx.example"], True, True, ("joe@mx.example",)),
        (JOE, ["sue@mx.example"], False, False, ()),
        (JOE, ['"joe"@MX.example.'], True, True, ('"joe"@MX.example.',)),
        (JOE, ["joe+lists@mx.example"], True, True, ("joe+lists@mx.example",)),
        (JOE, ["joe"], False, False, ()),
        (EAI, ["jürgen@mx.example"], True, True, ("jürgen@mx.example",)),
        (EAI, ["x@xn--mller-kva.example"], True, True, ("x@xn--mller-kva.example",)),
        (JOE, ['"x joe@mx.example"@y.example'], False, False, ()),
        (NONE, ["joe@mx.example"], False, False, ()),
    ],
)
def test_limits(
    who: Reviewer, recipients: list[str], sees: bool, decides: bool, within: tuple[str, ...]
) -> None:
    assert who.may_see(recipients) is sees
    assert who.may_decide(recipients) is decides
    assert who.within(recipients) == within


def test_limits_for_a_search() -> None:
    assert ADMIN.visible == ()
    assert MX.visible == ("@mx.example",)
    assert JOE.visible == ("joe@mx.example",)
    assert NONE.visible == ("@",), "an empty one would mean all"
    assert EAI.visible == ("@müller.example", "jürgen@mx.example")
