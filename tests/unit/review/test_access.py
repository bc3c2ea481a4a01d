"""Who may do what with which message: the table of actions, and what `Access` lets through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.chain.verdict import Failure, FailureKind, RemovedPart, Symbol
from filterd.config.load import load
from filterd.message import Envelope, Recipient
from filterd.quarantine import GoneError, UnknownIdError
from filterd.review.access import Access
from filterd.review.actions import ActionError, ActionRequest, ReviewActions
from filterd.review.reviewer import Reviewer
from filterd.review.rights import ACTIONS, ADMIN_ONLY, BULK, NOT_ALONE, OWN_ONLY
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

ADMIN = Reviewer("ann", "admin")
BOB = Reviewer("bob", "reviewer", frozenset({"mx.example"}))

JOE, MAX = "joe@mx.example", "max@other.example"

LEARN = {"spam", "ham"}
PINS = {"pin", "unpin"}
LISTS = {"allow", "block"}
LOOKS = LEARN | PINS | {"rescan"}
ALL = set(ACTIONS)
DECIDES = {"delete", "release-ham"}
FOR_ADMINS = {"download-part", "status"}


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


FAILED = Failure("clamav", FailureKind.ERROR, "x")


@pytest.fixture
def actions(tmp_path: Path, mta: Mta) -> Iterator[ReviewActions]:
    config = tmp_path / "filterd.toml"
    config.write_text(
        '[chain]\nfilters = ["senders", "gtube"]\n'
        f'[quarantine]\nfolder = "{tmp_path}/q"\nrelease_port = {mta.port}\nrelease_timeout = 5.0\n'
        f'[filters.bayes]\nmodels = "{tmp_path}/models"\nstarter = false\n'
        f'[filters.senders]\nfile = "{tmp_path}/senders"\n'
    )
    found = ReviewActions(load(config))
    yield found
    found.store.close()


def keep(
    actions: ReviewActions,
    *recipients: str,
    id: str = "id1",
    virus: str = "",
    removed: bool = False,
    symbol: str = "BAYES_99",
    banned: bool = False,
    failures: tuple[Failure, ...] = (),
) -> None:
    """Keep a message to these recipients, held for all of them."""
    part = RemovedPart("a.exe", "banned", 0, 4)
    actions.store.put(
        revised(
            new(id, f"Subject: {id}\r\n\r\ntext\r\n".encode()),
            envelope=Envelope("ann@a.example", tuple(map(Recipient, recipients))),
            held_for=recipients,
            virus=virus,
            removed=(part,) if removed else (),
            symbols=(Symbol(symbol, 9.0, ""),),
            banned=banned,
            failures=failures,
        )
    )


@pytest.mark.parametrize(
    ("reviewer", "recipients", "more", "permitted"),
    [
        (ADMIN, (JOE, MAX), {}, ALL),
        (ADMIN, (MAX,), {"virus": "Eicar"}, ALL),
        (BOB, (JOE,), {}, ALL - FOR_ADMINS),
        (BOB, (JOE, MAX), {}, ALL - FOR_ADMINS - DECIDES),
        (BOB, (JOE,), {"virus": "Eicar"}, LOOKS | LISTS | {"delete"}),
        (BOB, (JOE, MAX), {"virus": "Eicar"}, LOOKS | LISTS),
        (BOB, (JOE,), {"removed": True}, LOOKS | LISTS | {"delete", "download"}),
        (BOB, (JOE,), {"banned": True}, LOOKS | LISTS | {"delete", "download"}),
        (BOB, (JOE,), {"failures": (FAILED,)}, LOOKS | LISTS | {"delete", "download"}),
        # Symbols of a plugin, which may call them as it likes.
        (BOB, (JOE,), {"symbol": "BANNED_NAME"}, ALL - FOR_ADMINS),
        (BOB, (JOE,), {"symbol": "DMARC_FAILED"}, ALL - FOR_ADMINS),
    ],
)
def test_what_is_permitted(
    actions: ReviewActions,
    reviewer: Reviewer,
    recipients: tuple[str, ...],
    more: dict[str, object],
    permitted: set[str],
) -> None:
    keep(actions, *recipients, **more)  # type: ignore[arg-type]
    access = Access(actions, reviewer, "web")
    assert access.permitted(access.entry("id1")) == permitted


@pytest.mark.parametrize("recipients", [(JOE,), (JOE, MAX)])
@pytest.mark.parametrize("virus", ["", "Eicar"])
@pytest.mark.parametrize("name", list(BULK))
def test_what_is_not_permitted_is_not_done_and_the_rest_is(
    actions: ReviewActions, name: str, recipients: tuple[str, ...], virus: str
) -> None:
    keep(actions, *recipients, virus=virus)
    access = Access(actions, BOB, "web")
    may = name in access.permitted(access.entry("id1"))
    (result,) = access.perform(name, ["id1"])
    assert result.ok is may, result.words
    assert bool(list(actions.store.journal.events("id1"))) is may
    assert (result.words.startswith((ADMIN_ONLY, NOT_ALONE))) is not may


@pytest.mark.parametrize("name", list(BULK))
def test_what_is_hidden_does_not_exist(actions: ReviewActions, name: str) -> None:
    keep(actions, MAX)
    access = Access(actions, BOB, "web")
    hidden, unknown = access.perform(name, ["id1", "id2"])
    assert (hidden.ok, hidden.words) == (False, "no message id1 in the quarantine")
    assert (unknown.ok, unknown.words) == (False, "no message id2 in the quarantine")
    assert list(actions.store.journal.events()) == []


@pytest.mark.parametrize(
    ("virus", "number", "bob"),
    [("", 0, True), ("", 1, False), ("Eicar", 0, False), ("Eicar", 1, False)],
)
def test_downloads(actions: ReviewActions, virus: str, number: int, bob: bool) -> None:
    """A removed part is for admins, whether or not a virus was found."""
    keep(actions, JOE, virus=virus, removed=True)
    assert Access(actions, ADMIN, "web").download("id1", number)
    if bob:
        assert Access(actions, BOB, "web").download("id1", number) == actions.store.read("id1")
    else:
        with pytest.raises(ActionError, match=ADMIN_ONLY):
            Access(actions, BOB, "web").download("id1", number)
    who = [event.who for event in actions.store.journal.events("id1")]
    assert who == ["web:ann"] + ["web:bob"] * bob


@pytest.mark.parametrize("name", ["release", "release-ham"])
@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ActionRequest(recipients=(MAX,)), OWN_ONLY),
        (ActionRequest(recipients=(JOE, MAX)), OWN_ONLY),
        (ActionRequest(viruses=True, note="I want it"), ADMIN_ONLY),
    ],
)
def test_a_reviewer_releases_to_its_own(
    actions: ReviewActions, mta: Mta, name: str, request_: ActionRequest, words: str
) -> None:
    keep(actions, JOE)
    (result,) = Access(actions, BOB, "api").perform(name, ["id1"], request_)
    assert (result.ok, result.words) == (False, words)
    assert mta.taken == []


def test_a_reviewer_cannot_list_a_sender_for_everybody(actions: ReviewActions) -> None:
    keep(actions, JOE, MAX)
    bob = Access(actions, BOB, "web")
    (result,) = bob.perform("allow", ["id1"], ActionRequest(everybody=True))
    assert (result.ok, result.words) == (False, ADMIN_ONLY)
    (result,) = bob.perform("allow", ["id1"])
    assert result.detail["entries"] == [
        {"entry": "allow ann@a.example for joe@mx.example", "changed": True}
    ]


def test_nobody_acts_in_anothers_name(actions: ReviewActions) -> None:
    keep(actions, JOE)
    Access(actions, BOB, "api").perform("pin", ["id1"], ActionRequest("cli:root", note="why"))
    (event,) = actions.store.journal.events("id1")
    assert (event.who, event.note) == ("api:bob", "why")


@pytest.mark.parametrize("name", ["pin", "ham", "delete"])
def test_the_trouble_of_one_does_not_stop_the_others(actions: ReviewActions, name: str) -> None:
    for id, to in (("id1", JOE), ("id2", MAX), ("id3", JOE)):
        keep(actions, to, id=id)
    ids = ["id1", "../passwd", "id2", "id3", "id1"]
    results = Access(actions, BOB, "web").perform(name, ids)
    assert [(one.id, one.ok) for one in results] == [
        ("id1", True),
        ("../passwd", False),
        ("id2", False),
        ("id3", True),
    ]


def test_a_release_that_was_not_learned_says_both(
    actions: ReviewActions, mta: Mta, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    keep(actions, JOE)
    (result,) = Access(actions, ADMIN, "web").perform("release-ham", ["id1"])
    assert not result.ok
    assert "joe@mx.example: released" in result.words
    assert "not learned: the model cannot be taught now" in result.words
    assert len(mta.taken) == 1


def test_what_is_about_the_site_is_for_admins(actions: ReviewActions) -> None:
    keep(actions, JOE)
    ((_reason, state, number, _octets),) = Access(actions, ADMIN, "web").counts()
    assert (state, number) == ("held", 1)
    for ask in (lambda bob: bob.counts(), lambda bob: bob.require("status")):
        with pytest.raises(ActionError, match=ADMIN_ONLY):
            ask(Access(actions, BOB, "web"))


def test_what_is_gone(actions: ReviewActions) -> None:
    keep(actions, JOE)
    bob = Access(actions, BOB, "web")
    bob.perform("delete", ["id1"])
    with pytest.raises(GoneError):
        bob.download("id1")
    with pytest.raises(UnknownIdError, match="passwd in the quarantine"):
        bob.entry("../passwd")
