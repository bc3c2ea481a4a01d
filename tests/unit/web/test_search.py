"""The page of the one search, and the same by REST and on the command line."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from filterd.cli.app import _command
from filterd.review.tokens import TokenFile
from tests.helpers.reports import record
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def lived(site: Site) -> tuple[Site, str]:
    """A site with a kept message and a record of another one; the id of the first."""
    id = site.put(subject=b"red shoes")
    now = datetime.now().timestamp()
    site.state.history.add(
        [
            record("h1", now + 5, recipients=("joe@mx.example",), subject="blue <b>shoes</b>"),
            record("h2", now + 6, recipients=("max@other.example",), subject="no shoes"),
        ]
    )
    return site, id


def test_each_result_leads_to_its_page(lived: tuple[Site, str]) -> None:
    site, id = lived
    site.log_in()
    answer = site.get("/search?q=SHOES")
    places = [
        answer.text.index(f'href="{to}"') for to in ("/history/h2", "/history/h1", f"/message/{id}")
    ]
    assert places == sorted(places)
    assert "<b>shoes" not in answer.text
    assert "3 messages on this page" in text_of(answer)
    for path in ("/", "/quarantine", "/history", f"/message/{id}", "/audit"):
        assert 'action="/search"' in site.get(path).text, path
    assert 'value="say &#34;a b&#34;"' in site.get("/search?q=say+%22a+b%22").text


def test_a_reviewer_finds_its_own(lived: tuple[Site, str]) -> None:
    site, id = lived
    site.log_in("bob")
    answer = site.get("/search?q=shoes")
    assert f"/message/{id}" in answer.text
    assert "/history/h1" in answer.text
    assert "/history/h2" not in answer.text
    assert "No matching messages." in text_of(site.get("/search?q=to:max"))


def test_what_cannot_be_understood_shows_nothing_and_says_why(lived: tuple[Site, str]) -> None:
    site, _ = lived
    site.log_in()
    answer = site.get("/search?q=shoes+form:ann")
    assert "form: is unknown (did you mean from:?)" in text_of(answer)
    assert "/history/h1" not in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "after is not" in text_of(site.get("/search?q=shoes&after=x"))
    told = text_of(site.get("/search"))
    assert "symbol:" in told
    assert "No matching" not in told


def test_by_rest(lived: tuple[Site, str]) -> None:
    site, id = lived
    secret = TokenFile(site.state.tokens.path).add("robot", "reviewer", ["mx.example"])
    program = TestClient(
        site.app, base_url=site.base, headers={"Authorization": f"Bearer {secret}"}
    )
    found = program.get("/api/search", params={"q": "shoes"}).json()
    assert [(one["id"], one["is_kept"]) for one in found["messages"]] == [("h1", False), (id, True)]
    page = program.get("/api/search", params={"q": "shoes", "limit": 1}).json()
    rest = program.get("/api/search", params={"q": "shoes", "after": page["next"]}).json()
    assert [one["id"] for one in (*page["messages"], *rest["messages"])] == ["h1", id]
    for wrong in ({"q": "form:x"}, {"q": "x", "limit": 0}, {"q": "x", "after": "y"}, {}):
        assert program.get("/api/search", params=wrong).status_code == 422, wrong


def test_on_the_command_line(lived: tuple[Site, str], tmp_path: Path) -> None:
    site, id = lived
    config = f"--config={site.folder}/filterd.toml"
    run = CliRunner().invoke
    told = run(_command("search"), ["shoes", config]).stdout
    assert told.index("h2") < told.index("h1") < told.index(id)
    plain = run(_command("search"), ["subject:red shoes", "--json", config]).stdout
    assert [json.loads(line)["id"] for line in plain.splitlines()] == [id]
    assert "no matching messages" in run(_command("search"), ["shoes red x", config]).stdout
    wrong = run(_command("search"), ["form:x", config])
    assert (wrong.exit_code, "form: is unknown" in wrong.stderr) == (64, True)
