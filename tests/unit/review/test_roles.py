"""What each role may do, and with whose mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.message import Envelope, Recipient
from filterd.quarantine import UnknownIdError
from filterd.quarantine.query import Query
from filterd.review.access import Access
from filterd.review.actions import ActionError, ActionRequest, ReviewActions
from filterd.review.principals import PrincipalError, PrincipalFile, new_principal
from filterd.review.reviewer import ROLES, Reviewer, Role
from filterd.review.rights import (
    ACTIONS,
    ADMIN_ONLY,
    BULK,
    OWN_ONLY,
    THEIRS_ONLY,
    role_refusal,
)
from tests.helpers.entries import new
from tests.helpers.receiving_mta import Mta, running
from tests.helpers.reports import revised

pytestmark = pytest.mark.slow

JOE, MAX = "joe@mx.example", "max@other.example"

DESK = Reviewer("desk", "helpdesk")
DESK_MX = Reviewer("mx", "helpdesk", frozenset({"mx.example"}))
AUDITOR = Reviewer("eve", "auditor")

MAY: dict[Role, set[str]] = {
    "admin": set(ACTIONS),
    "reviewer": {*BULK, "rescan", "download", "senders", "greylist", "requests"},
    "helpdesk": {"release", "rescan", "requests"},
    "auditor": {"rescan", "status", "dmarc"},
    "user": {"release", "ham", "allow", "block", "delete", "undelete", "senders"},
}


@pytest.fixture
def mta() -> Iterator[Mta]:
    with running() as mta:
        yield mta


@pytest.fixture
def actions(tmp_path: Path, mta: Mta) -> Iterator[ReviewActions]:
    config = tmp_path / "filterd.toml"
    config.write_text(
        f'[chain]\nfilters = ["gtube"]\n[quarantine]\nfolder = "{tmp_path}/q"\n'
        f"release_port = {mta.port}\nrelease_timeout = 5.0\n"
    )
    found = ReviewActions(load(config))
    for id, to in (("id1", (JOE,)), ("id2", (MAX,)), ("id3", (JOE, MAX))):
        envelope = Envelope("ann@a.example", tuple(map(Recipient, to)))
        one = new(id, f"Subject: {id}\r\n\r\ntext\r\n".encode())
        found.store.put(revised(one, envelope=envelope, held_for=to, removed=(), failures=()))
    yield found
    found.store.close()


@pytest.mark.parametrize("role", ROLES)
def test_the_table_of_roles(role: Role) -> None:
    domains = frozenset({"mx.example"}) if role == "reviewer" else frozenset[str]()
    reviewer = Reviewer("x", role, domains)
    assert {n for n, one in ACTIONS.items() if not role_refusal(reviewer, one)} == MAY[role]


@pytest.mark.parametrize(
    ("reviewer", "ids"),
    [(DESK, {"id1", "id2", "id3"}), (AUDITOR, {"id1", "id2", "id3"}), (DESK_MX, {"id1", "id3"})],
)
def test_whose_mail_a_role_sees(actions: ReviewActions, reviewer: Reviewer, ids: set[str]) -> None:
    access = Access(actions, reviewer, "web")
    assert {row.id for row in access.search(Query()).rows} == ids
    for id in ("id1", "id2", "id3"):
        if id in ids:
            assert access.entry(id).id == id
        else:
            with pytest.raises(UnknownIdError):
                access.entry(id)


@pytest.mark.parametrize("reviewer", [DESK, DESK_MX, AUDITOR], ids=lambda one: one.name)
@pytest.mark.parametrize("name", list(BULK))
def test_what_a_role_may_not_do_is_refused_and_not_done(
    actions: ReviewActions, mta: Mta, reviewer: Reviewer, name: str
) -> None:
    (result,) = Access(actions, reviewer, "api").perform(name, ["id1"])
    done = [event.what for event in actions.store.journal.events("id1")]
    if name in MAY[reviewer.role]:
        assert result.ok
        assert [one.rcpt for one in mta.taken] == [[JOE]]
    else:
        assert (result.ok, result.words) == (False, f"the role {reviewer.role} may not do that")
        assert done == []
        assert mta.taken == []


def test_a_helpdesk_releases_to_those_who_should_have_it(actions: ReviewActions, mta: Mta) -> None:
    for reviewer, to, words in (
        (DESK, ("thief@elsewhere.example",), THEIRS_ONLY),
        (DESK_MX, (MAX,), OWN_ONLY),
    ):
        (result,) = Access(actions, reviewer, "web").perform(
            "release", ["id3"], ActionRequest(recipients=to)
        )
        assert (result.ok, result.words) == (False, words)
    (result,) = Access(actions, DESK_MX, "web").perform("release", ["id3"])
    assert result.ok
    assert [one.rcpt for one in mta.taken] == [[JOE]]


@pytest.mark.parametrize("reviewer", [DESK, DESK_MX, AUDITOR], ids=lambda one: one.name)
def test_nobody_but_admins_and_reviewers_takes_bytes_away(
    actions: ReviewActions, reviewer: Reviewer
) -> None:
    access = Access(actions, reviewer, "web")
    with pytest.raises(ActionError, match="may not do that"):
        access.download("id1")
    with pytest.raises(ActionError, match=ADMIN_ONLY):
        access.download("id1", 1)


def test_an_auditor_sees_what_all_have_done(actions: ReviewActions) -> None:
    Access(actions, Reviewer("ann", "admin"), "web").perform("pin", ["id2"])
    assert [event.who for event in Access(actions, AUDITOR, "web").audit()] == ["web:ann"]
    assert list(Access(actions, DESK_MX, "web").audit()) == []
    assert Access(actions, AUDITOR, "web").counts()
    with pytest.raises(ActionError, match=ADMIN_ONLY):
        Access(actions, DESK, "web").counts()


@pytest.mark.parametrize(
    ("role", "domains", "words"),
    [
        ("reviewer", (), "a reviewer needs a domain"),
        ("admin", ("mx.example",), "an admin sees everything"),
        ("auditor", ("mx.example",), "an auditor sees everything"),
        ("helpdesk", (), ""),
        ("helpdesk", ("mx.example",), ""),
        ("auditor", (), ""),
    ],
)
def test_which_limits_go_with_a_role(
    tmp_path: Path, role: Role, domains: tuple[str, ...], words: str
) -> None:
    if words:
        with pytest.raises(PrincipalError, match=words):
            new_principal("eve", role, "", domains, ())
        return
    one = new_principal("eve", role, "$argon2id$x", domains, ())
    file = PrincipalFile(tmp_path / "accounts.json", "account")
    file.add(one)
    assert PrincipalFile(file.path, "account").read()["eve"] == one


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"role": "boss"}, "expected admin, reviewer, helpdesk, auditor or user"),
        ({"role": "auditor", "domains": ["mx.example"]}, "an auditor has limits"),
    ],
)
def test_a_file_with_a_wrong_role(tmp_path: Path, change: dict[str, object], words: str) -> None:
    file = tmp_path / "accounts.json"
    one = {"name": "eve", "role": "helpdesk", "secret": "x", "made": "", "domains": []}
    value = {"format": 2, "kind": "account", "principals": [{**one, "recipients": [], **change}]}
    file.write_text(json.dumps(value))
    file.chmod(0o600)
    with pytest.raises(PrincipalError, match=words):
        PrincipalFile(file, "account").read()


@pytest.mark.parametrize("role", ["helpdesk", "auditor"])
def test_format_1_has_no_such_roles(tmp_path: Path, role: str) -> None:
    """A limit that is left out there would open all mail to a helpdesk."""
    file = tmp_path / "accounts.json"
    one = {"name": "eve", "role": role, "password": "x", "domains": ["a,b"], "recipients": []}
    file.write_text(json.dumps({"format": 1, "accounts": [one]}))
    file.chmod(0o600)
    with pytest.raises(PrincipalError, match="expected admin or reviewer"):
        PrincipalFile(file, "account").read()
