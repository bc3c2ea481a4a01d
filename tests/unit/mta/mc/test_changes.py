"""What differs between two sendmail.cf files, by kind."""

from __future__ import annotations

import pytest

from filterd.mta.mc.changes import changes

OLD = """\
V10/Berkeley
# a comment
DSgate.example
CP.
C{w}localhost
C{w}here.example
O LogLevel=9
Kaccess hash /etc/mail/access
Sparse=0
R$*\t$: $1\tcomment
R$+\t$@ x
Mlocal,\tP=/bin/mail, F=l,
\t\tA=mail $u
HSubject: $>check
Xf1, S=unix:/a
"""


@pytest.mark.parametrize(
    ("before", "after", "kind", "name", "gone", "made"),
    [
        ("DSgate", "DSother", "macros", "S", "DSgate.example", "DSother.example"),
        ("LogLevel=9", "LogLevel=10", "options", "LogLevel", "O LogLevel=9", "O LogLevel=10"),
        ("C{w}here.example\n", "", "classes", "{w}", "C{w}here.example", ""),
        (
            "hash /etc",
            "btree /etc",
            "maps",
            "access",
            "Kaccess hash /etc/mail/access",
            "Kaccess btree /etc/mail/access",
        ),
        ("$@ x", "$@ y", "rules", "parse", "R$+\t$@ x", "R$+\t$@ y"),
        (
            "A=mail $u",
            "A=mail -d $u",
            "mailers",
            "local",
            "Mlocal, P=/bin/mail, F=l, A=mail $u",
            "Mlocal, P=/bin/mail, F=l, A=mail -d $u",
        ),
        ("HSubject: $>check\n", "", "header fields", "Subject", "HSubject: $>check", ""),
        ("unix:/a", "unix:/b", "filters", "f1", "Xf1, S=unix:/a", "Xf1, S=unix:/b"),
    ],
)
def test_one_change(before: str, after: str, kind: str, name: str, gone: str, made: str) -> None:
    (found,) = changes(OLD, OLD.replace(before, after))
    assert (found.kind, found.name) == (kind, name)
    assert found.before == ((gone,) if gone else ())
    assert found.after == ((made,) if made else ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# a comment", "# another\n"),
        ("\tcomment", "\tother comment"),
        ("R$*\t$: $1", "R$*\t\t$: $1"),
        ("C{w}localhost\nC{w}here.example", "C{w}here.example\nC{w}localhost"),
        ("P=/bin/mail, F=l,\n\t\tA=", "P=/bin/mail, F=l, A="),
    ],
)
def test_what_does_not_count(before: str, after: str) -> None:
    assert before in OLD
    assert list(changes(OLD, OLD.replace(before, after))) == []


def test_the_order_of_rules_counts() -> None:
    swapped = OLD.replace("R$*\t$: $1\tcomment\nR$+\t$@ x\n", "R$+\t$@ x\nR$*\t$: $1\n")
    (found,) = changes(OLD, swapped)
    assert found.before == found.after != ()
    assert found.text() == f"rules: parse\n  - {found.before[0]}\n  + {found.after[0]}"
