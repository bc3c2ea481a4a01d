"""Who may do what with which message: the table of actions, and what `Access` lets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from filterd.chain.verdict import Action, Failure, FailureKind, Outcome, RemovedPart, Symbol
from filterd.config.assembly import open_recent_mail
from filterd.config.load import load
from filterd.message import Envelope, Message, Recipient
from filterd.quarantine import GoneError, StoreError, UnknownIdError
from filterd.quarantine.query import Query
from filterd.review.access import ID_SHOWN, Access, MessageView
from filterd.review.actions import ActionError, ActionRequest, ActionResult, ReviewActions
from filterd.review.reviewer import Reviewer
from filterd.review.rights import (
    ACTIONS,
    ADMIN_ONLY,
    BULK,
    NOT_ALONE,
    OWN_ONLY,
    ReviewAction,
    Right,
    own_recipients,
    refusal,
)
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import report, revised

pytestmark = pytest.mark.slow

ADMIN = Reviewer("ann", "admin")
BOB = Reviewer("bob", "reviewer", frozenset({"mx.example"}))

JOE, MAX = "joe@mx.example", "max@other.example"

LEARN = {"spam", "ham"}
PINS = {"pin", "unpin"}
LISTS = {"allow", "block"}
LOOKS = LEARN | PINS | {"rescan", "senders", "greylist", "requests"}
ALL = set(ACTIONS)
DECIDES = {"delete", "undelete", "release-ham"}
DELETES = {"delete", "undelete"}
FOR_ADMINS = {"download-part", "status", "trace", "dmarc", "lists", "rates", "accounts"}


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
    held_for: tuple[str, ...] | None = None,
    **more: object,
) -> None:
    """Keep a message to these recipients, held for all of them unless held_for says otherwise."""
    part = RemovedPart("a.exe", "banned", 0, 4)
    actions.store.put(
        revised(
            new(id, f"Subject: {id}\r\n\r\ntext\r\n".encode()),
            envelope=Envelope("ann@a.example", tuple(map(Recipient, recipients))),
            held_for=recipients if held_for is None else held_for,
            virus=virus,
            removed=(part,) if removed else (),
            **{"symbols": (Symbol(symbol, 9.0, ""),), **more},
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
        # Only another recipient's copy is held: nothing is his to release.
        (BOB, (JOE, MAX), {"held_for": (MAX,)}, LOOKS | {"download"}),
        # Nobody's copy is held, all have the message.
        (BOB, (JOE,), {"held_for": ()}, ALL - FOR_ADMINS),
        (BOB, (JOE,), {"virus": "Eicar"}, LOOKS | LISTS | DELETES),
        (BOB, (JOE, MAX), {"virus": "Eicar"}, LOOKS | LISTS),
        (BOB, (JOE,), {"removed": True}, LOOKS | LISTS | DELETES | {"download"}),
        (BOB, (JOE,), {"banned": True}, LOOKS | LISTS | DELETES | {"download"}),
        (BOB, (JOE,), {"failures": (FAILED,)}, LOOKS | LISTS | DELETES | {"download"}),
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


SHARED, OF_JOE, OF_MAX = Symbol("SHARED", 9.0, ""), Symbol("OF_JOE", 1.0), Symbol("OF_MAX", 4.0)


@pytest.mark.parametrize(
    ("reviewer", "symbols", "score"),
    [
        (ADMIN, (SHARED, OF_MAX), 13.0),
        (BOB, (SHARED, OF_JOE), 10.0),
        (Reviewer("eve", "reviewer", frozenset({"other.example"})), (SHARED, OF_MAX), 13.0),
    ],
)
def test_what_was_found_about_another_recipient_alone_is_not_shown(
    actions: ReviewActions, reviewer: Reviewer, symbols: tuple[Symbol, ...], score: float
) -> None:
    outcomes = tuple(
        Outcome(to, Action.QUARANTINE, "default", (one,))
        for to, one in ((JOE, OF_JOE), (MAX, OF_MAX))
    )
    keep(actions, JOE, MAX, symbols=(SHARED, OF_MAX), score=13.0, outcomes=outcomes)
    entry = Access(actions, reviewer, "web").entry("id1")
    assert (entry.symbols, entry.score) == (symbols, score)


@pytest.mark.parametrize(
    ("query", "of_bob", "of_admin"),
    [
        (Query(), 10.0, 13.0),
        (Query(symbol="shared"), 10.0, 13.0),
        (Query(symbol="OF_MAX"), None, 13.0),
        (Query(score_from=10.0, score_to=13.0), 10.0, 13.0),
        (Query(score_to=13.0, symbol="SHARED"), 10.0, 13.0),
        (Query(score_from=10.5), None, 13.0),
        (Query(score_from=10.5, symbol="SHARED"), None, 13.0),
        (Query(score_to=12.0), None, None),
    ],
)
def test_neither_do_lists_show_it_nor_searches_tell(
    actions: ReviewActions, query: Query, of_bob: float | None, of_admin: float | None
) -> None:
    outcomes = tuple(
        Outcome(to, Action.QUARANTINE, "default", (one,))
        for to, one in ((JOE, OF_JOE), (MAX, OF_MAX))
    )
    found: dict[str, object] = {"symbols": (SHARED, OF_MAX), "score": 13.0, "outcomes": outcomes}
    keep(actions, JOE, MAX, **found)  # type: ignore[arg-type]
    for reviewer, score in ((BOB, of_bob), (ADMIN, of_admin)):
        rows = Access(actions, reviewer, "web").search(query).rows
        assert [(row.score, row.recipients) for row in rows] == (
            [] if score is None else [(score, (JOE, MAX))]
        )
        names = ("SHARED", "OF_JOE" if reviewer is BOB else "OF_MAX")
        assert all(row.symbols == names for row in rows)


def test_a_damaged_message_of_several_is_listed_without_points(actions: ReviewActions) -> None:
    keep(actions, JOE, MAX, symbols=(SHARED, OF_MAX), score=13.0)
    keep(actions, JOE, id="id2")
    for id in ("id1", "id2"):
        actions.store.path(id).with_suffix(".json").write_text("{")
    access = Access(actions, BOB, "web")
    # All of the second one is his.
    rows = {row.id: (row.symbols, row.score) for row in access.search(Query()).rows}
    assert rows == {"id1": ((), 0.0), "id2": (("BAYES_99",), 9.5)}
    assert [row.id for row in access.search(Query(symbol="SHARED")).rows] == []


@pytest.mark.parametrize("recipients", [(JOE,), (JOE, MAX)])
@pytest.mark.parametrize("virus", ["", "Eicar"])
@pytest.mark.parametrize("name", list(BULK))
def test_what_is_not_permitted_is_not_done_and_the_rest_is(
    actions: ReviewActions, name: str, recipients: tuple[str, ...], virus: str
) -> None:
    keep(actions, *recipients, virus=virus)
    access = Access(actions, BOB, "web")
    may = name in access.permitted(access.entry("id1"))
    before = []
    if name == "undelete":
        actions.store.delete("id1", "cli:root")
        before = list(actions.store.journal.events("id1"))
    (result,) = access.perform(name, ["id1"])
    assert result.ok is may, result.words
    assert (list(actions.store.journal.events("id1")) != before) is may
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
    assert str(tmp_path) not in f"{result}", "people of the pages are not on this machine"
    assert len(mta.taken) == 1


def test_what_is_about_the_site_is_for_admins(actions: ReviewActions) -> None:
    keep(actions, JOE)
    ((_reason, state, number, _octets),) = Access(actions, ADMIN, "web").counts()
    assert (state, number) == ("held", 1)
    for ask in (lambda bob: bob.counts(), lambda bob: bob.require("status")):
        with pytest.raises(ActionError, match=ADMIN_ONLY):
            ask(Access(actions, BOB, "web"))
    Access(actions, ADMIN, "web").require("status")
    Access(actions, BOB, "web").require("pin")


def test_what_is_gone(actions: ReviewActions) -> None:
    keep(actions, JOE)
    bob = Access(actions, BOB, "web")
    bob.perform("delete", ["id1"])
    with pytest.raises(GoneError):
        bob.download("id1")
    with pytest.raises(UnknownIdError, match="passwd in the quarantine"):
        bob.entry("../passwd")


# --- what a reviewer sees ---------------------------------------------------------------------


def seen(access: Access, **wish: str) -> set[str]:
    return {row.id for row in access.search(Query(**wish)).rows}  # type: ignore[arg-type]


def test_a_search_finds_what_may_be_seen(actions: ReviewActions) -> None:
    keep(actions, JOE, id="joe")
    keep(actions, MAX, id="max")
    keep(actions, JOE, MAX, id="both")
    assert seen(Access(actions, ADMIN, "web")) == {"joe", "max", "both"}
    assert seen(Access(actions, BOB, "web")) == {"joe", "both"}
    assert seen(Access(actions, BOB, "web"), subject="max") == set()
    # Nobody widens the limits by asking.
    wide = Query(visible=("@other.example",))
    assert {row.id for row in Access(actions, BOB, "web").search(wide).rows} == {"joe", "both"}


def test_the_bytes_are_for_who_may_see_the_message(actions: ReviewActions) -> None:
    keep(actions, JOE, id="joe", virus="Eicar")
    keep(actions, MAX, id="max")
    bob = Access(actions, BOB, "web")
    assert bob.data("joe") == actions.store.read("joe")
    for id in ("max", "nobody"):
        for ask in (bob.data, bob.entry, bob.look, bob.rescan, bob.download):
            with pytest.raises(UnknownIdError, match=f"no message {id} in the quarantine"):
                ask(id)
    assert list(actions.store.journal.events()) == []
    bob.viewed("joe")
    (event,) = actions.store.journal.events()
    assert (event.what, event.id, event.who) == ("viewed", "joe", "web:bob")


def test_what_is_taken_away_is_the_message_or_a_part_and_the_journal_says_which(
    actions: ReviewActions,
) -> None:
    keep(actions, JOE, removed=True)
    ann, bob = Access(actions, ADMIN, "web"), Access(actions, BOB, "api")
    whole = actions.store.read("id1")
    assert (ann.download("id1"), ann.download("id1", 1)) == (whole, whole[:4])
    assert bob.download("id1") == whole
    with pytest.raises(ActionError, match=f"^{ADMIN_ONLY}$"):
        bob.download("id1", 1)
    assert [(event.what, event.who, event.note) for event in actions.store.journal.events()] == [
        ("exported", "web:ann", ""),
        ("exported", "web:ann", "part 1"),
        ("exported", "api:bob", ""),
    ]


def test_an_error_repeats_the_beginning_of_what_was_asked(actions: ReviewActions) -> None:
    with pytest.raises(UnknownIdError) as error:
        Access(actions, ADMIN, "web").entry("x" * 10_000)
    assert str(error.value) == f"no message {'x' * ID_SHOWN} in the quarantine"


def test_a_look_shows_ones_own_recipients_and_what_concerns_them(actions: ReviewActions) -> None:
    keep(actions, JOE, MAX)
    keep(actions, JOE, id="id2")
    ann = Access(actions, ADMIN, "web")
    ann.viewed("id1")
    ann.perform("delete", ["id2"])
    ann.perform("release", ["id1"], ActionRequest(recipients=(MAX,)))
    ann.perform("release", ["id1"], ActionRequest(recipients=(JOE,)))
    ann.perform("allow", ["id1"], ActionRequest(recipients=(MAX,)))
    ann.perform("block", ["id1"], ActionRequest(recipients=(MAX,)))
    ann.perform("block", ["id1"], ActionRequest(recipients=(MAX,), off=True))
    Access(actions, BOB, "api").perform("block", ["id1"])
    whole, part = ann.look("id1"), Access(actions, BOB, "web").look("id1")
    assert part.entry == whole.entry == ann.entry("id1")
    assert part.delivery_state == whole.delivery_state == actions.store.delivery_state("id1")
    assert {one.recipient: one.state for one in whole.deliveries} == {
        JOE: "released",
        MAX: "released",
    }
    assert [one.recipient for one in part.deliveries] == [JOE]

    def told(look: MessageView) -> list[tuple[str, str, tuple[str, ...]]]:
        # The intent and the result of a release are one thing here.
        events = [(event.what, event.who, event.recipients) for event in look.events]
        return list(dict.fromkeys(event for event in events if event[0] != "releasing"))

    assert told(whole) == [
        ("viewed", "web:ann", ()),
        ("released", "web:ann", (MAX,)),
        ("released", "web:ann", (JOE,)),
        ("allowed", "web:ann", ()),
        ("blocked", "web:ann", ()),
        ("unlisted", "web:ann", ()),
        ("blocked", "api:bob", ()),
    ]
    # An entry of the list names its recipient: it is shown to who made it.
    assert told(part) == [
        ("viewed", "web:ann", ()),
        ("released", "web:ann", (JOE,)),
        ("blocked", "api:bob", ()),
    ]


def test_the_audit_trail_of_a_reviewer_is_its_own_on_every_way_in(actions: ReviewActions) -> None:
    keep(actions, JOE)
    everybody = [("web", BOB), ("api", ADMIN), ("api", BOB), ("web", ADMIN)]
    for source, who in everybody:
        Access(actions, who, source).perform("pin", ["id1"])  # type: ignore[arg-type]
    actions.store.note("viewed", "id1", "cli:bob")
    ann, bob = Access(actions, ADMIN, "web"), Access(actions, BOB, "web")
    whole = ["web:bob", "api:ann", "api:bob", "web:ann", "cli:bob"]
    assert [event.who for event in ann.audit()] == whole
    assert [event.who for event in ann.newest()] == whole[::-1]
    assert [event.who for event in bob.audit()] == ["web:bob", "api:bob"]
    assert [event.who for event in bob.newest()] == ["api:bob", "web:bob"]
    assert [event.who for event in ann.newest("viewed")] == ["cli:bob"]
    assert list(bob.newest("viewed")) == []


# --- why not ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "recipients", "more", "request_", "why"),
    [
        ("delete", (JOE,), {}, None, ""),
        ("delete", (JOE, MAX), {}, None, NOT_ALONE),
        ("release", (JOE,), {"virus": "Eicar"}, None, f"{ADMIN_ONLY}: it contains a virus (Eicar)"),
        (
            "download",
            (JOE,),
            {"virus": "Eicar"},
            None,
            f"{ADMIN_ONLY}: it contains a virus (Eicar)",
        ),
        ("download", (JOE,), {"banned": True}, None, ""),
        ("download-part", (JOE,), {}, None, ADMIN_ONLY),
        ("release", (JOE, MAX), {}, ActionRequest(recipients=(JOE,)), ""),
        ("release", (JOE, MAX), {}, ActionRequest(recipients=(MAX,)), OWN_ONLY),
        ("release", (JOE, MAX), {}, ActionRequest(everybody=True), ADMIN_ONLY),
        ("pin", (JOE, MAX), {}, ActionRequest(viruses=True), ADMIN_ONLY),
        ("spam", (JOE, MAX), {}, ActionRequest(recipients=(MAX,)), OWN_ONLY),
    ],
)
def test_why_a_reviewer_may_not(
    actions: ReviewActions,
    name: str,
    recipients: tuple[str, ...],
    more: dict[str, object],
    request_: ActionRequest | None,
    why: str,
) -> None:
    keep(actions, *recipients, **more)  # type: ignore[arg-type]
    entry = actions.store.get("id1")
    assert refusal(BOB, ACTIONS[name], entry, request_) == why
    assert refusal(ADMIN, ACTIONS[name], entry, request_) == ""
    if request_ is None:
        assert Access(actions, BOB, "web").refusal(name, entry) == why


def test_who_sees_a_message_without_a_copy_of_its_own_releases_nothing(
    actions: ReviewActions,
) -> None:
    """Its recipient got it; the copy that is held is another's."""
    keep(actions, JOE, MAX, held_for=(MAX,))
    (result,) = Access(actions, BOB, "web").perform("release", ["id1"])
    assert (result.ok, result.words) == (False, NOT_ALONE)
    assert own_recipients(BOB, actions.store.get("id1")) == ()
    assert own_recipients(ADMIN, actions.store.get("id1")) == (MAX,)


