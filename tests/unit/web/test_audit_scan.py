"""The audit trail, and scanning."""

from __future__ import annotations

import pytest
from httpx import Response

from filterd.message import Envelope
from filterd.message.outlook import OLE_MAGIC
from tests.helpers import outlook
from tests.helpers.site import Site, text_of, token_in

pytestmark = pytest.mark.slow


def test_the_audit_page_is_newest_first_and_can_be_searched(ann: Site) -> None:
    ids = [ann.put() for _ in range(3)]
    for number, id in enumerate(ids):
        ann.state.actions.store.note("viewed", id, f"cli:user{number}", f"why-{number}")
    text = text_of(ann.get("/audit"))
    assert text.index("why-2") < text.index("why-1") < text.index("why-0")
    text = text_of(ann.get("/audit?who=user1"))
    assert "why-1" in text
    assert "why-2" not in text
    assert "why-0" in text_of(ann.get(f"/audit?id={ids[0]}"))
    assert "No matching events" in text_of(ann.get("/audit?what=released"))
    assert "expected" in text_of(ann.get("/audit?since=nonsense"))


def test_the_audit_page_has_pages(ann: Site) -> None:
    id = ann.put()
    for number in range(150):
        ann.state.actions.store.note("viewed", id, "cli:x", f"why-{number}-")
    first, second = ann.get("/audit"), ann.get("/audit?page=2")
    assert "why-149-" in first.text
    assert "why-49-" not in first.text
    assert "why-49-" in second.text
    assert "why-0-" in second.text
    assert "Older" not in text_of(second)
    for odd in ("0", "-1", "x", "٣", "9" * 5000):
        assert ann.get(f"/audit?page={odd}").status_code == 200


GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def test_scan_an_uploaded_message(ann: Site) -> None:
    token = token_in(ann.get("/scan"))
    answer = ann.browser.post(
        "/scan",
        data={"csrf": token, "sender": "x@a.example", "recipients": "joe@mx.example"},
        files={"message": ("<b>.eml", b"Subject: x\n\n" + GTUBE + b"\n")},
    )
    text = text_of(answer)
    assert answer.status_code == 200
    assert "GTUBE" in text
    assert "reject" in text
    assert "<b>.eml" in text
    assert "The quarantine is empty." in text_of(ann.get("/quarantine"))


def test_scan_a_pasted_message(ann: Site) -> None:
    text = f"\r\nSubject: grüße\r\n\r\n{GTUBE.decode()}\r\n"
    answer = ann.post("/scan", text=text, recipients="joe@mx.example")
    assert answer.status_code == 200
    assert "GTUBE" in text_of(answer)
    assert "Pasted message" in text_of(answer)
    for nothing in ("", " \r\n "):
        answer = ann.post("/scan", text=nothing)
        assert (answer.status_code, "or paste a message" in text_of(answer)) == (422, True)


def test_a_message_of_outlook(ann: Site) -> None:
    def sent(data: bytes) -> Response:
        return ann.browser.post(
            "/scan",
            data={"csrf": token_in(ann.get("/scan")), "recipients": "joe@mx.example"},
            files={"message": ("x.msg", data)},
        )

    answer = sent(outlook.item(body=GTUBE.decode()))
    assert answer.status_code == 200
    assert "GTUBE" in text_of(answer)
    assert "signatures (DKIM) cannot be right" in text_of(answer)
    for data, words in (
        (OLE_MAGIC + bytes(600), "a broken compound file"),
        (outlook.compound({"WordDocument": b"text"}), "and no message; expected a .msg file"),
    ):
        answer = sent(data)
        assert answer.status_code == 422
        assert words in text_of(answer)


def test_scan_a_kept_message_again(ann: Site) -> None:
    id = ann.put(data=b"Subject: hello\r\n\r\n" + GTUBE + b"\r\n")
    text = text_of(ann.post(f"/message/{id}/rescan"))
    assert "GTUBE" in text
    assert text.index("GTUBE") < text.index("Then") < text.index("BAYES_99")
    assert ann.events(id) == []


def test_a_reviewer_scans_only_its_own_again(bob: Site) -> None:
    foreign = bob.put("max@other.example", subject=b"a secret subject")
    answer = bob.post(f"/message/{foreign}/rescan")
    assert answer.status_code == 404
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("file", "data", "status", "said"),
    [
        (b"", {}, 422, "empty"),
        (b"Subject: x\n\n", {"recipients": "nonsense"}, 422, "is not an address"),
        (b"x" * ((1 << 20) + 1), {}, 413, ""),
    ],
)
def test_what_cannot_be_scanned(
    ann: Site, file: bytes, data: dict[str, str], status: int, said: str
) -> None:
    small = Site(ann.folder, web="upload_megabytes = 1")
    small.log_in()
    token = token_in(small.get("/scan"))
    answer = small.browser.post(
        "/scan", data={"csrf": token, **data}, files={"message": ("a.eml", file)}
    )
    assert answer.status_code == status
    assert said in text_of(answer)


def test_an_envelope_of_strange_bytes_is_shown(ann: Site) -> None:
    """What a peer sent as 8-bit octets is a lone surrogate here."""
    id = ann.put("j\udcffe@mx.example")
    assert ann.get(f"/message/{id}").status_code == 200
    assert ann.get("/quarantine").status_code == 200
    assert isinstance(ann.state.actions.store.get(id).envelope, Envelope)
