"""The pages of the local lists, and the same by REST."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from httpx import Response

from filterd.config.load import load
from filterd.web.app import create_app
from filterd.web.pages import lists
from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow

LIST = """\
# from the meeting
192.0.2.0/24   # spam, <b>much</b>
203.0.113.7 for joe@mx.example
"""

SETTINGS = """
[filters.locallists]
early = true
[[filters.locallists.lists]]
file = "blocked.list"
about = "client"
action = "reject"
[[filters.locallists.lists]]
file = "senders.txt"
about = "sender"
kind = "allow"
"""


class ListingSite(Site):
    """A site with local lists in its chain."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path = self.folder / "filterd.toml"
        chain = path.read_text().replace("filters = [", 'filters = ["locallists", ', 1)
        path.write_text(chain + SETTINGS)
        self.file.write_text(LIST)
        self.state.close()
        self.app = create_app(load(path))
        self.state = self.app.state.filterd
        self.browser = self.another()

    @property
    def file(self) -> Path:
        return self.folder / "blocked.list"

    def shown(self, more: str = "") -> Response:
        """The page of the list."""
        return self.get(f"/lists/entries?name=blocked.list{more}")

    def send(self, action: str, **fields: object) -> Response:
        """A form of that page."""
        version = version_in(self.shown())
        return self.post(
            f"/lists/{action}", **{"name": "blocked.list", "version": version, **fields}
        )


def version_in(answer: Response) -> str:
    found = re.search(r'name="version" value="([0-9a-f]{64})"', answer.text)
    assert found, answer.text[:2000]
    return found[1]


@pytest.fixture
def listing(tmp_path: Path) -> ListingSite:
    return ListingSite(tmp_path)


@pytest.fixture
def ann(listing: ListingSite) -> ListingSite:
    listing.log_in("ann")
    return listing


def test_without_lists_there_is_no_page(site: Site) -> None:
    site.log_in("ann")
    assert 'href="/lists"' not in site.get("/quarantine").text
    assert site.get("/lists").status_code == 404
    assert site.get("/lists/entries?name=x").status_code == 404
    for action in ("add", "change", "remove", "undo"):
        assert site.post(f"/lists/{action}", name="x").status_code == 404


def test_it_is_for_admins(listing: ListingSite) -> None:
    assert listing.get("/lists").headers["location"].startswith("/login")
    listing.log_in("bob")
    assert 'href="/lists"' not in listing.get("/quarantine").text
    assert listing.get("/lists").status_code == 403
    assert listing.shown().status_code == 403
    for action in ("add", "change", "remove", "undo"):
        form = {"name": "blocked.list", "entry": "192.0.2.1", "version": "x", "line": "2"}
        assert listing.post(f"/lists/{action}", **form).status_code == 403
    assert listing.file.read_text() == LIST
    assert listing.events() == []


def test_the_lists_and_what_they_mean(ann: ListingSite) -> None:
    assert 'href="/lists"' in ann.get("/quarantine").text
    answer = ann.get("/lists")
    text = text_of(answer)
    assert "blocked.list the SMTP client's address blocks: 5.0 points, reject, at RCPT 2 " in text
    assert "senders.txt the envelope sender allows: -5.0 points, at RCPT 0 " in text
    assert 'href="/history?symbol=LOCAL_BLOCKED_CLIENT"' in answer.text
    ann.file.write_text(LIST + "nonsense nonsense\n")
    assert "1 mistake: the last good list is used" in text_of(ann.get("/lists"))


def test_one_list(ann: ListingSite) -> None:
    answer = ann.shown()
    text = text_of(answer)
    assert "from the meeting" in text
    assert "2 192.0.2.0/24 all spam, <b>much</b> Change line 2" in text
    assert "<b>much" not in answer.text
    assert "3 203.0.113.7 joe@mx.example" in text
    assert "Undo" not in text
    assert "203.0.113.7" not in ann.shown("&text=SPAM").text
    assert "No matching lines." in text_of(ann.shown("&text=nowhere"))
    assert "The list is empty." in text_of(ann.get("/lists/entries?name=senders.txt"))
    for name in ("", "nosuch", "../filterd.toml", "filterd.toml"):
        assert ann.get(f"/lists/entries?name={name}").status_code == 404