def test_a_release_by_a_reviewer_is_for_its_own(actions: ReviewActions, mta: Mta) -> None:
    keep(actions, JOE, MAX)
    (result,) = Access(actions, BOB, "web").perform("release", ["id1"])
    assert (result.ok, result.words.split(":")[0]) == (True, JOE)
    (taken,) = mta.taken
    assert taken.rcpt == [JOE]


def test_of_its_own_recipients_a_reviewer_may_choose_some(actions: ReviewActions, mta: Mta) -> None:
    keep(actions, JOE, "sue@mx.example")
    Access(actions, BOB, "web").perform("release", ["id1"], ActionRequest(recipients=(JOE,)))
    assert [taken.rcpt for taken in mta.taken] == [[JOE]]
    (result,) = Access(actions, BOB, "web").perform("release", ["id1"])
    assert [one["recipient"] for one in result.detail["recipients"]] == [JOE, "sue@mx.example"]
    assert [taken.rcpt for taken in mta.taken] == [[JOE], ["sue@mx.example"]]


@pytest.mark.parametrize(
    ("name", "calls"), [("ham", [["id1", "id2"]]), ("pin", [["id1"], ["id2"]])]
)
def test_what_is_learned_is_learned_at_once(
    actions: ReviewActions, monkeypatch: pytest.MonkeyPatch, name: str, calls: list[list[str]]
) -> None:
    made: list[list[str]] = []

    def run(ids: Sequence[str], request: ActionRequest, **_: bool) -> list[ActionResult]:
        assert request == ActionRequest("api:bob", "api")
        made.append(list(ids))
        return [ActionResult(id, True, "done") for id in ids]

    keep(actions, JOE, id="id1")
    keep(actions, JOE, id="id2")
    monkeypatch.setattr(actions, "learn", run)
    monkeypatch.setattr(actions, "pin", run)
    results = Access(actions, BOB, "api").perform(name, ["id1", "id2"])
    assert [(one.id, one.ok, one.words) for one in results] == [
        ("id1", True, "done"),
        ("id2", True, "done"),
    ]
    assert made == calls


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreError(28, "No space left on device", "/var/spool/q"), "No space left on device"),
        (StoreError(), "the store has failed"),
        (ActionError("the model cannot be taught now"), "the model cannot be taught now"),
        (GoneError("deleted meanwhile"), "deleted meanwhile"),
    ],
)
def test_trouble_is_told_without_names_of_files(
    actions: ReviewActions, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def run(*_: object, **__: object) -> list[ActionResult]:
        raise error

    keep(actions, JOE)
    monkeypatch.setattr(actions, "pin", run)
    (result,) = Access(actions, ADMIN, "web").perform("pin", ["id1"])
    assert (result.ok, result.words) == (False, words)


def test_what_the_table_says_of_a_rescan_counts(
    actions: ReviewActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(actions, JOE)
    monkeypatch.setitem(ACTIONS, "rescan", ReviewAction(Right.ADMIN, roles=()))  # type: ignore[misc]
    with pytest.raises(ActionError, match=f"^{ADMIN_ONLY}$"):
        Access(actions, BOB, "web").rescan("id1")


def test_a_scan_by_a_reviewer_changes_nothing(actions: ReviewActions) -> None:
    keep(actions, JOE, MAX)
    bob = Access(actions, BOB, "web")
    assert bob.rescan("id1").id == "id1"
    assert bob.scan(b"Subject: x\r\n\r\n", Envelope("ann@a.example")).sender == "ann@a.example"
    assert list(actions.store.journal.events()) == []
    assert bob.who == "web:bob"


def test_a_reviewer_may_name_its_recipient_though_its_copy_is_not_held(
    actions: ReviewActions,
) -> None:
    keep(actions, JOE, MAX, held_for=(MAX,))
    access = Access(actions, BOB, "web")
    entry, action = access.entry("id1"), ACTIONS["release"]
    assert refusal(BOB, action, entry) == NOT_ALONE
    assert refusal(BOB, action, entry, ActionRequest(recipients=(JOE,))) == ""
    assert refusal(BOB, action, entry, ActionRequest(recipients=(MAX,))) == OWN_ONLY


# --- the table --------------------------------------------------------------------------------


def test_what_asks_first_and_what_can_be_for_everybody() -> None:
    assert {name for name, one in ACTIONS.items() if one.asks_first} == {"allow", "block", "delete"}
    assert {name for name, one in ACTIONS.items() if one.for_everybody} == {"allow", "block"}
    assert {name for name, one in ACTIONS.items() if one.together} == {"spam", "ham"}
    assert set(BULK) == ALL - {
        "accounts",
        "rescan",
        "download",
        "download-part",
        "requests",
        "status",
        "trace",
        "dmarc",
        "lists",
        "rates",
        "senders",
        "greylist",
    }
    assert all(isinstance(one.right, Right) for one in ACTIONS.values())
    assert (ACTIONS["rescan"].button, ACTIONS["download"].button) == (
        "Scan again",
        "Download the exact bytes",
    )
    # What a page shows has words; `{}` is the number of messages.
    assert all(
        one.button and one.phrase.count("{}") == 1 and one.explained for one in BULK.values()
    )


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("release", ("release", {})),
        ("release-ham", ("release_and_learn", {})),
        ("spam", ("learn", {"spam": True})),
        ("ham", ("learn", {"spam": False})),
        ("pin", ("pin", {"pinned": True})),
        ("unpin", ("pin", {"pinned": False})),
        ("allow", ("list_senders", {})),
        ("block", ("list_senders", {})),
        ("delete", ("delete", {})),
    ],
)
def test_each_name_does_what_it_says(name: str, called: tuple[str, dict[str, bool]]) -> None:
    calls: list[tuple[object, ...]] = []

    class Do:
        def __getattr__(self, method: str) -> Callable[..., list[ActionResult]]:
            return lambda *given, **named: calls.append((method, named, given)) or []

    run, request = BULK[name].run, ActionRequest()
    assert run is not None
    run(Do(), ["id1"], request)  # type: ignore[arg-type]
    kind = (name,) if called[0] == "list_senders" else ()
    assert calls == [(*called, (*kind, ["id1"], request))]


def test_a_user_sees_no_copies_of_recent_mail(tmp_path: Path) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[quarantine]\nfolder = "{tmp_path}/q"\n'
        f'[history]\nmail_hours = 1\nmail_key = "{tmp_path}/key"\n'
    )
    actions = ReviewActions(load(config))
    message = Message(b"Subject: x\r\n\r\n", Envelope("a@b.example", (Recipient(JOE),)), "id1")
    assert open_recent_mail(actions.settings).keep(message, report("id1"))
    assert Access(actions, BOB, "web").entry("id1").id == "id1"
    eva = Reviewer("eva", "user", recipients=frozenset({JOE}))
    with pytest.raises(UnknownIdError):
        Access(actions, eva, "web").entry("id1")
    with pytest.raises(UnknownIdError):
        Access(actions, eva, "web").data("id1")
    actions.store.close()
