"""Releases from the pages: to whom, once, and what the MTA said."""

from __future__ import annotations

import pytest

from tests.helpers.receiving_mta import Mta
from tests.helpers.site import PLAIN, Site, text_of

pytestmark = pytest.mark.slow


def test_release_to_those_who_were_chosen(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put("joe@mx.example", "sue@mx.example")
    answer = releasing.post(f"/message/{id}/release", to="sue@mx.example", note="wanted")
    assert "1 message: done" in text_of(answer)
    (taken,) = mta.taken
    assert ["sue@mx.example" in line for line in taken.rcpt] == [True]
    assert taken.data == PLAIN
    states = {
        d.recipient: d.state for d in releasing.state.actions.store.delivery_state(id).deliveries
    }
    assert states == {"joe@mx.example": "held", "sue@mx.example": "released"}


def test_twice_is_once(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put()
    releasing.post(f"/message/{id}/release", to="joe@mx.example")
    answer = releasing.post(f"/message/{id}/release", to="joe@mx.example")
    assert "already" in text_of(answer)
    assert len(mta.taken) == 1


def test_to_another_address_as_an_attachment(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put()
    releasing.post(f"/message/{id}/release", other="it@lab.example", attached="yes")
    (taken,) = mta.taken
    assert ["it@lab.example" in line for line in taken.rcpt] == [True]
    assert b"message/rfc822" in taken.data


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "choose a recipient"),
        ({"other": "nonsense"}, "is not an address"),
        ({"to": "joe@mx.example"}, "Eicar"),
        ({"to": "joe@mx.example", "virus": "yes"}, "Eicar"),
    ],
)
def test_a_release_that_must_not_be(
    releasing: Site, mta: Mta, fields: dict[str, str], said: str
) -> None:
    releasing.log_in()
    id = releasing.put(reason="virus", virus="Eicar")
    answer = releasing.post(f"/message/{id}/release", **fields)
    assert "not done" in text_of(answer)
    assert said in text_of(answer)
    assert mta.taken == []


def test_a_virus_with_a_reason(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    id = releasing.put(reason="virus", virus="Eicar")
    releasing.post(f"/message/{id}/release", to="joe@mx.example", virus="yes", note="for the lab")
    assert len(mta.taken) == 1


def test_an_mta_that_says_no_is_quoted(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    mta.answers["RCPT:joe@mx.example"] = "550 5.1.1 no such user"
    id = releasing.put()
    answer = releasing.post(f"/message/{id}/release", to="joe@mx.example")
    assert "not done" in text_of(answer)
    assert "550 5.1.1 no such user" in text_of(ann_page := releasing.get(f"/message/{id}"))
    assert "failed" in text_of(ann_page)


def test_an_mta_that_puts_it_off_is_tried_again_later(releasing: Site, mta: Mta) -> None:
    releasing.log_in()
    mta.answers["RCPT:joe@mx.example"] = "452 4.2.2 mailbox full"
    id = releasing.put()
    releasing.post(f"/message/{id}/release", to="joe@mx.example")
    text = text_of(releasing.get(f"/message/{id}"))
    assert "452 4.2.2 mailbox full" in text
    assert "next try 20" in text


def test_nobody_knows_whether_it_arrived(releasing: Site, mta: Mta) -> None:
    """The MTA is gone after the final dot: not again by itself, but if a person says so."""
    releasing.log_in()
    mta.answers["DOT"] = ""
    id = releasing.put()
    assert "unknown" in text_of(releasing.post(f"/message/{id}/release", to="joe@mx.example"))
    del mta.answers["DOT"]
    answer = text_of(releasing.post(f"/message/{id}/release", to="joe@mx.example"))
    assert "may have reached joe@mx.example already" in answer
    answer = text_of(releasing.post(f"/message/{id}/release", to="joe@mx.example", again="yes"))
    assert "1 message: done" in answer
