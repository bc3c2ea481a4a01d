"""A user, in a real browser: its held mail, with and without scripts."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from filterd.digest.links import MailboxLink, Signer
from tests.browser.site import JOE, MAX, Site, message
from tests.helpers.servers.own_mta import OwnMta


@pytest.mark.parametrize("scripts", [True, False])
def test_deliver_delete_undo_and_block(site: Site, mta: OwnMta, scripts: bool) -> None:
    wanted, other = site.put(message("the invoice")), site.put(message("cheap watches"))
    site.put(message("for somebody else"), MAX)
    visit = site.logged_in("joe", scripts=scripts)
    page = visit.page
    expect(page.get_by_role("heading", name="Mail held for you")).to_be_visible()
    expect(page.get_by_text("for somebody else")).to_have_count(0)
    page.get_by_role("button", name="Deliver the invoice").click()
    expect(page.get_by_role("status")).to_contain_text("on its way to you")
    (came,) = mta.mail(user="joe")
    assert b"text of the message" in came.body
    assert site.state(wanted) == "released"
    page.get_by_role("button", name="Delete cheap watches").click()
    expect(page.get_by_role("status")).to_contain_text("It is deleted.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_contain_text("It is back.")
    page.get_by_role("link", name="cheap watches").first.click()
    expect(page.locator(".mailtext")).to_contain_text("text of the message")
    page.get_by_role("button", name="Block the sender").click()
    expect(page.get_by_role("status")).to_contain_text("The sender is blocked")
    assert site.state(other) == "deleted"
    page.get_by_role("link", name="My senders").click()
    expect(page.get_by_role("cell", name="ann@client.example", exact=True)).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("status")).to_contain_text("no longer in your list")
    assert not visit.said


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits(site: Site, width: int) -> None:
    id = site.put(message("x" * 300))
    visit = site.visit(width=width)
    signer = Signer(site.store.settings.folder)
    token = signer.mailbox_token(MailboxLink(JOE, time.time() + 600))
    for path in (f"/my/open/{token}", "/my", f"/my/{id}", "/my/senders"):
        visit.page.goto(site.url + path)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, path
        if path.startswith("/my/open"):
            visit.page.get_by_role("button", name="Open my mail").click()
            visit.page.wait_for_url("**/my")