def test_mistakes_stand_with_their_lines(ann: ListingSite) -> None:
    ann.file.write_text(LIST + "dialup.example\n<script>x</script> y z\n")
    text = text_of(ann.shown())
    assert "2 mistakes: until that is corrected the last good list is used" in text
    assert "line 4: 'dialup.example'" in text and "line 5: is not an entry" in text
    assert "<script>x" not in ann.shown().text
    done = text_of(ann.send("remove", line="5"))
    assert "1 mistake: until" in done
    assert ann.file.read_text() == LIST + "dialup.example\n"


def test_adding(ann: ListingSite) -> None:
    done = text_of(ann.send("add", entry="198.51.100.9 for mx.example", note="a  <i>botnet</i>"))
    assert "1 change: done blocked.list:4 198.51.100.9 for mx.example is listed" in done
    assert ann.file.read_text() == LIST + "198.51.100.9 for mx.example  # a <i>botnet</i>\n"
    assert ann.events() == ["blocked"]
    trail = text_of(ann.get("/audit"))
    assert "web:ann" in trail and "blocked.list: 198.51.100.9 for mx.example is listed" in trail


def test_changing_removing_and_undoing(ann: ListingSite) -> None:
    done = text_of(ann.send("change", line="2", entry="192.0.2.0/25", note=""))
    assert "line 2 is 192.0.2.0/25, it was 192.0.2.0/24 # spam, <b>much</b>" in done
    assert "Undo the last change" in done
    ann.send("remove", line="3", why="joe asked")
    assert ann.file.read_text() == "# from the meeting\n192.0.2.0/25\n"
    done = text_of(ann.send("undo"))
    assert "undone: line 3, 203.0.113.7 for joe@mx.example, is removed" in done
    assert ann.file.read_text() == LIST.replace(
        "192.0.2.0/24   # spam, <b>much</b>", "192.0.2.0/25"
    )
    assert ann.events() == ["blocked", "unlisted", "undone"]
    assert "joe asked" in text_of(ann.get("/audit?what=unlisted"))
    ann.file.write_text(LIST)
    assert "The file was changed by hand" in text_of(ann.shown())


def test_what_is_refused_can_be_corrected(ann: ListingSite) -> None:
    answer = ann.send("add", entry='a.example"', note="why")
    assert answer.status_code == 422
    assert "Not done:" in text_of(answer)
    # What was typed is still there.
    assert 'value="a.example&#34;"' in answer.text and 'value="why"' in answer.text
    answer = ann.send("change", line="2", entry="192.0.2.0/99", note="that")
    assert answer.status_code == 422
    assert '<details open><summary>Change<span class="unseen"> line 2' in answer.text
    assert 'value="192.0.2.0/99"' in answer.text
    answer = ann.send("add", entry="192.0.2.1" + " " * 3000 + "for joe@mx.example")
    assert answer.status_code == 422, "it is not cut"
    assert ann.file.read_text() == LIST
    assert ann.events() == []


def test_a_file_that_was_changed_meanwhile(ann: ListingSite) -> None:
    old = version_in(ann.shown())
    ann.file.write_text("# new\n" + LIST)
    tries: tuple[tuple[str, dict[str, str]], ...] = (
        ("add", {"entry": "198.51.100.9"}),
        ("change", {"line": "2", "entry": "198.51.100.9"}),
        ("remove", {"line": "2"}),
        ("undo", {}),
    )
    for version in (old, "", "?"):
        for action, fields in tries:
            answer = ann.send(action, version=version, **fields)
            assert answer.status_code == 409
            assert "nothing was written" in text_of(answer)
            # A second click must not replace what is in that line now.
            assert "<details open>" not in answer.text
            assert ('value="198.51.100.9"' in answer.text) is (action == "add")
    assert ann.file.read_text() == "# new\n" + LIST
    assert version_in(ann.shown()) != old


