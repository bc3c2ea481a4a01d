"""The page of what greylisting delays, and letting it in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from filterd.config.load import load
from filterd.filters.greylist.settings import GreylistSettings
from filterd.filters.greylist.triplets import Triplets
from filterd.web.app import create_app
from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site, text_of, token_in

pytestmark = pytest.mark.slow

CLIENT, SENDER = "192.0.2.0/24", "ann@a.example"
JOE, SUE = "joe@mx.example", "sue@other.example"


class GreylistingSite(Site):
    """A site with greylisting in its chain."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path = self.folder / "filterd.toml"
        text = path.read_text()
        path.write_text(text.replace("filters = [", 'filters = ["greylist", ', 1))
        assert path.read_text() != text
        self.state.close()
        self.app = create_app(load(path))
        self.state = self.app.state.filterd
        self.browser = self.another()

    def waits(self, recipient: str, sender: str = SENDER) -> str:
        """Have something wait; its id."""
        self.triplets.judge(CLIENT, sender, recipient, time.time())
        return self.triplets.waiting(time.time(), 1, recipient)[0].id

    @property
    def triplets(self) -> Triplets:
        return self.state.waiting._triplets

    def passes(self, recipient: str) -> bool:
        return not self.triplets.judge(CLIENT, SENDER, recipient, time.time()).waits


@pytest.fixture
def greylisting(tmp_path: Path) -> GreylistingSite:
    return GreylistingSite(tmp_path)


def test_without_greylisting_there_is_no_page(ann: Site) -> None:
    assert 'href="/greylist"' not in ann.get("/quarantine").text
    assert ann.get("/greylist").status_code == 404
    assert ann.post("/greylist/allow", id="x").status_code == 404


def test_who_is_not_logged_in_sees_nothing(greylisting: GreylistingSite) -> None:
    assert greylisting.get("/greylist").headers["location"].startswith("/login")
    form = {"csrf": "x", "id": greylisting.waits(JOE)}
    assert greylisting.browser.post("/greylist/allow", data=form).status_code == 403
    assert not greylisting.passes(JOE)


def test_an_admin_sees_all_and_lets_in(greylisting: GreylistingSite) -> None:
    greylisting.log_in("ann")
    assert "Nothing is waiting." in text_of(greylisting.get("/greylist"))
    one, other = greylisting.waits(JOE), greylisting.waits(SUE, "<b>evil</b>@a.example")
    shown = greylisting.get("/greylist").text
    assert JOE in shown and SUE in shown and "<b>evil" not in shown
    assert "No matching mail is waiting." in text_of(greylisting.get("/greylist?text=nobody"))
    assert JOE not in greylisting.get("/greylist?text=OTHER.example").text

    done = text_of(greylisting.post("/greylist/allow", id=[one, "nosuch"]))
    assert f"{SENDER} to {JOE} passes when it is sent" in done
    assert "nosuch does not wait" in done
    assert greylisting.passes(JOE) and not greylisting.passes(SUE)
    assert greylisting.events() == ["allowed"]
    trail = text_of(greylisting.get("/audit"))
    assert "web:ann" in trail and f"greylist: {SENDER} from {CLIENT}" in trail
    assert greylisting.post("/greylist/allow").status_code == 400
    assert other in greylisting.get("/greylist").text


def test_a_reviewer_sees_and_lets_in_its_own(greylisting: GreylistingSite) -> None:
    own, foreign = greylisting.waits(JOE), greylisting.waits(SUE)
    greylisting.log_in("bob")
    shown = greylisting.get("/greylist").text
    assert own in shown and foreign not in shown
    # Not even by what it searches for.
    assert foreign not in greylisting.get("/greylist?text=sue").text
    done = text_of(greylisting.post("/greylist/allow", id=[own, foreign]))
    assert f"{foreign} does not wait" in done
    assert greylisting.passes(JOE) and not greylisting.passes(SUE)


def test_a_form_of_another_site_lets_nothing_in(greylisting: GreylistingSite) -> None:
    id = greylisting.waits(JOE)
    greylisting.log_in("ann")
    assert token_in(greylisting.get("/scan"))
    answer = greylisting.browser.post("/greylist/allow", data={"csrf": "x", "id": id})
    assert answer.status_code == 403
    assert not greylisting.passes(JOE)


def test_programs(greylisting: GreylistingSite) -> None:
    admin = Program(greylisting, tokens_of(greylisting).add("robot", "admin"))
    helper = Program(greylisting, tokens_of(greylisting).add("h", "reviewer", ["mx.example"]))
    own, foreign = greylisting.waits(JOE), greylisting.waits(SUE)
    rows = admin.get("/greylist").json()["waiting"]
    assert [row["id"] for row in rows] == [foreign, own]
    assert rows[1]["client"] == CLIENT and rows[1]["attempts"] == 1
    assert rows[1]["passes"] == rows[1]["since"] + GreylistSettings.delay
    assert [row["id"] for row in helper.get("/greylist").json()["waiting"]] == [own]
    assert admin.get("/greylist", text="sue", limit=1).json()["waiting"] == rows[:1]
    results = helper.post("/greylist/allow", {"ids": [own, foreign]}).json()["results"]
    assert [one["ok"] for one in results] == [True, False]
    assert greylisting.passes(JOE) and not greylisting.passes(SUE)
    for answer in (admin.get("/greylist", limit=0), admin.post("/greylist/allow", {"ids": []})):
        assert answer.status_code == 422
    assert Program(greylisting, "").get("/greylist").status_code == 401


def test_a_state_that_is_away(tmp_path: Path) -> None:
    site = GreylistingSite(tmp_path)
    file = site.folder / "filterd.toml"
    file.write_text('[state]\nurl = "unix:///nonexistent/socket"\n' + file.read_text())
    site.app = create_app(load(file))
    site.state = site.app.state.filterd
    site.browser = site.another()
    site.log_in("ann")
    answer = site.get("/greylist")
    assert answer.status_code == 503
    assert "The state cannot be read" in text_of(answer) and "nonexistent" not in answer.text
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    assert admin.get("/greylist").status_code == 503
    assert admin.post("/greylist/allow", {"ids": ["x"]}).status_code == 503


def test_programs_without_greylisting(site: Site) -> None:
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    for answer in (admin.get("/greylist"), admin.post("/greylist/allow", {"ids": ["x"]})):
        assert answer.status_code == 404
        assert "no filter greylist" in answer.text
