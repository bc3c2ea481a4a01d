"""What an admin and a reviewer do all day, in a browser."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from filterd.digest.links import ReleaseLink, Signer
from filterd.system import zone
from tests.browser.site import JOE, MAX, PASSWORD, ZONE, Site, message
from tests.helpers.process import folder
from tests.helpers.servers.own_mta import OwnMta


def test_log_in_and_out(site: Site) -> None:
    visit = site.visit()
    visit.page.goto(f"{site.url}/quarantine?reason=spam")
    expect(visit.page).to_have_url(re.compile("/login"))
    visit.page.get_by_label("Name").fill("admin")
    visit.page.get_by_label("Password").fill(PASSWORD)
    visit.page.keyboard.press("Enter")
    expect(visit.page).to_have_url(f"{site.url}/quarantine?reason=spam")
    visit.page.get_by_role("button", name="Log out").click()
    expect(visit.page.get_by_role("button", name="Log in")).to_be_visible()
    visit.page.goto(f"{site.url}/quarantine")
    expect(visit.page).to_have_url(re.compile("/login"))
    assert [words for words in visit.said if "Clear-Site-Data" not in words] == []


def test_a_wrong_password(site: Site) -> None:
    visit = site.visit()
    site.log_in(visit, password="wrong")
    expect(visit.page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    assert visit.page.get_by_label("Name").input_value() == "admin"
    assert visit.page.get_by_label("Password").input_value() == ""


def test_find_a_message(site: Site) -> None:
    site.put(message("an invoice"))
    site.put(message("a newsletter"), MAX)
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/quarantine")
    expect(visit.page.locator("[data-row]")).to_have_count(2)
    visit.page.get_by_label("Search").fill("INVOICE")
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator("[data-row]")).to_have_count(1)
    visit.page.get_by_role("link", name="an invoice").click()
    expect(visit.page.get_by_role("heading", name="an invoice")).to_be_visible()
    assert "text of the message" in visit.text
    assert "BAYES_99" in visit.text
    visit.page.goto(f"{site.url}/quarantine")
    visit.page.get_by_text("More conditions").click()
    visit.page.get_by_label("Domain (of either)").fill("other.example")
    visit.page.get_by_role("button", name="Search").click()
    expect(visit.page.get_by_role("link", name="a newsletter")).to_be_visible()
    expect(visit.page.get_by_role("link", name="an invoice")).to_have_count(0)
    assert visit.said == []


def test_release_and_see_it_arrive(site: Site, mta: OwnMta) -> None:
    body = b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\n..dots\r\n" + b"x" * 900 + b"\r\n"
    id = site.put(message("wanted", body))
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/message/{id}")
    visit.page.locator("#release").get_by_label("Why").fill("asked for it")
    visit.page.get_by_role("button", name="Release", exact=True).click()
    expect(visit.page.get_by_role("status")).to_contain_text("1 message: done")
    (came,) = mta.mail()
    assert came.body == body.replace(b"\r\n", b"\n")
    assert site.state(id) == "released"
    expect(visit.page.locator(".copies")).to_contain_text("250")
    expect(visit.page.locator(".events")).to_contain_text("asked for it")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_double_click_releases_once(site: Site, mta: OwnMta, scripts: bool) -> None:
    id = site.put(message("once"))
    visit = site.logged_in(scripts=scripts)
    visit.page.goto(f"{site.url}/message/{id}")
    visit.page.get_by_role("button", name="Release", exact=True).dblclick()
    expect(visit.page.get_by_role("status")).to_be_visible()
    mta.mail(1)
    # Without scripts both clicks are sent, and the second answer replaces the first.
    visit.page.wait_for_load_state("networkidle")
    visit.page.goto(f"{site.url}/message/{id}")
    visit.page.get_by_role("button", name="Release", exact=True).click()
    expect(visit.page.get_by_role("status")).to_contain_text("already")
    mta.settled()
    assert mta.mailboxes.get("joe", 0) == 0, "the first was taken out, no second came"
    assert site.events(id).count("released") == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_digests_link_releases_after_a_click(site: Site, mta: OwnMta, scripts: bool) -> None:
    id = site.put(message("from a digest"))
    signer = Signer(site.store.settings.folder)
    visit = site.visit(scripts=scripts, width=390)
    address = f"{site.url}/held/{signer.token(ReleaseLink(id, JOE, time.time() + 60))}"
    visit.page.goto(address)
    expect(visit.page.get_by_text("from a digest")).to_be_visible()
    assert site.state(id) == "held", "following the link does nothing"
    visit.page.get_by_role("button", name="Deliver", exact=True).dblclick()
    expect(visit.page.get_by_role("status")).to_have_text("It is on its way to you.")
    mta.mail(1)
    visit.page.goto(address[:-1] + ("A" if address[-1] != "A" else "B"))
    expect(visit.page.get_by_text("not valid")).to_be_visible()
    visit.page.goto(f"{site.url}/held/{signer.token(ReleaseLink(id, JOE, time.time() - 60))}")
    expect(visit.page.get_by_role("heading", name="This link leads nowhere")).to_be_visible()
    mta.settled()
    assert mta.mailboxes.get("joe", 0) == 0
    assert site.events(id).count("released") == 1


@pytest.mark.parametrize("kind", ["spam", "ham"])
def test_learn(site: Site, kind: str) -> None:
    id = site.put(message("teach me"))
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/message/{id}")
    visit.page.get_by_role("button", name=f"Learn as {kind}", exact=True).click()
    expect(visit.page.get_by_role("status")).to_contain_text(f"as {kind}")
    assert "learned" in site.events(id)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_delete_several_after_a_question(site: Site, scripts: bool) -> None:
    ids = [site.put(message(f"number {number}")) for number in range(4)]
    why = f"rubbish {ids[0]}"
    visit = site.logged_in(scripts=scripts)
    visit.page.goto(f"{site.url}/quarantine")
    for number in (0, 2):
        visit.page.get_by_role("checkbox", name=f"Select number {number}").check()
    visit.page.get_by_role("button", name="Delete …").click()
    expect(visit.page.get_by_role("heading", name="Delete 2 messages")).to_be_visible()
    assert [site.state(id) for id in ids] == ["held"] * 4
    visit.page.get_by_label("Why").fill(why)
    visit.page.get_by_role("button", name="Delete 2 messages").click()
    expect(visit.page.get_by_role("status")).to_contain_text("2 messages: done")
    assert [site.state(id) for id in ids] == ["deleted", "held", "deleted", "held"]
    visit.page.goto(f"{site.url}/audit")
    expect(visit.page.get_by_text(why)).to_have_count(2)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_what_is_decided_leaves_the_list_and_is_one_click_away(site: Site, scripts: bool) -> None:
    for number in range(3):
        site.put(message(f"number {number}"))
    visit = site.logged_in(scripts=scripts)
    visit.page.goto(f"{site.url}/quarantine")
    rows = visit.page.locator("[data-row]")
    expect(rows).to_have_count(3)
    visit.page.get_by_role("link", name="number 1").click()
    expect(visit.page.locator("#verdict")).to_contain_text("Held: ")
    visit.page.get_by_role("button", name="Delete …").click()
    visit.page.get_by_role("button", name="Delete 1 message").click()
    visit.page.get_by_role("link", name="Quarantine").first.click()
    expect(rows).to_have_count(2)
    expect(visit.page.get_by_role("link", name="number 1")).to_have_count(0)
    expect(visit.page.get_by_text("2 in all")).to_be_visible()
    visit.page.get_by_role("link", name="Everything").click()
    expect(rows).to_have_count(3)
    visit.page.get_by_role("link", name="Virus").click()
    expect(visit.page.get_by_text("No matching messages.")).to_be_visible()
    visit.page.get_by_role("link", name="To decide").click()
    expect(rows).to_have_count(2)
    assert visit.said == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_one_message_after_the_other_until_nothing_waits(site: Site, scripts: bool) -> None:
    for number in range(4):
        site.put(message(f"number {number}"))
    visit = site.logged_in(scripts=scripts)
    visit.page.goto(f"{site.url}/quarantine?reason=spam&state=waiting")
    visit.page.get_by_role("link", name="number 3").click()
    heading = visit.page.get_by_role("heading", level=1)
    expect(visit.page.get_by_text("first of the list")).to_be_visible()
    visit.page.get_by_role("link", name="Next").click()
    expect(heading).to_have_text("number 2")
    visit.page.get_by_role("link", name="Previous").click()
    expect(heading).to_have_text("number 3")
    if scripts:
        visit.page.keyboard.press("j")
        expect(heading).to_have_text("number 2")
        visit.page.keyboard.press("k")
        expect(heading).to_have_text("number 3")
    for number in (3, 2, 1, 0):
        expect(heading).to_have_text(f"number {number}")
        if number == 2:
            visit.page.get_by_role("button", name="Learn as spam").click()
            continue
        visit.page.get_by_role("button", name="Delete …").click()
        visit.page.get_by_role("button", name="Delete 1 message").click()
        expect(visit.page.get_by_role("status")).to_contain_text("1 message: done")
    expect(visit.page).to_have_url(re.compile(r"/quarantine\?reason=spam&state=waiting"))
    expect(visit.page.locator("[data-row]")).to_have_count(1)
    expect(visit.page.get_by_role("link", name="number 2")).to_be_visible()
    assert visit.said == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_all_that_match_a_search(site: Site, scripts: bool) -> None:
    ids = [site.put(message(f"offer {number}")) for number in range(26)]
    kept = site.put(message("a letter"))
    visit = site.logged_in(scripts=scripts)
    visit.page.goto(f"{site.url}/quarantine?subject=offer&limit=25")
    days = visit.page.get_by_text("Days and times are those of")
    expect(days).to_contain_text(ZONE if scripts else zone.name())
    visit.page.get_by_label("all 26 that match").check()
    visit.page.get_by_role("button", name="Delete …").click()
    expect(visit.page.get_by_text("26 held.")).to_be_visible()
    assert site.state(ids[0]) == "held"
    visit.page.get_by_role("button", name="Delete 26 messages").click()
    expect(visit.page.get_by_role("status")).to_contain_text("26 messages: done")
    assert {site.state(id) for id in ids} == {"deleted"}
    assert site.state(kept) == "held"
    visit.page.get_by_role("button", name="Undo").click()
    expect(visit.page.get_by_role("status")).to_contain_text("brought back, as it was")
    assert {site.state(id) for id in ids} == {"held"}
    assert visit.said == []


def test_all_of_a_page_by_keys(site: Site) -> None:
    ids = [site.put(message(f"number {number}")) for number in range(3)]
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/quarantine")
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("x")
    expect(visit.page.locator("[data-chosen]")).to_have_text("1 selected:")
    expect(visit.page.get_by_role("checkbox", name="Select number 1")).to_be_checked()
    visit.page.keyboard.press("a")
    expect(visit.page.locator("[data-chosen]")).to_have_text("3 selected:")
    visit.page.get_by_role("button", name="Pin …", exact=True).click()
    visit.page.get_by_role("button", name="Pin 3 messages").click()
    expect(visit.page.get_by_role("status")).to_contain_text("3 messages: done")
    assert all(site.store.delivery_state(id).pinned for id in ids)
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("k")
    visit.page.keyboard.press("j")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("heading", name="number 1")).to_be_visible()
    assert visit.said == []


def test_a_reviewer_has_its_own_mail_only(site: Site, mta: OwnMta) -> None:
    own, foreign = site.put(message("for joe")), site.put(message("for max"), MAX)
    shared = site.put(message("for both"), JOE, MAX)
    visit = site.logged_in("bob")
    expect(visit.page).to_have_url(f"{site.url}/quarantine")
    expect(visit.page.get_by_role("link", name="for joe")).to_be_visible()
    expect(visit.page.get_by_role("link", name="for max")).to_have_count(0)
    assert "Dashboard" not in visit.text
    answer = visit.page.goto(f"{site.url}/message/{foreign}")
    assert answer is not None
    assert answer.status == 404
    visit.page.goto(f"{site.url}/message/{shared}")
    assert MAX not in visit.page.content()
    expect(visit.page.get_by_role("button", name=re.compile("Delete"))).to_have_count(0)
    visit.page.get_by_role("button", name="Release", exact=True).click()
    expect(visit.page.get_by_role("status")).to_contain_text("1 message: done")
    mta.mail(1)
    states = {d.recipient: d.state for d in site.store.delivery_state(shared).deliveries}
    assert states == {JOE: "released", MAX: "held"}
    assert site.events(foreign) == []
    assert site.state(own) == "held"


def test_a_session_that_is_not_used_ends(site: Site, mta: OwnMta) -> None:
    with folder("browser-short") as path:
        short = Site(path, mta.port, web="idle_minutes = 0.1")
        short.start()
        short.browser = site.browser
        id = short.put(message("too late"))
        visit = short.logged_in()
        visit.page.goto(f"{short.url}/message/{id}")
        visit.page.wait_for_timeout(6500)
        visit.page.get_by_role("button", name="Release", exact=True).click()
        expect(visit.page.get_by_text("The session has ended")).to_be_visible()
        assert short.state(id) == "held"
        visit.page.goto(f"{short.url}/quarantine")
        expect(visit.page.get_by_role("button", name="Log in")).to_be_visible()
        short.close_pages()
        short.stop()


@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_and_every_field_has_a_label(site: Site, width: int) -> None:
    long = "Überweisung" * 20
    id = site.put(message(long), *[f"{'x' * 40}{n}@{'sub.' * 10}mx.example.test" for n in range(9)])
    visit = site.logged_in(width=width, height=844)
    for path in (
        "/",
        "/quarantine?since=x",
        f"/message/{id}",
        "/history",
        "/scan",
        "/account",
        "/audit",
        "/trace",
    ):
        visit.page.goto(site.url + path)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, path
        unlabelled = visit.page.evaluate(
            """[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]
               .filter(e => !e.labels.length && !e.ariaLabel).map(e => e.outerHTML)"""
        )
        assert unlabelled == [], path
    assert visit.said == []
