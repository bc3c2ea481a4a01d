"""Write the pictures of the review pages that the documentation has: docs/figures/*.png.

By hand, in an environment with the packages of the tests and with Debian's chromium:
`.venv/bin/python -m tests.browser.screenshots`. The mail in them is made up here.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

from filterd.chain.verdict import RemovedPart, Symbol
from filterd.message import Client, Envelope, Recipient
from filterd.message.ids import new_id
from tests.browser import site as pages
from tests.helpers.reports import new_entry

FIGURES = Path(__file__).parents[2] / "docs/figures"

WIDTH, HEIGHT = 1240, 760

SPAM = Symbol("BAYES_99", 5.4, "spam: text:prize(+2.1), text:claim(+1.4), subject:winner(+1.0)")
SPF = Symbol("SPF_FAIL", 1.5, "192.0.2.44 may not send for bank.example")
BANNED = Symbol("PARTS_BANNED", 0.5, "invoice.exe")
VIRUS = Symbol("CLAMAV", 0.0, "Win.Test.EICAR_HDB-1")

TEXT = """\
Dear customer,

you are the winner of this week's prize. To claim it, confirm your account
at https://bank.example.prize.test/claim within 24 hours.

Your bank
"""

MAIL = [
    # minutes ago, sender, recipient, subject, reason, points, symbols, virus, removed
    (4, "prize@win.example", "ann@mx.example", "You are a winner", "spam", 5.4, (SPAM,), "", ()),
    (
        9,
        "info@bank.example",
        "joe@mx.example",
        "Confirm your account",
        "spam",
        6.9,
        (SPAM, SPF),
        "",
        (),
    ),
    (
        31,
        "sales@parts.example",
        "joe@mx.example",
        "Invoice 4711",
        "virus",
        0.0,
        (VIRUS,),
        "Eicar",
        (),
    ),
    (
        52,
        "post@parcel.example",
        "sue@mx.example",
        "Your parcel waits",
        "stripped",
        0.5,
        (BANNED,),
        "",
        (RemovedPart("invoice.exe", "banned", 2, 40_960),),
    ),
    (
        95,
        "news@garden.example",
        "ann@mx.example",
        "Seeds for the winter",
        "spam",
        5.4,
        (SPAM,),
        "",
        (),
    ),
]


def keep(site: pages.Site) -> str:
    """Put the mail into the quarantine; the id of the message that gets a picture of its own."""
    ids = []
    for minutes, sender, to, subject, reason, score, symbols, virus, removed in MAIL:
        data = f"From: {sender}\nTo: {to}\nSubject: {subject}\n\n{TEXT}".replace("\n", "\r\n")
        host = sender.partition("@")[2]
        entry = new_entry(
            id=new_id(),
            data=data.encode(),
            envelope=Envelope(
                sender, (Recipient(to),), Client(f"mail.{host}", "192.0.2.44", helo=f"mail.{host}")
            ),
            held_for=() if reason == "stripped" else (to,),
            reason=reason,
            action="accept" if reason == "stripped" else "quarantine",
            score=score,
            required=5.0,
            symbols=symbols,
            virus=virus,
            removed=removed,
            received=datetime.now(UTC) - timedelta(minutes=minutes),
        )
        ids.append(site.store.put(entry))
    return ids[1]


def main() -> None:
    """Start the pages, and look at them."""
    with (
        tempfile.TemporaryDirectory(prefix="filterd-screenshots-") as folder,
        sync_playwright() as driver,
    ):
        site = pages.Site(Path(folder), 1)
        site.start()
        try:
            pages.ZONE = "UTC"
            site.browser = driver.chromium.launch(
                executable_path=pages.CHROMIUM, args=pages.OPTIONS
            )
            id = keep(site)
            visit = site.logged_in(width=WIDTH, height=HEIGHT)
            for name, path in (
                ("page-quarantine", "/quarantine"),
                ("page-message", f"/message/{id}"),
            ):
                visit.page.goto(site.url + path)
                visit.page.screenshot(path=FIGURES / f"{name}.png")
                size = (FIGURES / f"{name}.png").stat().st_size
                sys.stdout.write(f"docs/figures/{name}.png: {size // 1024} KiB\n")
            site.browser.close()
        finally:
            site.stop()


if __name__ == "__main__":
    main()
