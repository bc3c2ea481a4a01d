"""Phishing: links that are in a list of phishing sites which the site downloads.

The files are those of OpenPhish, PhishTank and PhishStats; filterd reads them, and reads them again
when they change. Source: Mail::SpamAssassin::Plugin::Phishing(3).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin(
    "Mail::SpamAssassin::Plugin::Phishing",
    *("phishing_openphish_feed", "phishing_phishtank_feed", "phishing_phishstats_feed"),
    *("phishing_uri_noparam", "phishing_phishstats_minscore"),
)

FILE_LIMIT = 200_000_000
"""Octets of a list; what is beyond is left out."""

LEAST_SLASHES = 4
"""Slashes of a link without its query from which on it names more than a host's usual page."""


def _openphish(lines: Iterable[str]) -> Iterator[str]:
    return (line.strip() for line in lines if not line.lstrip().startswith("#"))


def _column(lines: Iterable[str], column: int, least: float | None = None) -> Iterator[str]:
    """The links of a CSV file, its first line left out; those whose score, in the column before, is
    above `least`."""
    for index, row in enumerate(csv.reader(lines)):
        if index == 0 or len(row) <= column or row[0].lstrip().startswith("#"):
            continue
        if least is None or _number(row[column - 1]) > least:
            yield row[column]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@lru_cache(6)
def _read(path: str, kind: str, least: float, _changed: tuple[int, int]) -> frozenset[str]:
    with Path(path).open("rb") as file:
        lines = file.read(FILE_LIMIT).decode("utf-8", "replace").splitlines()
    if kind == "phishing_openphish_feed":
        return frozenset(_openphish(lines))
    if kind == "phishing_phishtank_feed":
        return frozenset(_column(lines, 1))
    return frozenset(_column(lines, 2, least))


def _lists(view: View) -> Iterator[frozenset[str]]:
    least = float(_option(view, "phishing_phishstats_minscore", "6"))
    for kind in ("phishing_openphish_feed", "phishing_phishtank_feed", "phishing_phishstats_feed"):
        path = _option(view, kind, "").strip()
        if path:
            try:
                status = Path(path).stat()
                yield _read(path, kind, least, (status.st_mtime_ns, status.st_size))
            except (OSError, csv.Error):
                continue


def _option(view: View, name: str, default: str) -> str:
    lines = view.options.get(name, ())
    return lines[-1].value if lines else default


@PLUGIN.test("check_phishing")
def check_phishing(view: View) -> bool:
    """A link of the text or the HTML is in one of the lists."""
    lists = list(_lists(view))
    without_query = _option(view, "phishing_uri_noparam", "0").strip() == "1"
    if without_query:
        lists = [frozenset(link.partition("?")[0] for link in one) for one in lists]
    return any(link in one for link in _links(view, without_query=without_query) for one in lists)


def _links(view: View, *, without_query: bool) -> Iterator[str]:
    for uri, detail in view.uri_detail.items():
        if uri[:7].lower() == b"mailto:" or not detail.hosts:
            continue
        if not detail.types & {"a", "parsed"}:
            continue
        for cleaned in detail.cleaned:
            link = cleaned.decode("utf-8", "replace")
            if without_query:
                link = link.partition("?")[0]
                if link.count("/") < LEAST_SLASHES:
                    continue
            yield link
