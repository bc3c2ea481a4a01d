"""The page of traces in a browser: steps with and without scripts, and rules that are hostile."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.site import Site, Visit
from tests.browser.stranger import Stranger

RULES = """\
V10/Berkeley
O OperatorChars=.:%@!^/[]+
S3
R$* % $*	$: $1 @ $2
R$+ @ $+	$: $1 < @ $2 >
S0
R$+ < @ evil >	$#error $@ 5.1.2 $: "550 HOSTILE"
R$+ < @ $+ >	$#smtp $@ $2 $: $1 < @ $2 >
R$+	$#local $: $1
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat $u
Msmtp, P=[IPC], F=mDFMuX, A=TCP $h
"""


def traced(site: Site, visit: Visit, addresses: str, rules: str = RULES) -> None:
    page = visit.page
    page.goto(f"{site.url}/trace")
    page.get_by_label("A sendmail.cf or an mc file").fill(rules)
    page.get_by_label("Addresses").fill(addresses)
    with page.expect_navigation():
        page.get_by_role("button", name="Trace").click()


def test_the_keys_go_from_rule_to_rule(site: Site) -> None:
    visit = site.logged_in()
    page = visit.page
    traced(site, visit, "joe%far.test\nann")
    expect(page.get_by_text("mailer smtp, host far.test")).to_be_visible()
    expect(page.locator(".steps .step:target")).to_have_count(0)
    for key, id in (("j", "a1-1"), ("j", "a1-2"), ("k", "a1-1"), ("j", "a1-2"), ("j", "a1-3")):
        page.keyboard.press(key)
        expect(page.locator(".steps .step:target")).to_have_attribute("id", id)
    # Where somebody types they are letters.
    page.get_by_label("Addresses").press("j")
    expect(page.locator(".steps .step:target")).to_have_attribute("id", "a1-3")
    assert visit.said == []


def test_the_arrows_go_from_rule_to_rule_without_scripts(site: Site, tmp_path: Path) -> None:
    visit = site.logged_in(scripts=False)
    page = visit.page
    file = tmp_path / "sendmail.cf"
    file.write_text(RULES)
    page.goto(f"{site.url}/trace")
    page.get_by_label("or the file itself").set_input_files(file)
    page.get_by_label("Addresses").fill("joe%far.test")
    page.get_by_role("button", name="Trace").click()
    page.get_by_role("link", name="go through them").click()
    here = page.locator(".steps .step:target")
    expect(here).to_contain_text("sendmail.cf:4")
    here.get_by_role("link", name="Next rule").click()
    expect(here).to_contain_text("sendmail.cf:5")
    here.get_by_role("link", name="Rule before").click()
    expect(here).to_contain_text("sendmail.cf:4")
    # The file came back in the form: another question needs no other upload.
    page.get_by_label("Addresses").fill("sue%near.test")
    page.get_by_role("button", name="Trace").click()
    expect(page.get_by_text("host near.test", exact=False).first).to_be_visible()


def test_it_fits_a_phone_and_the_dark(site: Site) -> None:
    for width, scheme in ((390, "light"), (1280, "dark")):
        visit = site.logged_in(width=width, height=844)
        visit.page.emulate_media(color_scheme=scheme)
        traced(site, visit, f"{'x' * 120}%{'y' * 120}\njoe@evil")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        colours = visit.page.locator(".steps .step code").first.evaluate(
            "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert len(set(colours)) == 2
        assert visit.said == []


def test_rules_and_addresses_stay_text(site: Site, stranger: Stranger) -> None:
    hostile = f'<img src={stranger.url}/x onerror=alert(1)><script src="{stranger.url}/s"></script>'
    visit = site.logged_in()
    traced(
        site, visit, f"joe@evil\n{hostile}@x", RULES.replace("HOSTILE", hostile.replace('"', ""))
    )
    expect(visit.page.get_by_text("550 <img").first).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert stranger.asked == []
    assert visit.said == []
