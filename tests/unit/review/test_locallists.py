"""Changes of local lists: what is written, what is refused, and what can be undone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.filters.locallists.settings import LocalListsSettings
from filterd.filters.locallists.text import version_of
from filterd.message import Client, Envelope, Message, Recipient
from filterd.quarantine import StoreError
from filterd.review import former, locallists
from filterd.review.access import Access
from filterd.review.actions import ActionError, ReviewActions
from filterd.review.former import Former
from filterd.review.list_values import (
    ChangedMeanwhileError,
    ListChangeError,
    ListFileError,
    ListState,
    UnknownListError,
)
from filterd.review.locallists import SiteLists, names_of
from filterd.review.reviewer import Reviewer

TOML = """
[chain]
filters = ["senders", "locallists"]
[quarantine]
folder = "q"
[[filters.locallists.lists]]
file = "lists/blocked.list"
about = "client"
action = "reject"
[[filters.locallists.lists]]
file = "partners.list"
about = "sender"
kind = "allow"
[[filters.locallists.lists]]
file = "partners.list"
about = "from"
kind = "allow"
points = -1.0
"""

BLOCKED = b"# from the meeting\n192.0.2.0/24   # spam\n\n203.0.113.7 for joe@mx.example\n"


class Admin:
    """Somebody who edits the lists of one site."""

    def __init__(self, folder: Path) -> None:
        config = folder / "filterd.toml"
        config.write_text(TOML)
        (folder / "lists").mkdir()
        self.blocked = folder / "lists" / "blocked.list"
        self.blocked.write_bytes(BLOCKED)
        self.partners = folder / "partners.list"
        settings = load(config)
        self.actions = ReviewActions(settings)
        self.access = Access(self.actions, Reviewer("ann", "admin"), "web")
        self.lists = SiteLists(settings, self.actions.store, lambda: 1_796_000_000.0)

    def state(self, name: str = "blocked.list") -> ListState:
        return self.lists.one(self.access, name)

    @property
    def version(self) -> str:
        text = self.state().text
        assert text is not None
        return text.version

    @property
    def journal(self) -> list[tuple[str, str, str]]:
        events = self.actions.store.journal.events()
        return [(event.what, event.who, event.note) for event in events]

    @property
    def former(self) -> Path:
        return self.blocked.with_name(".blocked.list.former")


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Admin]:
    found = Admin(tmp_path)
    yield found
    found.actions.store.close()


def test_the_lists_of_the_settings(ann: Admin) -> None:
    blocked, partners = ann.lists.all(ann.access)
    assert (blocked.list.name, blocked.list.path) == ("blocked.list", ann.blocked)
    assert blocked.list.abouts == ("client",)
    assert (blocked.summary.entries, blocked.summary.wrong) == (2, 0)
    assert partners.list.abouts == ("sender", "from"), "one file, two uses"
    assert partners.text is not None and not partners.text.data, "there is no such file yet"


def test_files_of_one_name_go_by_their_folders_too(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(TOML.replace('"partners.list"', '"other/blocked.list"'))
    settings = load(config)
    actions = ReviewActions(settings)
    access = Access(actions, Reviewer("ann", "admin"), "api")
    names = [one.list.name for one in SiteLists(settings, actions.store).all(access)]
    assert names == ["lists/blocked.list", "other/blocked.list"]


def test_an_entry_more(ann: Admin) -> None:
    done = ann.lists.add(ann.access, "blocked.list", "198.51.100.0/24", "a botnet")
    assert ann.blocked.read_bytes() == BLOCKED + b"198.51.100.0/24  # a botnet\n"
    assert (done.line, done.version) == (5, ann.version)
    assert done.words == "198.51.100.0/24 is listed"
    told = "blocked.list: 198.51.100.0/24 is listed; a botnet"
    assert ann.journal == [("blocked", "web:ann", told)]
    allowed = ann.lists.add(ann.access, "partners.list", "a.example")
    assert ann.partners.read_bytes() == b"a.example\n"
    assert ann.partners.stat().st_mode & 0o777 == 0o600
    assert (allowed.line, ann.journal[-1][0]) == (1, "allowed")


def test_another_in_its_place_and_one_less(ann: Admin) -> None:
    change = ann.lists.change(ann.access, "blocked.list", ann.version, 2, "192.0.2.0/25", "half")
    assert change.line == 2
    new = b"# from the meeting\n192.0.2.0/25  # half\n\n203.0.113.7 for joe@mx.example\n"
    assert ann.blocked.read_bytes() == new
    ann.lists.remove(ann.access, "blocked.list", ann.version, 4, "joe asked")
    assert ann.blocked.read_bytes() == b"# from the meeting\n192.0.2.0/25  # half\n\n"
    assert ann.journal == [
        (
            "blocked",
            "web:ann",
            "blocked.list: line 2 is 192.0.2.0/25  # half, it was 192.0.2.0/24   # spam",
        ),
        (
            "unlisted",
            "web:ann",
            "blocked.list: line 4, 203.0.113.7 for joe@mx.example, is removed; joe asked",
        ),
    ]


def test_only_the_note_of_an_entry(ann: Admin) -> None:
    ann.lists.change(ann.access, "blocked.list", ann.version, 2, "192.0.2.0/24", "better")
    assert b"\n192.0.2.0/24  # better\n" in ann.blocked.read_bytes()


def test_octets_that_no_page_can_show_are_not_replaced_by_what_it_shows(ann: Admin) -> None:
    ann.blocked.write_bytes(b"192.0.2.1  # Gr\xfc\xdfe\n/\xfc/\n")
    for number, typed, note in ((1, "192.0.2.2", "Gr\ufffd\ufffde"), (2, "/\ufffd/", "x")):
        with pytest.raises(ListChangeError, match="cannot be shown"):
            ann.lists.change(ann.access, "blocked.list", ann.version, number, typed, note)
    ann.lists.change(ann.access, "blocked.list", ann.version, 1, "192.0.2.2", "Gr\u00fc\u00dfe")
    assert ann.blocked.read_bytes() == "192.0.2.2  # Gr\u00fc\u00dfe\n".encode() + b"/\xfc/\n"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("a.example", "expected"),
        ("192.0.2.9/24", r"192\.0\.2\.9/24 is in line 2 already"),
        ("203.0.113.7 for Joe@MX.example", "is in line 4 already"),
        ("", "the entry is empty"),
    ],
)
def test_what_is_refused_changes_nothing(ann: Admin, typed: str, why: str) -> None:
    before = ann.version
    changes: list[Callable[[], object]] = [
        lambda: ann.lists.add(ann.access, "blocked.list", typed),
        lambda: ann.lists.change(ann.access, "blocked.list", before, 1, typed),
    ]
    for change in changes:
        with pytest.raises(ListChangeError, match=why):
            change()
    assert ann.blocked.read_bytes() == BLOCKED
    assert not ann.former.exists() and ann.journal == []


def test_lines_and_lists_that_are_not_there(ann: Admin) -> None:
    for number in (0, 5):
        with pytest.raises(UnknownListError, match="no line"):
            ann.lists.remove(ann.access, "blocked.list", ann.version, number)
    for name in ("", "nosuch", "../filterd.toml", str(ann.blocked)):
        with pytest.raises(UnknownListError, match="no such list"):
            ann.lists.one(ann.access, name)
        with pytest.raises(UnknownListError, match="no such list"):
            ann.lists.add(ann.access, name, "192.0.2.1")


def test_only_admins(ann: Admin) -> None:
    bob = Access(ann.actions, Reviewer("bob", "reviewer", frozenset({"mx.example"})), "web")
    version = ann.version
    tries: list[Callable[[], object]] = [
        lambda: ann.lists.all(bob),
        lambda: ann.lists.one(bob, "blocked.list"),
        lambda: ann.lists.add(bob, "blocked.list", "192.0.2.1"),
        lambda: ann.lists.change(bob, "blocked.list", version, 2, "192.0.2.1"),
        lambda: ann.lists.remove(bob, "blocked.list", version, 2),
        lambda: ann.lists.undo(bob, "blocked.list", version),
    ]
    for one in tries:
        with pytest.raises(ActionError):
            one()
    assert ann.blocked.read_bytes() == BLOCKED


def test_a_file_with_a_mistake_can_be_corrected_and_not_made_worse(ann: Admin) -> None:
    ann.blocked.write_bytes(b"192.0.2.1\nnonsense\nmore nonsense\n")
    assert ann.state().summary.wrong == 2
    ann.lists.add(ann.access, "blocked.list", "192.0.2.2")
    ann.lists.change(ann.access, "blocked.list", ann.version, 2, "192.0.2.3")
    ann.lists.remove(ann.access, "blocked.list", ann.version, 3)
    assert ann.blocked.read_bytes() == b"192.0.2.1\n192.0.2.3\n192.0.2.2\n"
    assert ann.state().summary.wrong == 0


def test_expressions_that_are_too_many_together(
    ann: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filterd.filters.locallists.text.REGEX_LIMIT", 1)
    ann.blocked.write_bytes(b"/^192/\n")
    with pytest.raises(ListChangeError, match="more than 1 regular expressions"):
        ann.lists.add(ann.access, "blocked.list", "/^203/")
    assert ann.blocked.read_bytes() == b"/^192/\n"


def test_what_somebody_changed_by_hand_is_not_overwritten(ann: Admin) -> None:
    seen = ann.version
    ann.blocked.write_bytes(b"# by hand\n" + BLOCKED)
    tries: list[Callable[[], object]] = [
        lambda: ann.lists.add(ann.access, "blocked.list", "192.0.2.1", version=seen),
        lambda: ann.lists.change(ann.access, "blocked.list", seen, 2, "192.0.2.1"),
        lambda: ann.lists.remove(ann.access, "blocked.list", seen, 2),
        lambda: ann.lists.undo(ann.access, "blocked.list", seen),
    ]
    for one in tries:
        with pytest.raises(ChangedMeanwhileError, match="nothing was written"):
            one()
    assert ann.blocked.read_bytes() == b"# by hand\n" + BLOCKED
    # Who did not look at the file before does not need to know.
    ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.blocked.read_bytes() == b"# by hand\n" + BLOCKED + b"198.51.100.1\n"


@pytest.mark.parametrize("replaced", [True, False], ids=["a new file", "the same file"])
def test_not_even_while_it_is_written(
    ann: Admin, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    fsync = os.fsync

    def edited_then(descriptor: int) -> None:
        by_hand = ann.blocked
        if replaced:
            by_hand = ann.blocked.with_name("new")
        by_hand.write_bytes(BLOCKED + b"192.0.2.99\n")
        if replaced:
            by_hand.rename(ann.blocked)
        fsync(descriptor)

    version = ann.version
    monkeypatch.setattr(os, "fsync", edited_then)
    with pytest.raises(ChangedMeanwhileError):
        ann.lists.remove(ann.access, "blocked.list", version, 2)
    monkeypatch.undo()
    assert ann.blocked.read_bytes() == BLOCKED + b"192.0.2.99\n"
    assert ann.journal == []
    assert ann.state().former is None and ann.state().edited
    left = sorted(one.name for one in ann.blocked.parent.glob(".*"))
    assert left == [".blocked.list.former", ".blocked.list.lock"]


def test_undo_and_undo_of_that(ann: Admin) -> None:
    assert ann.state().former is None
    with pytest.raises(ListChangeError, match="no change that could be undone"):
        ann.lists.undo(ann.access, "blocked.list", ann.version)
    ann.lists.remove(ann.access, "blocked.list", ann.version, 2)
    changed = ann.blocked.read_bytes()
    last = ann.state().former
    assert last is not None
    assert (last.who, last.time, last.data) == ("web:ann", 1_796_000_000.0, BLOCKED)
    assert last.change == "line 2, 192.0.2.0/24   # spam, is removed"
    # It is a file that people can read, too.
    assert ann.former.read_bytes().partition(b"\n")[2] == BLOCKED
    assert ann.former.read_bytes().startswith(b"# filterd {")
    ann.lists.undo(ann.access, "blocked.list", ann.version)
    assert ann.blocked.read_bytes() == BLOCKED
    ann.lists.undo(ann.access, "blocked.list", ann.version)
    assert ann.blocked.read_bytes() == changed
    ann.lists.undo(ann.access, "blocked.list", ann.version)
    assert ann.blocked.read_bytes() == BLOCKED
    assert [what for what, _who, _note in ann.journal] == ["unlisted", *["undone"] * 3]
    assert [note for _what, _who, note in ann.journal][1:] == [
        f"blocked.list: undone: {last.change}",
        f"blocked.list: done again: {last.change}",
        f"blocked.list: undone: {last.change}",
    ]


def test_no_undo_after_a_change_by_hand(ann: Admin) -> None:
    ann.lists.remove(ann.access, "blocked.list", ann.version, 2)
    ann.blocked.write_bytes(b"192.0.2.77\n")
    assert ann.state().former is None and ann.state().edited
    with pytest.raises(ListChangeError, match="no change that could be undone"):
        ann.lists.undo(ann.access, "blocked.list", ann.version)
    assert ann.blocked.read_bytes() == b"192.0.2.77\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"# filterd {}\nx\n",
        b'# filterd {"format": 2}\n',
        b"# filterd " + b"[" * 999,
    ],
)
def test_a_former_file_of_another_kind_is_none(ann: Admin, content: bytes) -> None:
    ann.former.write_bytes(content)
    assert ann.state().former is None
    ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.state().former is not None


def test_a_crash_after_the_former_file(ann: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    ann.lists.remove(ann.access, "blocked.list", ann.version, 2)
    before = ann.blocked.read_bytes()

    def crash(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    version = ann.version
    monkeypatch.setattr(locallists, "write_atomically", crash)
    with pytest.raises(ListFileError, match=r"blocked\.list cannot be changed: No space left"):
        ann.lists.remove(ann.access, "blocked.list", version, 1)
    monkeypatch.setattr(former, "write_atomically", crash)
    with pytest.raises(ListFileError):
        ann.lists.remove(ann.access, "blocked.list", version, 1)
    assert ann.blocked.read_bytes() == before
    assert len(ann.journal) == 1
    # Nothing is undone that was never done.
    assert ann.state().former is None


def test_a_change_counts_from_the_next_message_on(ann: Admin) -> None:
    filter = ann.actions.settings.of_filter(LocalListsSettings).build()
    envelope = Envelope("x@a.example", (Recipient("joe@mx.example"),), Client("", "198.51.100.1"))

    def found() -> list[str]:
        return [one.name for one in filter.examine(Message(b"\r\n", envelope, "id1")).symbols]

    assert found() == []
    ann.lists.add(ann.access, "blocked.list", "198.51.100.0/24", "a botnet")
    assert found() == ["LOCAL_BLOCKED_CLIENT"]
    ann.lists.undo(ann.access, "blocked.list", ann.version)
    assert found() == []


def test_modes_and_links_stay(ann: Admin) -> None:
    ann.blocked.chmod(0o640)
    link = ann.partners
    target = ann.blocked.with_name("real.list")
    target.write_bytes(b"")
    link.symlink_to(target)
    linked = SiteLists(ann.actions.settings, ann.actions.store)
    linked.add(ann.access, "real.list", "a.example")
    assert link.is_symlink() and target.read_bytes() == b"a.example\n"
    ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.blocked.stat().st_mode & 0o777 == 0o640
    assert ann.former.stat().st_mode & 0o777 == 0o640


def test_a_link_that_leads_elsewhere_later(ann: Admin) -> None:
    """As programs do that put whole folders of settings in place."""
    link, new = ann.partners, ann.blocked.with_name("new.list")
    link.symlink_to(ann.blocked.with_name("old.list"))
    assert "old.list" in [one.list.name for one in ann.lists.all(ann.access)]
    link.unlink()
    link.symlink_to(new)
    ann.lists.add(ann.access, "new.list", "a.example")
    assert new.read_bytes() == b"a.example\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_group_stay(ann: Admin) -> None:
    os.chown(ann.blocked, 4242, 4243)
    ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    for file in (ann.blocked, ann.former):
        assert (file.stat().st_uid, file.stat().st_gid) == (4242, 4243)


@pytest.mark.parametrize(
    ("mode", "groups", "changes"),
    [(0o660, [], False), (0o640, [], False), (0o644, [], True), (0o660, "own", True)],
)
def test_a_group_is_not_locked_out(
    ann: Admin, monkeypatch: pytest.MonkeyPatch, mode: int, groups: list[int] | str, changes: bool
) -> None:
    ann.blocked.chmod(mode)
    status = ann.blocked.stat()
    monkeypatch.setattr(os, "geteuid", lambda: status.st_uid or 4242)
    monkeypatch.setattr(os, "getegid", lambda: status.st_gid + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [status.st_gid] if groups == "own" else groups)
    if changes:
        ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
        return
    with pytest.raises(ListFileError, match=f"belongs to group {status.st_gid}"):
        ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.blocked.read_bytes() == BLOCKED
    assert not ann.former.exists()


def test_files_that_are_not_to_be_changed(ann: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != ann.blocked)
    with pytest.raises(ListFileError, match="read-only for filterd"):
        ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    monkeypatch.undo()
    if os.geteuid() == 0:
        os.chown(ann.blocked, 4242, -1)
    uid = ann.blocked.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ListFileError, match=f"belongs to uid {uid}"):
        ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.blocked.read_bytes() == BLOCKED


def test_files_that_cannot_be_read(ann: Admin) -> None:
    ann.blocked.write_bytes("192.0.2.1".encode("utf-16"))
    assert "UTF-16" in ann.state().error and ann.state().text is None
    with pytest.raises(ListChangeError, match="UTF-16"):
        ann.lists.add(ann.access, "blocked.list", "192.0.2.1")
    ann.blocked.unlink()
    os.mkfifo(ann.blocked)
    assert ann.state().error == "blocked.list cannot be read: is not a regular file"
    with pytest.raises(ListFileError):
        ann.lists.add(ann.access, "blocked.list", "192.0.2.1")


def test_a_journal_that_cannot_be_written_is_said(
    ann: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise StoreError(28, "No space left on device", "x")

    monkeypatch.setattr(ann.actions.store, "note", full)
    with pytest.raises(StoreError):
        ann.lists.add(ann.access, "blocked.list", "198.51.100.1")
    assert ann.state().former is not None, "the change is made, and can be undone"


def test_former(tmp_path: Path) -> None:
    path = tmp_path / "some.list"
    kept = Former(b"one\r\n\xfc", version_of(b"two"), 7.5, "web:\u00fc", 'words "and"\tmore')
    kept.write(path, 0o600)
    assert Former.read(path) == kept
    assert Former.read(tmp_path / "other.list") is None


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/x.list", "/a/y.list"], ["x.list", "y.list"]),
        (["/a/x.list", "/b/x.list", "/b/y.list"], ["a/x.list", "b/x.list", "y.list"]),
        (["/a/x.list", "/b/a/x.list", "/x.list"], ["a/x.list", "b/a/x.list", "x.list"]),
    ],
)
def test_names_of_files(paths: list[str], names: list[str]) -> None:
    assert names_of([Path(one) for one in paths]) == names
