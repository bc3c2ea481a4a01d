"""The page of senders, and the same by REST."""

from __future__ import annotations

import pytest

from tests.helpers.api import Program, tokens_of
from tests.helpers.site import Site, text_of

pytestmark = pytest.mark.slow


def test_block_and_remove_on_the_page(ann: Site) -> None:
    assert "Nobody is listed." in text_of(ann.get("/senders"))
    told = text_of(ann.post("/senders/add", kind="block", sender="a.example", note="<b>junk"))
    assert "gets +20 points" in told
    assert "web:ann" in told
    assert "<b>junk" in told
    told = text_of(ann.post("/senders/remove", kind="block", sender="a.example", recipient="*"))
    assert "removed" in told
    assert "Nobody is listed." in told
    assert ann.events() == ["blocked", "unlisted"]


def test_what_is_wrong_is_told_and_stays_typed(ann: Site) -> None:
    for fields, words in (
        ({"sender": "a b"}, "not an address"),
        ({"sender": "prvs=1a2b=ann@a.example"}, "It stands for ann@a.example"),
        ({"sender": "x" * 501}, "at most 500"),
        ({"sender": "a.example", "kind": "eggs"}, "allow or block"),
    ):
        answer = ann.post("/senders/add", **{"kind": "block", "note": "why so", **fields})
        assert answer.status_code == 422
        assert words in text_of(answer)
        assert "why so" in answer.text
    assert not ann.state.actions.senders.file.exists()


def test_the_form_is_filled_in_by_the_address(ann: Site) -> None:
    page = ann.get("/senders?kind=allow&sender=SRS0%3Dh%3Dt%3Da.example%3Dann%40f.example")
    assert "stands for ann@a.example" in text_of(page)
    assert "sender=ann%40a.example" in page.text
    assert '<option value="allow" selected>' in page.text


def test_a_reviewer_on_the_page(bob: Site) -> None:
    file = bob.state.actions.senders.file
    file.write_text("block a.example\nblock b.example for joe@mx.example\n")
    told = text_of(bob.get("/senders"))
    assert "b.example" in told
    assert "Mail from a.example" not in told
    fields = {"kind": "block", "sender": "c.example"}
    assert bob.post("/senders/add", **fields).status_code == 403
    assert bob.post("/senders/add", **fields, recipient="mx.example").status_code == 200
    assert bob.post("/senders/remove", kind="block", sender="a.example").status_code == 403
    assert file.read_text().startswith("block a.example\n")


def test_by_rest(site: Site) -> None:
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    helper = Program(site, tokens_of(site).add("helper", "reviewer", ["mx.example"]))
    wish = {"kind": "block", "sender": "a.example"}
    assert admin.post("/senders/add", wish).json()["changed"]
    assert helper.post("/senders/add", wish).status_code == 403
    own = {**wish, "recipient": "mx.example", "note": "asked for"}
    done = helper.post("/senders/add", own).json()
    assert done["words"].startswith("Mail from a.example (envelope) to mx.example gets +20")
    (one,) = helper.get("/senders").json()["entries"]
    assert (one["sender"], one["recipient"], one["trouble"]) == ("a.example", "mx.example", "")
    assert one["note"].endswith(": asked for")
    page = admin.get("/senders", limit=1).json()
    (rest,) = admin.get("/senders", after=page["next"]).json()["entries"]
    assert (rest["line"], page["entries"][0]["line"]) == (2, 1)
    assert helper.post("/senders/remove", own).json()["changed"]
    assert helper.get("/senders").json() == {"entries": [], "next": 0}
    found = admin.get("/senders/meaning", sender="l+joe=mx.example@l.example").json()
    assert found == {"scheme": "VERP", "pattern": "l@l.example"}
    assert admin.get("/senders/meaning", sender="a@b.example").json()["scheme"] == ""


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"kind": "block", "sender": "a b"}, "not an address"),
        ({"kind": "block", "sender": '"a\nallow *"@a.example'}, "control characters"),
        ({"kind": "block", "sender": "a.example", "proven": True}, "proven is for allow"),
        ({"kind": "block", "sender": "a.example", "for": "x"}, "for"),
        ({"kind": "eggs", "sender": "a.example"}, "kind"),
        ({"kind": "block", "sender": "a.example", "note": "a\nallow *"}, "one line"),
    ],
)
def test_a_wish_that_makes_no_sense(site: Site, wish: dict[str, object], words: str) -> None:
    admin = Program(site, tokens_of(site).add("robot", "admin"))
    answer = admin.post("/senders/add", wish)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert not site.state.actions.senders.file.exists()


def test_a_list_that_cannot_be_used(ann: Site) -> None:
    ann.state.actions.senders.file.write_text("allow\n")
    told = text_of(ann.get("/senders"))
    assert "senders.list:1:" in told
    assert str(ann.folder) not in told
    admin = Program(ann, tokens_of(ann).add("robot", "admin"))
    answer = admin.get("/senders")
    assert answer.status_code == 503
    assert str(ann.folder) not in answer.text
