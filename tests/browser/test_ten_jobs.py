"""The ten commonest jobs of a postmaster, from the page after the login on: how many clicks each
takes. Mail is released to a real Postfix, whose log is read; a real clamd is asked.

A click: on a link, a button, a choice of a list or a checkbox, and Enter at the end of a search.
Other typing is none.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from filterd.chain.verdict import Action, Outcome, Symbol
from filterd.config.assembly import open_history
from filterd.config.load import load
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from tests.browser.site import PASSWORD, Site
from tests.helpers.process import folder, wait_for
from tests.helpers.reports import new_entry, record
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.postfix import HOST, Postfix

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

MOST = 3
"""Clicks of a job."""

JOE = f"joe@{HOST}"
SUE = f"sue@{HOST}"

NEWSLETTERS = 50


@dataclass
class Postmaster:
    """An admin who has just logged in."""

    page: Page
    clicks: int = 0

    def click(self, what: Locator) -> None:
        """One click, and the page that it leads to."""
        self.clicks += 1
        what.click()
        self.page.wait_for_load_state()

    def choose(self, what: Locator, value: str) -> None:
        """A choice of a list."""
        self.clicks += 1
        what.select_option(value)

    def search(self, text: str) -> None:
        """Type into the search of every page, and press Enter."""
        self.clicks += 1
        box = self.page.get_by_role("search", name="All mail").get_by_role("searchbox")
        box.fill(text)
        box.press("Enter")
        self.page.wait_for_url("**/search?q=*")

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name).first

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)


@dataclass
class Office:
    """What the postmaster looks after."""

    site: Site
    postfix: Postfix
    clamd: Clamd

    def put(self, subject: str, to: str = JOE, sender: str = "ann@client.example") -> str:
        """Mail that is held, and that the history has; its id."""
        id = new_id()
        data = (
            f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{id}@x>\r\n"
            "\r\nmoney for nothing\r\n"
        ).encode()
        client = Client("client.example", "192.0.2.1", helo="client.example")
        symbols = (Symbol("BAYES_99", 9.0, "spam: text:money(+1.0)"),)
        self.site.store.put(
            new_entry(
                id=id,
                data=data,
                envelope=Envelope(sender, (Recipient(to),), client),
                held_for=(to,),
                score=9.0,
                required=5.0,
                symbols=symbols,
                outcomes=(Outcome(to, Action.QUARANTINE, "default", (), 8.0),),
            )
        )
        self.history.add(
            [
                record(
                    id,
                    time.time(),
                    sender=sender,
                    recipients=(to,),
                    subject=subject,
                    action="quarantine",
                    reason="spam",
                    score=9.0,
                    required=5.0,
                    symbols=(("BAYES_99", 9.0),),
                )
            ]
        )
        return id

    def __post_init__(self) -> None:
        self.history = open_history(load(self.site.folder / "filterd.toml"))


@pytest.fixture(scope="module")
def running() -> Iterator[Office]:
    with folder("jobs-postfix") as mail, folder("jobs-clamd") as scan, folder("jobs") as pages:
        postfix, clamd = Postfix(mail, ""), Clamd(scan)
        clamd.set_age(0)
        postfix.start()
        clamd.start()
        more = (
            f'[filters.clamav]\nserver = "unix:{clamd.socket}"\n'
            f'[history]\n[maillog]\nfiles = ["{postfix.folder}/log"]\n'
        )
        site = Site(pages, postfix.port, more, ("clamav",))
        site.start()
        yield Office(site, postfix, clamd)
        site.stop()
        clamd.process.stop()
        postfix.stop()


@pytest.fixture
def office(running: Office, browser: Browser) -> Iterator[Office]:
    running.site.empty()
    running.site.browser = browser
    yield running
    running.site.close_pages()


@pytest.fixture
def postmaster(office: Office) -> Postmaster:
    return Postmaster(office.site.logged_in().page)


def test_find_a_users_lost_mail(office: Office) -> None:
    office.put("invoice of May", SUE)
    office.put("something else")
    postmaster = Postmaster(office.site.logged_in().page)
    postmaster.search(f"to:{SUE}")
    postmaster.click(postmaster.link("invoice of May"))
    expect(postmaster.page.get_by_role("heading", level=1)).to_have_text("invoice of May")
    assert postmaster.clicks == 2


def test_why_was_it_held(office: Office, postmaster: Postmaster) -> None:
    office.put("cheap watches")
    postmaster.click(postmaster.link("Quarantine"))
    postmaster.click(postmaster.link("cheap watches"))
    expect(postmaster.page.locator("#verdict")).to_have_text(
        "Held: 9.0 points, the limit is 8.0 (rule default)."
    )
    expect(postmaster.page.locator("#h-verdict ~ table.symbols")).to_contain_text("BAYES_99")
    assert postmaster.clicks == 2


def test_release_and_teach(office: Office, postmaster: Postmaster) -> None:
    id = office.put("a good letter")
    postmaster.click(postmaster.link("Quarantine"))
    postmaster.click(postmaster.link("a good letter"))
    postmaster.click(postmaster.button("Release and learn as ham"))
    expect(postmaster.page.get_by_role("status")).to_contain_text("done")
    (came,) = office.postfix.mail()
    assert b"money for nothing" in came.body
    assert office.site.state(id) == "released"
    assert "learned" in office.site.events(id)
    assert postmaster.clicks <= MOST


def test_block_a_domain(office: Office, postmaster: Postmaster) -> None:
    postmaster.click(postmaster.link("Senders"))
    postmaster.page.get_by_label("Sender: ").fill("shop.example")
    postmaster.click(postmaster.button("Add"))
    expect(postmaster.page.get_by_role("status")).to_contain_text("Mail from shop.example")
    senders = (office.site.folder / "senders.list").read_text()
    assert re.search(r"^block\s+shop\.example", senders, re.MULTILINE)
    assert postmaster.clicks == 2


def test_delete_fifty_newsletters_and_see_them_gone(office: Office, postmaster: Postmaster) -> None:
    ids = [office.put(f"newsletter {n}", sender="news@shop.example") for n in range(NEWSLETTERS)]
    kept = office.put("a letter")
    postmaster.search("newsletter")
    postmaster.click(postmaster.button(f"Delete all {NEWSLETTERS} …"))
    postmaster.click(postmaster.button(f"Delete {NEWSLETTERS} messages"))
    expect(postmaster.page.get_by_role("status")).to_contain_text("50 messages: done")
    # The search is shown again, and nothing of it waits any more.
    expect(postmaster.page.get_by_text("for a decision")).to_have_count(0)
    expect(postmaster.page.locator(".state-deleted")).to_have_count(NEWSLETTERS)
    assert {office.site.state(id) for id in ids} == {"deleted"}
    assert office.site.state(kept) == "held"
    assert postmaster.clicks <= MOST


def test_how_much_spam_came_this_week(office: Office) -> None:
    before = int(office.history.flow(0, time.time() + 3600, 1e12)[0][2])
    for number in range(3):
        office.put(f"offer {number}")
    postmaster = Postmaster(office.site.logged_in().page)
    postmaster.click(postmaster.page.get_by_role("link", name="7", exact=True))
    # Three more than the mail of the tests before.
    expect(postmaster.page.locator(".legend").first).to_contain_text(f"quarantine {before + 3}")
    assert postmaster.clicks == 1


def test_is_clamd_alive_and_fresh(office: Office, postmaster: Postmaster) -> None:
    card = postmaster.page.get_by_role("region", name="clamd")
    expect(card).to_contain_text("signatures of today")
    office.clamd.process.stop()
    try:
        postmaster.page.reload()
        expect(card).to_contain_text("does not answer")
    finally:
        office.clamd.start()
    assert postmaster.clicks == 0


def test_is_the_classifier_trained(office: Office, postmaster: Postmaster) -> None:
    card = postmaster.page.get_by_role("region", name="Classifier")
    expect(card).to_contain_text("missing")
    expect(card).to_contain_text("until the site's own model is used")
    assert postmaster.clicks == 0


def test_give_a_helpdesk_one_domain(office: Office, postmaster: Postmaster) -> None:
    own = office.put("for joe")
    other = office.put("for somebody else", "max@other.example")
    page = postmaster.page
    postmaster.click(postmaster.link("Accounts"))
    page.get_by_label("Name", exact=True).fill("dora")
    postmaster.choose(page.get_by_label("Role").first, "helpdesk")
    page.get_by_label("Mail to: ").first.fill(HOST)
    page.get_by_label("Your own password").first.fill(PASSWORD)
    postmaster.click(page.get_by_role("button", name="Add", exact=True))
    told = page.get_by_role("status").inner_text()
    password = re.search(r"password (\S+) \(", told)
    assert password
    assert postmaster.clicks <= MOST
    dora = office.site.visit()
    office.site.log_in(dora, "dora", password[1])
    expect(dora.page.get_by_role("link", name="for joe")).to_be_visible()
    for id, status in ((own, 200), (other, 404)):
        answer = dora.page.goto(f"{office.site.url}/message/{id}")
        assert answer is not None
        assert answer.status == status


def test_did_a_released_message_arrive(office: Office, postmaster: Postmaster) -> None:
    id = office.put("the missing contract", SUE)
    postmaster.page.goto(f"{office.site.url}/message/{id}")
    postmaster.page.locator("#release").get_by_role("button", name="Release").click()
    expect(postmaster.page.get_by_role("status")).to_contain_text("done")
    office.postfix.mail(user="sue")
    wait_for("the line of the log", lambda: "status=sent" in office.postfix.log)
    # The question comes later: somebody else logs in.
    asked = Postmaster(office.site.logged_in().page)
    asked.search("contract")
    asked.click(asked.link("the missing contract"))
    timeline = asked.page.locator("section", has=asked.page.locator("#h-events"))
    expect(timeline).to_contain_text("250")
    expect(timeline).to_contain_text("delivered to maildir")
    assert asked.clicks == 2
    today = datetime.now(UTC).year
    assert str(today) in timeline.inner_html(), "with the time"
