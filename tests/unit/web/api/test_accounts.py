"""Accounts and tokens, by REST."""

from __future__ import annotations

import pytest

from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site


def test_an_account_from_its_making_to_its_end(site: Site, admin: Program) -> None:
    wish = {"name": "dora", "role": "helpdesk", "limits": ["mx.example", "ann@other.example"]}
    secret = admin.post("/accounts/add", wish).json()["secret"]
    assert site.log_in("dora", secret).status_code == 303
    found = {one["name"]: one for one in admin.get("/accounts").json()["accounts"]}
    assert found["dora"]["domains"] == ["mx.example"]
    assert found["dora"]["recipients"] == ["ann@other.example"]
    assert secret not in admin.get("/accounts").text
    changed = admin.post("/accounts/change", {"name": "dora", "role": "auditor"}).json()
    assert changed["words"] == "role auditor"
    other = admin.post("/accounts/password", {"name": "dora"}).json()["secret"]
    assert site.log_in("dora", secret, site.another()).status_code == 403
    assert site.log_in("dora", other, site.another()).status_code == 303
    assert admin.post("/accounts/factor", {"name": "dora"}).status_code == 200
    assert admin.post("/accounts/remove", {"name": "dora"}).json()["words"] == "removed"
    assert site.state.accounts.get("dora") is None
    assert site.events() == ["account"] * 5


def test_a_token(site: Site, admin: Program) -> None:
    wish = {"kind": "token", "name": "backup", "role": "auditor"}
    token = admin.post("/accounts/add", wish).json()["secret"]
    backup = Program(site, token)
    assert backup.get("/messages").status_code == 200
    gone = {"kind": "token", "name": "backup"}
    assert admin.post("/accounts/remove", gone).status_code == 200
    assert backup.get("/messages").status_code == 401


@pytest.mark.parametrize(
    ("path", "wish", "words"),
    [
        ("add", {"name": "ann", "role": "admin"}, "ann"),
        ("add", {"name": "x", "role": "reviewer"}, "needs a domain"),
        ("add", {"name": "x", "role": "emperor"}, "role"),
        ("add", {"name": "x", "role": "helpdesk", "limits": ["a b"]}, "a b"),
        ("change", {"name": "nobody", "role": "admin"}, "nobody"),
        ("remove", {"name": "nobody"}, "nobody"),
        ("password", {"name": ""}, "name"),
    ],
)
def test_what_is_not_possible(
    admin: Program, path: str, wish: dict[str, object], words: str
) -> None:
    answer = admin.post(f"/accounts/{path}", wish)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert "/" not in answer.json()["detail"], "no folder of this machine"


@pytest.mark.parametrize("role", ["reviewer", "helpdesk", "auditor"])
def test_only_admins(site: Site, role: str) -> None:
    program = Program(
        site, tokens_of(site).add("other", role, ["mx.example"] * (role != "auditor"))
    )
    assert program.get("/accounts").status_code == 403
    for path, wish in (
        ("add", {"name": "x", "role": "admin"}),
        ("change", {"name": "ann", "role": "auditor"}),
        ("password", {"name": "ann"}),
        ("factor", {"name": "ann"}),
        ("remove", {"name": "ann"}),
    ):
        assert program.post(f"/accounts/{path}", wish).status_code == 403
    assert site.state.accounts.get("ann") is not None
