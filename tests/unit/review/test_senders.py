"""The list of senders, as people with different rights see and change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.filters.senders.list import SenderEntry, read
from filterd.review.access import Access
from filterd.review.actions import ActionError, ReviewActions
from filterd.review.reviewer import Reviewer
from filterd.review.senders import SendersError, SiteSenders

ADMIN = Reviewer("ann", "admin")
BOB = Reviewer("bob", "reviewer", frozenset(["mx.example"]), frozenset(["cid@other.example"]))
NOON = 1_795_953_600.0


class OneSite:
    def __init__(self, folder: Path, filters: str = '"senders"', more: str = "") -> None:
        config = folder / "filterd.toml"
        config.write_text(
            f'[chain]\nfilters = [{filters}]\n[quarantine]\nfolder = "{folder}/q"\n'
            f'[filters.senders]\nfile = "{folder}/senders.list"\n{more}'
        )
        self.file = folder / "senders.list"
        self.actions = ReviewActions(load(config))
        self.senders = SiteSenders(self.actions.settings, self.actions.store, lambda: NOON)

    def access(self, reviewer: Reviewer) -> Access:
        return Access(self.actions, reviewer, "web")

    @property
    def journal(self) -> list[tuple[str, str, str]]:
        return [(one.what, one.who, one.note) for one in self.actions.store.journal.events()]


@pytest.fixture
def site(tmp_path: Path) -> OneSite:
    return OneSite(tmp_path)


def test_add_and_remove(site: OneSite) -> None:
    entry = SenderEntry("block", "a.example", "joe@mx.example")
    done = site.senders.add(site.access(BOB), entry, "asked for")
    assert done.changed
    assert done.words == (
        "Mail from a.example (envelope) to joe@mx.example gets +20 points (SENDER_BLOCKED), unless "
        "an entry that stands before says otherwise; a message to several recipients only if all "
        "of them block its sender. Other findings still count."
    )
    (one,) = site.senders.all(BOB)
    assert one.entry == entry
    assert one.note.startswith("web:bob, 2026-11-29 ")
    assert one.note.endswith(": asked for")
    # People and the filter read the same line.
    assert read(site.file) == (entry,)
    assert not site.senders.add(site.access(BOB), entry).changed
    assert site.senders.remove(site.access(BOB), entry, "over").changed
    assert not site.senders.remove(site.access(BOB), entry).changed
    assert read(site.file) == ()
    assert site.journal == [
        ("blocked", "web:bob", f"{entry} asked for"),
        ("unlisted", "web:bob", f"{entry} over"),
    ]


def test_an_entry_takes_the_place_of_the_opposite(site: OneSite) -> None:
    site.senders.add(site.access(ADMIN), SenderEntry("block", "ann@a.example"))
    site.senders.add(site.access(ADMIN), SenderEntry("allow", "ann@a.example"))
    assert [str(one) for one in read(site.file)] == ["allow ann@a.example for *"]


@pytest.mark.parametrize(
    ("recipient", "is_own"),
    [
        ("joe@mx.example", True),
        ("joe+list@mx.example", True),
        ("mx.example", True),
        ("MX.example", True),
        ("cid@other.example", True),
        ("sue@other.example", False),
        ("other.example", False),
        (".mx.example", False),
        (".example", False),
        ("*", False),
    ],
)
def test_a_reviewer_has_its_own_entries(site: OneSite, recipient: str, is_own: bool) -> None:
    entry = SenderEntry("block", "a.example", recipient)
    if is_own:
        site.senders.add(site.access(BOB), entry)
    else:
        for change in (site.senders.add, site.senders.remove):
            with pytest.raises(ActionError, match="your own recipients"):
                change(site.access(BOB), entry)
        assert site.journal == []
        site.senders.add(site.access(ADMIN), entry)
    assert [one.entry for one in site.senders.all(ADMIN)] == [entry]
    assert [one.entry for one in site.senders.all(BOB)] == [entry] * is_own


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (SenderEntry("block", "prvs=1a2b=ann@a.example"), "expected ann@a.example"),
        (SenderEntry("block", "SRS0=H=T=a.example=ann@f.example"), "expected ann@a.example"),
        (SenderEntry("allow", "l+joe=mx.example@l.example"), "expected l@l.example"),
        (SenderEntry("allow", "ann@a.example", proven=True), "proof is never found"),
    ],
)
def test_what_would_have_no_effect_is_not_listed(
    site: OneSite, entry: SenderEntry, words: str
) -> None:
    with pytest.raises(SendersError, match=words):
        site.senders.add(site.access(ADMIN), entry)
    assert not site.file.exists()


@pytest.mark.parametrize("note", ["two\nallow * for *", "x" * 501, "\x1b[2J"])
def test_a_note_is_one_line(site: OneSite, note: str) -> None:
    with pytest.raises(SendersError, match="one line"):
        site.senders.add(site.access(ADMIN), SenderEntry("block", "a.example"), note)
    assert not site.file.exists()


def test_a_score_of_nothing(tmp_path: Path) -> None:
    site = OneSite(tmp_path, more="block_score = 0\n")
    with pytest.raises(SendersError, match="block_score = 0"):
        site.senders.add(site.access(ADMIN), SenderEntry("block", "a.example"))


def test_proof_is_demanded_where_it_is_found(tmp_path: Path) -> None:
    with_auth = OneSite(tmp_path, '"auth", "senders"').senders
    assert (with_auth.demands_proof("allow"), with_auth.demands_proof("block")) == (True, False)
    assert "(SPF or DKIM)" in with_auth.effect(SenderEntry("allow", "a.example", proven=True))
    assert not OneSite(tmp_path).senders.demands_proof("allow")


def test_what_people_wrote_by_hand(site: OneSite) -> None:
    site.file.write_text(
        "# ours\n\nallow ann@a.example  # a friend\nblock .b.example for mx.example\n"
    )
    found = site.senders.all(ADMIN)
    assert [(one.line, one.note) for one in found] == [(3, "a friend"), (4, "")]
    assert [one.line for one in site.senders.all(ADMIN, "FRIEND")] == [3]
    assert [one.line for one in site.senders.all(ADMIN, after=3)] == [4]
    site.file.write_text("allow\n")
    with pytest.raises(SendersError, match=r"^senders.list:1:"):
        site.senders.all(ADMIN)
