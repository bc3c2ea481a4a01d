"""Users' own mail: what they see, what they may do with it, and what stays closed to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.recipient_folder import RecipientFolder
from filterd.digest.ledger import DigestLedger
from filterd.digest.links import MailboxLink, ReleaseLink, Signer
from filterd.filters.bayes.settings import BayesSettings
from filterd.message.authentication import Authentication, AuthResult, DkimCheck
from filterd.quarantine.journal import Event
from filterd.review.accounts import Accounts
from filterd.review.principals import PrincipalError
from filterd.review.tokens import TokenFile
from tests.helpers.receiving_mta import Mta
from tests.helpers.site import FORMS, PAGES, PASSWORD, QUICK, Site, text_of, token_in, with_users

pytestmark = pytest.mark.slow

EVA, INFO, JOE = "eva@mx.example", "info@mx.example", "joe@mx.example"

MORE = 'request = ["banned"]\nactions_per_hour = 6\nlearn_per_day = 1\nlist_entries = 3\n'


@pytest.fixture
def eva(request: pytest.FixtureRequest, tmp_path: Path, mta: Mta) -> Iterator[Site]:
    """A site with eva, who has two addresses, logged in. A parameter: more lines of `[users]`."""
    site = with_users(tmp_path, mta.port, MORE + getattr(request, "param", ""))
    yield site
    site.state.close()


def events(site: Site, id: str) -> list[tuple[str, str]]:
    found: list[Event] = list(site.state.actions.store.journal.events(id))
    return [(one.what, one.who) for one in found]


def copy_states(site: Site, id: str) -> dict[str, str]:
    found = site.state.actions.store.delivery_state(id).deliveries
    return {one.recipient: one.state for one in found}


def test_the_list_has_what_is_held_for_all_own_addresses(eva: Site) -> None:
    eva.put(EVA, subject=b"worst", score=20.0)
    eva.put("Info+shop@MX.example", subject=b"likely wanted", score=5.5)
    eva.put(JOE, subject=b"somebody else")
    eva.put(EVA, subject=b"infected", virus="Eicar")
    eva.put(EVA, subject=b"not sure", reason="policy")
    eva.put("eva@other.example", subject=b"elsewhere")
    eva.put("evangeline@mx.example", subject=b"longer name")
    page = text_of(eva.get("/my"))
    assert page.index("likely wanted") < page.index("worst")
    for hidden in ("somebody else", "infected", "not sure", "elsewhere", "longer name"):
        assert hidden not in page
    assert "2 messages wait" in page


def test_deliver_comes_once_and_only_to_oneself(eva: Site, mta: Mta) -> None:
    id = eva.put(EVA, JOE)
    told = text_of(eva.post("/my/do", id=id, do="deliver"))
    assert "It is on its way to you." in told
    eva.post("/my/do", id=id, do="deliver")
    (taken,) = mta.taken
    assert (EVA in taken.rcpt[0], len(taken.rcpt)) == (True, 1)
    assert copy_states(eva, id) == {EVA: "released", JOE: "held"}
    assert ("released", "web:eva") in events(eva, id)


def test_delete_and_undo(eva: Site) -> None:
    id = eva.put(EVA)
    told = eva.post("/my/do", id=id, do="delete")
    assert "It is deleted." in text_of(told)
    assert "Undo" in text_of(told)
    assert "Nothing is held for you." in text_of(told)
    assert "It is back." in text_of(eva.post("/my/do", id=id, do="undelete"))
    assert [one for one, _ in events(eva, id)] == ["deleted", "undeleted"]


def test_delete_takes_only_the_own_copy_of_a_message_to_others(eva: Site) -> None:
    id = eva.put(EVA, JOE)
    assert "Nothing is held for you." in text_of(eva.post("/my/do", id=id, do="delete"))
    assert copy_states(eva, id) == {EVA: "held", JOE: "held"}
    ledger = DigestLedger(eva.state.actions.store.index)
    due = ledger.due(0.0, time.time() + 1, ["spam"], since=0.0)
    assert list(due) == [JOE], "a digest does not list it for her again"
    assert "It is back." in text_of(eva.post("/my/do", id=id, do="undelete"))
    assert id in eva.get("/my").text
    assert events(eva, id) == [("dismissed", "web:eva"), ("wanted", "web:eva")]


def test_what_another_deleted_is_not_brought_back(eva: Site) -> None:
    id = eva.put(EVA)
    eva.state.actions.store.delete(id, "web:ann")
    assert "cannot be done" in text_of(eva.post("/my/do", id=id, do="undelete"))
    assert eva.events(id) == ["deleted"]


def test_not_spam_teaches_within_the_limit(eva: Site) -> None:
    first, second = eva.put(EVA), eva.put(EVA, subject=b"another")
    assert "the filter learns" in text_of(eva.post("/my/do", id=first, do="ham"))
    told = text_of(eva.post("/my/do", id=second, do="ham"))
    assert "does not learn from it today" in told
    assert ("learned", "web:eva") in events(eva, first)
    assert [one for one, _ in events(eva, second)] == ["releasing", "released"]
    # It counts for her own mail.
    models = eva.state.settings.of_filter(BayesSettings).models
    stored = RecipientFolder(models).load(EVA)
    assert stored is not None
    assert (stored.model.spam, stored.model.ham) == (0, 1)
    assert ModelFolder(models).load_current() is None


@pytest.mark.parametrize("eva", ['learn = "site"\n'], indirect=True)
def test_not_spam_may_teach_the_sites_model(eva: Site) -> None:
    assert "the filter learns" in text_of(eva.post("/my/do", id=eva.put(EVA), do="ham"))
    site = ModelFolder(eva.state.settings.of_filter(BayesSettings).models).load_current()
    assert site is not None
    assert site.model.ham == 1


def test_block_lists_the_sender_for_oneself_and_deletes(eva: Site) -> None:
    id = eva.put(EVA)
    assert "The sender is blocked" in text_of(eva.post("/my/do", id=id, do="block"))
    entries = (eva.folder / "senders.list").read_text()
    assert entries.split("#")[0].strip() == f"block ann@a.example for {EVA}"
    assert [one for one, _ in events(eva, id)] == ["blocked", "deleted"]
    page = text_of(eva.get("/my/senders"))
    assert "ann@a.example" in page


def test_allow_only_where_the_sender_is_proven(tmp_path: Path, mta: Mta) -> None:
    site = with_users(tmp_path, mta.port, auth=True)
    passes = Authentication(dkim=(DkimCheck(AuthResult.PASS, "a.example"),))
    proven, forged = site.put(EVA, authentication=passes), site.put(EVA, subject=b"forged")
    assert "Always allow" in text_of(site.get(f"/my/{proven}"))
    assert "Always allow" not in text_of(site.get(f"/my/{forged}"))
    assert "cannot be done" in text_of(site.post("/my/do", id=forged, do="allow"))
    assert "is allowed" in text_of(site.post("/my/do", id=proven, do="allow"))
    text = (site.folder / "senders.list").read_text()
    assert text.startswith(f"allow ann@a.example for {EVA} if proven")
    site.state.close()


def test_nobody_can_be_allowed_where_nothing_is_proven(eva: Site) -> None:
    page = eva.get("/my/senders")
    assert 'value="allow"' not in page.text
    told = eva.post("/my/senders/add", sender="x@shop.example", kind="allow")
    assert "Nobody can be allowed here" in text_of(told)
    assert not (eva.folder / "senders.list").exists()


def test_own_senders_are_added_seen_and_removed(eva: Site) -> None:
    (eva.folder / "senders.list").write_text("block z@z.example for joe@mx.example\n")
    assert "in your list" in text_of(
        eva.post("/my/senders/add", sender="shop.example", kind="block")
    )
    page = text_of(eva.get("/my/senders"))
    assert page.count("shop.example") >= 2, "for each of her addresses"
    assert "z@z.example" not in page
    full = text_of(eva.post("/my/senders/add", sender="b.example", kind="block"))
    assert "in your list" in full, "two of three were taken"
    assert "Your list is full" in text_of(
        eva.post("/my/senders/add", sender="c.example", kind="block")
    )
    told = eva.post("/my/senders/remove", sender="shop.example", recipient=EVA, kind="block")
    assert "no longer in your list" in text_of(told)
    other = eva.post("/my/senders/remove", sender="z@z.example", recipient=JOE, kind="block")
    assert "cannot be listed" in text_of(other)
    assert "block z@z.example for joe@mx.example" in (eva.folder / "senders.list").read_text()


@pytest.mark.parametrize("sender", ["*", "", "no address", "x" * 400])
def test_what_is_no_sender_is_refused(eva: Site, sender: str) -> None:
    answer = eva.post("/my/senders/add", sender=sender, kind="block")
    assert answer.status_code == 422
    assert "Expected an address" in text_of(answer)


def test_a_request_is_answered_by_an_admin(eva: Site, mta: Mta) -> None:
    id = eva.put(EVA, reason="banned", subject=b"the plan")
    page = text_of(eva.get(f"/my/{id}"))
    assert "Ask for delivery" in page
    assert "cannot be done" in text_of(eva.post("/my/do", id=id, do="deliver"))
    told = text_of(eva.post("/my/do", id=id, do="request", note="I need the drawings"))
    assert "The postmaster is asked" in told
    assert "has not answered yet" in told
    ann = eva.another()
    eva.log_in("ann", browser=ann)
    queue = ann.get("/requests")
    assert "the plan" in text_of(queue)
    assert "I need the drawings" in text_of(queue)
    fields = {"csrf": token_in(queue), "id": id, "recipient": EVA}
    ann.post("/requests/answer", data={**fields, "do": "refuse", "note": "it is a program"})
    assert "Nobody asks" in text_of(ann.get("/requests"))
    assert "it is a program" in text_of(eva.get(f"/my/{id}"))
    eva.post("/my/do", id=id, do="request")
    ann.post("/requests/answer", data={**fields, "do": "release"})
    assert len(mta.taken) == 1
    assert "Nobody asks" in text_of(ann.get("/requests"))
    assert [one for one, _ in events(eva, id)] == [
        "viewed",
        "requested",
        "refused",
        "requested",
        "releasing",
        "released",
    ]


def test_a_reviewer_answers_only_its_own_recipients(eva: Site) -> None:
    id = eva.put(EVA, reason="banned")
    eva.post("/my/do", id=id, do="request")
    cid = eva.another()
    eva.log_in("cid", browser=cid)
    queue = cid.get("/requests")
    assert "Nobody asks" in text_of(queue)
    fields = {"csrf": token_in(queue), "id": id, "recipient": EVA, "do": "refuse"}
    assert cid.post("/requests/answer", data=fields).status_code == 404
    assert eva.events(id) == ["requested", "viewed"], "by eva, whose page it then was"


def test_actions_are_limited(eva: Site) -> None:
    ids = [eva.put(EVA, subject=b"number %d" % n) for n in range(7)]
    told = [text_of(eva.post("/my/do", id=id, do="delete")) for id in ids]
    assert ["reached the limit" in one for one in told] == [False] * 6 + [True]


def test_the_text_is_shown_without_harm_and_noted_once(eva: Site) -> None:
    html = (
        b"From: a@a.example\r\nSubject: hello\r\nContent-Type: text/html\r\n\r\n"
        b"<p onclick=x>hi<script>alert(1)</script><img src=http://t.example/x></p>\r\n"
    )
    id = eva.put(EVA, data=html)
    page = eva.get(f"/my/{id}")
    assert f"/my/{id}/part/0" in page.text
    frame = eva.get(f"/my/{id}/part/0")
    assert "<p>hi<img></p>" in frame.text
    assert "sandbox" in frame.headers["content-security-policy"]
    eva.get(f"/my/{id}")
    assert eva.events(id) == ["viewed"]
    plain = eva.put(EVA)
    assert "text of the message" in text_of(eva.get(f"/my/{plain}"))


@pytest.mark.parametrize("path", [one for one in PAGES if one != "/account"])
def test_no_page_of_reviewers_for_a_user(eva: Site, path: str) -> None:
    answer = eva.get(path.format(id=eva.put(EVA)))
    assert (answer.status_code, answer.headers["location"]) == (303, "/my")


def test_no_form_of_reviewers_for_a_user(eva: Site) -> None:
    id = eva.put(EVA)
    token = token_in(eva.get("/my"))
    for path in FORMS:
        if not path.startswith(("/my", "/account", "/logout")):
            data = {"csrf": token, "id": id, "do": "delete", "to": EVA}
            answer = eva.browser.post(path.format(id=id), data=data)
            assert answer.status_code == 403, path
    assert eva.events() == []


@pytest.mark.parametrize("action", ["deliver", "delete", "request", "ham", "block", "undelete"])
def test_mail_of_others_does_not_exist(eva: Site, action: str) -> None:
    for id in (eva.put(JOE), eva.put(EVA, virus="Eicar"), "1m832zjby7595m34", "../x"):
        assert eva.get(f"/my/{id}").status_code == 404
        assert "not held any more" in text_of(eva.post("/my/do", id=id, do=action))
    assert eva.events() == []


def test_a_banned_part_is_never_delivered_by_its_recipient(eva: Site) -> None:
    from filterd.chain.verdict import RemovedPart

    id = eva.put(EVA, removed=(RemovedPart("x.exe", "its type", 0, 1),))
    assert "cannot be done" in text_of(eva.post("/my/do", id=id, do="deliver"))
    assert eva.events(id) == []


def test_reviewers_have_no_page_of_their_own(eva: Site) -> None:
    ann = eva.another()
    eva.log_in("ann", browser=ann)
    assert ann.get("/my").status_code == 404


def test_without_the_setting_there_is_no_page(site: Site) -> None:
    Accounts(site.state.accounts.path, QUICK).add("eva", PASSWORD, "user", [], [EVA])
    site.log_in("eva")
    assert site.get("/my").status_code == 404
    ann = site.another()
    site.log_in("ann", browser=ann)
    assert ann.get("/requests").status_code == 404
    token = Signer(site.state.settings.quarantine.folder).mailbox_token(
        MailboxLink(EVA, time.time() + 60)
    )
    assert site.browser.post(f"/my/open/{token}").status_code == 404


def test_a_user_has_addresses_and_no_token(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "accounts", QUICK)
    for limits in ([], []), (["mx.example"], [EVA]), (["mx.example"], []):
        with pytest.raises(PrincipalError, match="its addresses"):
            accounts.add("eva", PASSWORD, "user", *limits)
    with pytest.raises(PrincipalError, match="no tokens"):
        TokenFile(tmp_path / "tokens").add("eva", "user", [], [EVA])


def mailbox_path(site: Site, address: str, seconds: float = 60.0) -> str:
    signer = Signer(site.state.settings.quarantine.folder)
    return f"/my/open/{signer.mailbox_token(MailboxLink(address, time.time() + seconds))}"


def test_a_digests_link_opens_the_mailbox_after_a_click(eva: Site) -> None:
    own, other = eva.put(JOE, subject=b"for joe"), eva.put(EVA)
    path = mailbox_path(eva, "Joe@MX.example")
    joe = eva.another()
    assert "Open my mail" in text_of(joe.get(path))
    assert joe.get("/my").headers["location"].startswith("/login"), "a look opens nothing"
    assert joe.post(path).headers["location"] == "/my"
    page = joe.get("/my")
    assert "for joe" in text_of(page)
    assert joe.get(f"/my/{other}").status_code == 404
    assert joe.get("/account").status_code == 404, "it has no password"
    data = {"csrf": token_in(page), "id": own, "do": "delete"}
    joe.post("/my/do", data=data)
    assert events(eva, own) == [("deleted", f"web:{JOE}")]


def test_no_other_link_opens_it(eva: Site) -> None:
    signer = Signer(eva.state.settings.quarantine.folder)
    id = eva.put(JOE)
    release = signer.token(ReleaseLink(id, JOE, time.time() + 60))
    good = mailbox_path(eva, JOE)
    for path in (
        f"/my/open/{release}",
        good[:-4] + "AAAA",
        mailbox_path(eva, JOE, -1.0),
        good.replace("/my/open/", "/held/"),
    ):
        answer = eva.another().post(path)
        assert answer.status_code == 404, path
        assert "filterd" not in answer.cookies
    strange = eva.another().post(good, headers={"Sec-Fetch-Site": "cross-site"})
    assert strange.status_code == 403


def held_path(site: Site, id: str, address: str) -> str:
    signer = Signer(site.state.settings.quarantine.folder)
    return f"/held/{signer.token(ReleaseLink(id, address, time.time() + 60))}"


def test_a_messages_link_has_the_same_buttons(eva: Site, mta: Mta) -> None:
    id, other = eva.put(JOE), eva.put(JOE, subject=b"second")
    browser = eva.another()
    page = browser.get(held_path(eva, id, JOE) + "?do=delete")
    for button in ("Deliver", "Delete", "Not spam", "Block the sender"):
        assert button in text_of(page)
    assert "text of the message" in text_of(page)
    assert eva.events() == [], "a look changes nothing"
    told = browser.post(held_path(eva, id, JOE), data={"do": "block"})
    assert "The sender is blocked" in text_of(told)
    assert events(eva, id) == [("blocked", f"digest:{JOE}"), ("deleted", f"digest:{JOE}")]
    assert browser.get(held_path(eva, id, JOE)).status_code == 404
    told = browser.post(held_path(eva, other, JOE), data={"do": "ham"})
    assert "the filter learns" in text_of(told)
    assert browser.post(held_path(eva, other, JOE), data={"do": "x"}).status_code == 400


def test_the_language_is_the_browsers_or_a_choice(eva: Site) -> None:
    id = eva.put(EVA)
    german = {"accept-language": "fr;q=0.9, de-AT;q=0.8, en;q=0.1"}
    page = eva.browser.get("/my", headers=german)
    assert "1 Nachricht wartet" in text_of(page)
    assert (page.headers["content-language"], '<html lang="de">' in page.text) == ("de", True)
    assert "Zustellen" in text_of(eva.browser.get(f"/my/{id}", headers=german))
    assert "Anmelden" in text_of(eva.another().get("/login", headers=german))
    eva.browser.post("/language", data={"to": "en", "back": "/my"})
    assert "1 message waits" in text_of(eva.browser.get("/my", headers=german))
    eva.browser.post("/language", data={"to": "de", "back": "/my"})
    assert "Nachricht wartet" in text_of(eva.get("/my"))
    eva.browser.post("/language", data={"to": "xx", "back": "//evil.example"})
    assert "Nachricht wartet" in text_of(eva.get("/my"))
    ann = eva.another()
    eva.log_in("ann", browser=ann)
    assert '<html lang="en">' in ann.get("/quarantine", headers=german).text
