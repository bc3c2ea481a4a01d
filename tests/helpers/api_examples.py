"""For each operation of the REST interface a request and its answer, as a made-up site gives it.

    python -m tests.helpers.api_examples        # writes filterd/web/api/examples.json

Ids, times, versions and secrets of a run are put in place of those of another, always the same, so
that the file only changes with the interface.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from httpx import Response

from filterd.chain.verdict import RemovedPart
from filterd.config.assembly import site_state
from filterd.config.load import load
from filterd.filters.greylist.triplets import Triplets
from filterd.filters.rates.counting import RateCounts
from filterd.filters.rates.settings import RefusedShare
from filterd.review.accounts import Accounts
from filterd.web.api import examples
from filterd.web.app import create_app
from tests.helpers.api import Program, tokens_of
from tests.helpers.feedback import feedback, record
from tests.helpers.receiving_mta import running
from tests.helpers.reports import record as history_record
from tests.helpers.site import PASSWORD, PLAIN, QUICK, Site

CHAIN = '["greylist", "rates", "locallists", "senders", "gtube"]'

MORE = """
[filters.locallists]
early = true
[[filters.locallists.lists]]
file = "blocked.list"
about = "client"
action = "reject"
"""

WEB = """
[users]
enabled = true
request = ["banned"]
[dmarc]
received = "{folder}/reports"
"""

RULES = """\
V10/Berkeley
O OperatorChars=.:%@!^/[]+
Ktable hash /etc/mail/table
S3
R$+ @ $+\t$: $1 < @ $(table $2 $: $2 $) >
S0
R$+ < @ $+ >\t$#smtp $@ $2 $: $1 < @ $2 >
Mlocal, P=/bin/cat, F=lsDFMA5, A=cat $u
Msmtp, P=[IPC], F=mDFMuX, A=TCP $h
"""

JOE = "joe@mx.example"

Plain = Any
"""What JSON can say."""


@dataclass
class Recording:
    """What was asked and answered. known: words of this run, and what stands for them."""

    program: Program
    begun: float = field(default_factory=time.time)
    known: dict[str, str] = field(default_factory=dict)
    told: dict[str, dict[str, Plain]] = field(default_factory=dict)

    def get(self, path: str, values: dict[str, Plain] | None = None, **query: Plain) -> Plain:
        """Ask for something. values: of the path."""
        answer = self.program.get(path.format(**values or {}), **query)
        return self._kept("get", path, answer, values=values, query=query)

    def post(
        self, path: str, wish: Plain = None, values: dict[str, Plain] | None = None, **query: Plain
    ) -> Plain:
        """Have something done."""
        where = path.format(**values or {})
        if isinstance(wish, bytes):
            answer = self.program.site.browser.post(
                f"/api{where}", content=wish, params=query, headers=self.program.headers
            )
            wish = None
        else:
            answer = self.program.post(where, wish, params=query)
        return self._kept("post", path, answer, values=values, query=query, body=wish)

    def monitor(self, path: str) -> None:
        """Ask for something that is outside of /api."""
        answer = self.program.site.browser.get(path)
        self.told[f"get {path}"] = {"status": answer.status_code, "answer": answer.json()}

    def _kept(self, method: str, path: str, answer: Response, **asked: Plain) -> Plain:
        assert answer.status_code == 200, (method, path, answer.text)
        found = {name: value for name, value in asked.items() if value}
        told = None
        if answer.headers["content-type"] == "application/json":
            told = found["answer"] = answer.json()
        self.told[f"{method} /api{path}"] = found
        return told

    def fixed(self) -> dict[str, dict[str, Plain]]:
        """All of it, in the order of the names, without what only this run has."""
        return {name: self._fixed(one) for name, one in sorted(self.told.items())}

    def _fixed(self, value: Plain, name: str = "") -> Plain:
        match value:
            case dict():
                return {
                    self._fixed(key): self._fixed(one, key) for key, one in sorted(value.items())
                }
            case list():
                return [self._fixed(one, name) for one in value]
            case str():
                for word, other in self.known.items():
                    value = value.replace(word, other)
                for pattern, other in _OF_A_RUN:
                    value = re.sub(pattern, other, value)
            case float() if value > 1e9:
                return _TIME + 60 * round((value - self.begun) / 60)
            case float() if name in self.program.site.state.settings.chain.filters:
                return 0.1  # milliseconds
        return value


_TIME = 1_796_117_400.0
"""2026-12-01T09:30:00Z, in seconds since 1970."""

_OF_A_RUN = [
    (r"20\d\d-\d\d-\d\d([T ])[\d:.]+", r"2026-12-01\g<1>09:30:00"),
    (r"\b\d{10}\.\d+", str(_TIME)),
    (r"\b[0-9a-f]{64}\b", "0" * 64),
]
"""Times, and sums of files."""


def made_up(folder: Path, port: int) -> Site:
    """A site with some of everything. port: of the MTA that takes releases."""
    site = Site(folder, port, WEB.format(folder=folder), home="/my")
    file = folder / "filterd.toml"
    text = file.read_text().replace('["senders", "gtube"]', CHAIN) + MORE
    file.write_text(text)
    (folder / "blocked.list").write_text("192.0.2.0/24   # a network that sends spam only\n")
    (folder / "reports").mkdir()
    (folder / "reports/a.xml").write_bytes(feedback(record(count=7)))
    site.state.close()
    site.app = create_app(load(file))
    site.state = site.app.state.filterd
    site.browser = site.another()
    Accounts(site.state.accounts.path, QUICK).add("eva", PASSWORD, "user", [], ["eva@mx.example"])
    return site


def recorded(folder: Path) -> Recording:
    """Everything once, on a site in an empty folder."""
    with running() as mta:
        site = made_up(folder, mta.port)
        try:
            return _recorded(site)
        finally:
            site.state.close()


def _recorded(site: Site) -> Recording:
    told = Recording(Program(site, tokens_of(site).add("robot", "admin")))
    removed = RemovedPart("invoice.exe", "an .exe", 0, len(PLAIN))
    ids = [site.put(JOE), site.put(JOE, removed=(removed,)), site.put(JOE, "sue@mx.example")]
    asked = [site.put("eva@mx.example", reason="banned") for _ in range(2)]
    told.known |= dict(zip([*ids, *asked], _IDS, strict=True))
    port = site.state.settings.quarantine.release_port
    told.known |= {str(site.folder): "/etc/filterd", f":{port}": ":25"}
    site.log_in("eva")
    for id in asked:
        site.post("/my/do", id=id, do="request", note="my invoice")
    site.browser.cookies.clear()
    site.state.history.add(
        [
            history_record(
                "h1",
                time.time(),
                recipients=(JOE,),
                sender="ann@a.example",
                subject="hello",
                client="a.example[192.0.2.1]",
                symbols=[("BAYES_99", 9.0)],
                score=9.0,
            )
        ]
    )
    told.known |= {"h1": "1m8qvr9c1k373xfe"}
    _looking(told, ids)
    _acting(told, ids, asked)
    _state(told)
    _lists(told)
    _accounts(told)
    return told


_IDS = [
    "1m8qvr41sm2avfcd",
    "1m8qvr491szfgh9f",
    "1m8qvr4q9xn795xa",
    "1m8qvr8rt6yvgqee",
    "1m8qvr96q4696pkd",
]


def _looking(told: Recording, ids: list[str]) -> None:
    told.get("/messages", reason="spam", limit=1)
    told.get("/search", q="hello", limit=1)
    told.get("/messages/{id}", {"id": ids[0]})
    told.get("/messages/{id}/raw", {"id": ids[0]})
    told.get("/messages/{id}/parts/{number}", {"id": ids[1], "number": 1})
    told.post("/messages/{id}/rescan", values={"id": ids[0]})
    found = told.post("/scan", PLAIN, sender="ann@a.example", recipient=[JOE], client="192.0.2.1")
    told.known[found["id"]] = "1m8qvr2d2wq7c9ee"
    told.get("/history", sender="ann@a.example", limit=1)
    told.get("/history/{id}", {"id": "h1"})
    told.get("/stats")
    told.get("/stats/flow", step=86400)
    told.get("/status")
    told.monitor("/healthz")
    told.monitor("/readyz")
    told.get("/dmarc")
    told.post("/dmarc", feedback(record(count=7)))
    table = {"/etc/mail/table": "old.test new.test\n"}
    told.post("/trace", {"rules": RULES, "addresses": ["joe@old.test"], "files": table})


def _acting(told: Recording, ids: list[str], asked: list[str]) -> None:
    one, other, third = ids
    told.post("/messages/pin", {"ids": [other]})
    told.post("/messages/senders", {"ids": [one], "kind": "block"})
    told.post("/messages/learn", {"ids": [other], "class": "spam"})
    told.post("/messages/release", {"ids": [one], "note": "asked for by Joe"})
    told.post("/messages/delete", {"ids": [third]})
    told.post("/messages/undelete", {"ids": [third]})
    search = {"sender": "ann@a.example", "state": "held", "recipient": JOE}
    told.post("/messages/act", {"action": "delete", "search": search, "limit": 1, "dry_run": True})
    told.get("/requests")
    wish = {"id": asked[0], "recipient": "eva@mx.example"}
    told.post("/requests/release", wish)
    told.post("/requests/refuse", {**wish, "id": asked[1], "note": "advertising"})
    told.get("/audit", id=one, limit=2)


def _state(told: Recording) -> None:
    site, now = told.program.site, time.time()
    triplets: Triplets = site.state.waiting._triplets
    triplets.judge("192.0.2.0/24", "ann@a.example", JOE, now)
    (waiting,) = told.get("/greylist", text="ann")["waiting"]
    told.known[waiting["id"]] = "bW9kZQ"
    told.post("/greylist/allow", {"ids": [waiting["id"]]})
    counts = RateCounts(site_state(site.state.settings))
    counts.judge(RefusedShare(messages=1), "joe", True, now)
    told.get("/rates")
    told.post("/rates/free", {"by": "user", "party": "joe"})


def _lists(told: Recording) -> None:
    wish: dict[str, Plain] = {"kind": "block", "sender": "shop.example", "recipient": JOE}
    told.post("/senders/add", {**wish, "note": "newsletters"})
    told.get("/senders", text="shop")
    told.get("/senders/meaning", sender="prvs=1234abcdef=ann@a.example")
    told.post("/senders/remove", wish)
    name = {"name": "blocked.list"}
    told.get("/lists")
    told.post("/lists/add", {**name, "entry": "203.0.113.7 for mx.example", "note": "until spring"})
    found = told.get("/lists/entries", **name)
    line = {**name, "line": found["lines"][-1]["line"], "version": found["version"]}
    made = told.post("/lists/change", {**line, "entry": "203.0.113.0/28", "note": "more of them"})
    made = told.post("/lists/remove", {**line, "version": made["version"]})
    told.post("/lists/undo", {**name, "version": made["version"]})


def _accounts(told: Recording) -> None:
    for wish in _ACCOUNTS:
        made = told.post("/accounts/add", wish)
        told.known[made["secret"]] = "correct-horse-battery-staple"
    told.get("/accounts")
    told.post("/accounts/change", {"name": "dora", "role": "auditor", "limits": []})
    made = told.post("/accounts/password", {"name": "dora"})
    told.known[made["secret"]] = "correct-horse-battery-staple"
    told.post("/accounts/factor", {"name": "dora"})
    told.post("/accounts/remove", {"kind": "account", "name": "dora"})


_ACCOUNTS: list[dict[str, Plain]] = [
    {"kind": "token", "name": "grafana", "role": "auditor"},
    {"kind": "account", "name": "dora", "role": "helpdesk", "limits": ["mx.example"]},
]


def shape(value: Plain) -> Iterator[tuple[str, str]]:
    """The members of a value, wherever they are, each with the kind of its values."""
    match value:
        case dict():
            for key, one in value.items():
                yield key, type(one).__name__
                yield from shape(one)
        case list():
            for one in value:
                yield from shape(one)


if __name__ == "__main__":
    with TemporaryDirectory(prefix="filterd-examples-") as made:
        text = json.dumps(recorded(Path(made)).fixed(), indent=1, ensure_ascii=True)
    Path(examples.__file__).with_suffix(".json").write_text(text + "\n", "ascii")
