"""Every page by axe-core: the rules of WCAG 2.2, levels A and AA, in light and dark."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from filterd.digest.links import MailboxLink, ReleaseLink, Signer
from filterd.quarantine.copies import mark
from tests.browser.site import JOE, Site, message

if TYPE_CHECKING:
    from playwright.sync_api import Page

OPTIONS = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    }
}


def violations(page: Page) -> list[str]:
    """What axe-core finds: the rule, and the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=OPTIONS).response
    assert len(found["passes"]) > 5, "axe looked at something"
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_keeps_the_rules(site: Site, scheme: str) -> None:
    id = site.put(message("cheap watches"))
    for _ in range(3):
        site.put(message("another"))
    visit = site.visit()
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.goto(f"{site.url}/login")
    wrong = {"/login": violations(visit.page)}
    site.log_in(visit)
    for path in (
        "/",
        "/?days=7",
        "/quarantine",
        "/quarantine?since=x",
        f"/message/{id}",
        "/message/unknown",
        "/history",
        "/search?q=watches",
        "/search?q=%22",
        "/senders",
        "/scan",
        "/audit",
        "/trace",
        "/dmarc",
        "/account",
        "/accounts",
        "/requests",
    ):
        visit.page.goto(site.url + path)
        wrong[path] = violations(visit.page)
    told = [f"{path} {one}" for path, found in wrong.items() for one in found]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_users_pages_keep_the_rules(site: Site, scheme: str, language: str) -> None:
    id, banned = site.put(message("cheap watches")), site.put(message("plan"), reason="banned")
    html = site.put(message("offer", b"<p>hello</p>\r\n", "html"))
    mark(site.store, "requested", banned, [JOE], "web:joe", "I need it")
    signer, until = Signer(site.store.settings.folder), time.time() + 600
    visit = site.visit()
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_extra_http_headers({"Accept-Language": language})
    wrong: dict[str, list[str]] = {}

    def look(path: str) -> None:
        visit.page.goto(site.url + path)
        assert visit.page.get_attribute("html", "lang") == language
        wrong[path[:20]] = violations(visit.page)

    look("/login")
    look("/held/x")
    look(f"/held/{signer.token(ReleaseLink(id, JOE, until))}")
    look(f"/held/{signer.token(ReleaseLink(banned, JOE, until))}")
    look(f"/my/open/{signer.mailbox_token(MailboxLink(JOE, until))}")
    visit.page.locator("main button").click()
    visit.page.wait_for_url("**/my")
    for path in ("/my", f"/my/{id}", f"/my/{banned}", f"/my/{html}", "/my/senders", "/my/x"):
        look(path)
    visit.page.goto(f"{site.url}/my")
    visit.page.locator("main button[value=delete]").first.click()
    visit.page.get_by_role("status").wait_for()
    wrong["deleted"] = violations(visit.page)
    told = [f"{path} {one}" for path, found in wrong.items() for one in found]
    assert not told, "\n".join(told)