@pytest.mark.parametrize("line", ["", "0", "x", "99", "-1", "\N{SUPERSCRIPT TWO}", "9" * 50])
def test_lines_that_are_not_there(ann: ListingSite, line: str) -> None:
    for action in ("change", "remove"):
        answer = ann.send(action, line=line, entry="198.51.100.9")
        assert answer.status_code == 404
    assert ann.file.read_text() == LIST


def test_blanks_in_an_expression_stay(ann: ListingSite) -> None:
    ann.post("/lists/add", name="senders.txt", version="x", entry="/a  b/")
    page = ann.get("/lists/entries?name=senders.txt")
    form = {"name": "senders.txt", "version": version_in(page)}
    assert "is listed" in text_of(ann.post("/lists/add", entry="/a  b/", **form))
    assert (ann.folder / "senders.txt").read_text() == "/a  b/\n"
    assert 'value="/a  b/"' in ann.get("/lists/entries?name=senders.txt").text


def test_a_long_list_has_pages(ann: ListingSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "ROWS", 10)
    ann.file.write_text("".join(f"192.0.2.{n}\n" for n in range(25)))
    seen: list[str] = []
    target = "/lists/entries?name=blocked.list&text=192"
    for _ in range(3):
        page = ann.get(target).text
        seen += re.findall(r"<code>(192\.0\.2\.\d+)</code>", page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        target = unescape(following[1]) if following else ""
    assert seen == [f"192.0.2.{n}" for n in range(25)] and not target
    # What was added is on the page that is shown then.
    done = ann.send("add", entry="203.0.113.1")
    assert "<code>203.0.113.1</code>" in done.text and "192.0.2.1<" not in done.text
    # And what is refused is on the page that has its line.
    refused = ann.send("change", line="17", entry="192.0.2.0/99").text
    assert '<details open><summary>Change<span class="unseen"> line 17' in refused
    assert 'value="192.0.2.0/99"' in refused and "<code>192.0.2.9<" not in refused
    for after in ("x", "-1", "\N{SUPERSCRIPT TWO}", "99999999999999"):
        assert ann.shown(f"&after={after}").status_code == 200


def test_a_file_that_cannot_be_read_or_written(ann: ListingSite) -> None:
    version = version_in(ann.shown())
    ann.file.unlink()
    ann.file.mkdir()
    text = text_of(ann.shown())
    assert "blocked.list cannot be read: Is a directory" in text
    assert "Add an entry" not in text
    form = {"name": "blocked.list", "version": version, "entry": "198.51.100.9"}
    answer = ann.post("/lists/add", **form)
    assert answer.status_code == 503
    assert "cannot be read" in text_of(ann.get("/lists"))


@pytest.fixture
def robot(listing: ListingSite) -> Program:
    return Program(listing, tokens_of(listing).add("robot", "admin"))


def test_programs_read(robot: Program, listing: ListingSite) -> None:
    listing.file.write_text(LIST + "no entry here\n")
    one, other = robot.get("/lists").json()["lists"]
    assert (one["name"], one["file"]) == ("blocked.list", "blocked.list")
    assert (one["entries"], one["wrong"], one["last_change"], one["error"]) == (2, 1, "", "")
    assert one["mistakes"][0]["line"] == 4
    assert one["uses"] == [
        {
            "filter": "locallists",
            "about": "client",
            "kind": "block",
            "symbol": "LOCAL_BLOCKED_CLIENT",
            "points": 5.0,
            "action": "reject",
            "early": True,
            "proven": False,
        }
    ]
    assert other["uses"][0]["kind"] == "allow"
    first = robot.get("/lists/entries", name="blocked.list", limit=2).json()
    assert first["version"] == one["version"]
    assert first["lines"] == [
        {"line": 1, "entry": "", "recipient": "", "note": "from the meeting", "mistake": ""},
        {
            "line": 2,
            "entry": "192.0.2.0/24",
            "recipient": "*",
            "note": "spam, <b>much</b>",
            "mistake": "",
        },
    ]
    rest = robot.get("/lists/entries", name="blocked.list", after=first["next"]).json()
    assert [line["line"] for line in rest["lines"]] == [3, 4] and rest["next"] == 0
    assert rest["lines"][1]["entry"] == "no entry here" and rest["lines"][1]["mistake"]
    (found,) = robot.get("/lists/entries", name="blocked.list", text="JOE").json()["lines"]
    assert found["recipient"] == "joe@mx.example"


def test_programs_change(robot: Program, listing: ListingSite) -> None:
    added = robot.post("/lists/add", {"name": "blocked.list", "entry": "198.51.100.9"}).json()
    assert (added["line"], added["words"]) == (4, "198.51.100.9 is listed")
    wish = {"name": "blocked.list", "version": added["version"], "line": 4}
    changed = robot.post("/lists/change", {**wish, "entry": "198.51.100.8", "note": "x"}).json()
    assert listing.file.read_text() == LIST + "198.51.100.8  # x\n"
    assert robot.post("/lists/remove", wish).status_code == 409
    wish["version"] = changed["version"]
    removed = robot.post("/lists/remove", wish).json()
    assert listing.file.read_text() == LIST
    undo = {"name": "blocked.list", "version": removed["version"]}
    assert robot.get("/lists").json()["lists"][0]["last_change"].startswith("line 4, 198.51.100.8")
    assert robot.post("/lists/undo", undo).json()["version"] == changed["version"]
    assert listing.file.read_text() == LIST + "198.51.100.8  # x\n"
    assert listing.events() == ["blocked", "blocked", "unlisted", "undone"]
    assert {event.who for event in listing.state.actions.store.journal.events()} == {"api:robot"}


def test_programs_that_are_wrong(robot: Program, listing: ListingSite) -> None:
    version = robot.get("/lists").json()["lists"][0]["version"]
    good = {"name": "blocked.list", "version": version, "line": 2, "entry": "198.51.100.9"}
    for wrong, status in (
        ({"name": "nosuch"}, 404),
        ({"line": 99}, 404),
        ({"line": 0}, 422),
        ({"entry": "a b"}, 422),
        ({"entry": "203.0.113.7 for joe@mx.example"}, 422),
        ({"version": ""}, 422),
        ({"version": "0" * 64}, 409),
        ({"more": 1}, 422),
    ):
        answer = robot.post("/lists/change", {**good, **wrong})
        assert answer.status_code == status, wrong
        assert answer.headers["content-type"] == "application/problem+json"
    undo = robot.post("/lists/undo", {"name": "blocked.list", "version": version})
    assert undo.status_code == 422 and "no change" in undo.json()["detail"]
    assert robot.get("/lists/entries", name="nosuch").status_code == 404
    listing.file.write_bytes(b"ab\0c")
    assert robot.get("/lists/entries", name="blocked.list").status_code == 503
    assert "NUL" in robot.get("/lists").json()["lists"][0]["error"]
    listing.file.write_text(LIST)
    helper = Program(listing, tokens_of(listing).add("h", "reviewer", ["mx.example"]))
    assert helper.get("/lists").status_code == 403
    assert helper.post("/lists/change", good).status_code == 403
    assert Program(listing, "").get("/lists").status_code == 401
    assert listing.file.read_text() == LIST


def test_programs_without_lists(site: Site) -> None:
    robot = Program(site, tokens_of(site).add("robot", "admin"))
    for answer in (robot.get("/lists"), robot.post("/lists/add", {"name": "x", "entry": "y"})):
        assert answer.status_code == 404
        assert "no filter locallists" in answer.text
