"""Every page by axe-core: the rules of WCAG 2.2, levels A and AA, in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.site import Site, message

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
    ):
        visit.page.goto(site.url + path)
        wrong[path] = violations(visit.page)
    told = [f"{path} {one}" for path, found in wrong.items() for one in found]
    assert not told, "\n".join(told)
