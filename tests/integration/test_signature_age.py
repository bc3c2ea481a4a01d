"""Old signatures of real scanners: red on the dashboard, in the metrics, in status and doctor."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli import app as command_line
from filterd.config.load import Settings, load
from filterd.message import Message
from filterd.ops.status import status
from filterd.web.pages import dashboard
from tests.helpers.metrics import metrics
from tests.helpers.process import folder
from tests.helpers.servers.cicap import Cicap
from tests.helpers.servers.clamd import Clamd
from tests.helpers.servers.programs import arguments
from tests.helpers.site import Site


def settings(clamd: Clamd, cicap: Cicap, folder: Path, more: str = "") -> Settings:
    """clamd alone, a service in front of it, and both programs. more: for each of these three."""
    text = f"""
[daemon]
socket = "unix:{folder}/d.sock"
[chain]
filters = ["clamav", "scanners"]
[quarantine]
folder = "{folder}/q"
[filters.clamav]
server = "unix:{clamd.socket}"
freshclam_log = "{folder}/log"
{more}
[[filters.scanners.icap]]
name = "icap"
server = ["{cicap.address}"]
databases = "{clamd.database}"
{more}
"""
    for name in ("clamscan", "clamdscan"):
        given = arguments(name, clamd)
        # clamscan --version knows databases with a key only, and ours has none.
        folder_of = f'databases = "{clamd.database}"' if name == "clamscan" else ""
        text += f"""
[[filters.scanners.command]]
name = "{name}"
preset = "{name}"
command = {json.dumps(given)}
version = {json.dumps([given[0], "--version", given[1]])}
{folder_of}
{more}
"""
    config = folder / "filterd.toml"
    config.write_text(text)
    return load(config)


@contextmanager
def aged(days: int) -> Iterator[tuple[Clamd, Cicap]]:
    with folder("clamd-age") as there, folder("c-icap-age") as here:
        clamd = Clamd(there)
        clamd.set_age(days)
        clamd.start()
        cicap = Cicap(here, clamd)
        cicap.start()
        yield clamd, cicap
        cicap.stop()
        clamd.stop()


def told_by(site: Settings, *words: str) -> str:
    command = CliRunner().invoke(
        command_line._command(words[0]), ["--config", str(site.source), *words[1:]]
    )
    return command.stdout


def old(site: Settings, limit: str) -> dict[str, float]:
    return {
        sample.labels.get("scanner", "clamd"): sample.value
        for sample in metrics(site)
        if sample.name.endswith("_signatures_old") and sample.labels["limit"] == limit
    }


ALL = ("clamd", "icap", "clamscan", "clamdscan")


@pytest.mark.parametrize(
    ("days", "more", "words", "level", "limits"),
    [
        (1, "", "signatures 1 day old", "OK", (0, 0)),
        (5, "", "signatures 5 days old, old", "WARN", (1, 0)),
        (20, "", "signatures 20 days old, too old", "FAIL", (1, 1)),
        (20, "warn_days = 30\nfail_days = 40", "signatures 20 days old", "OK", (0, 0)),
    ],
)
def test_an_old_database_is_red_everywhere(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    days: int,
    more: str,
    words: str,
    level: str,
    limits: tuple[int, int],
) -> None:
    with aged(days) as (clamd, cicap):
        site = settings(clamd, cicap, tmp_path, more)
        text = " ".join(told_by(site, "status").split())
        assert text.count(words) == 4, text
        assert ("old, " in text) == (level != "OK")
        found = [json.loads(line) for line in told_by(site, "doctor", "--json").splitlines()]
        ages = [one["level"] for one in found if words in one["found"]]
        assert ages == [level] * 4
        for limit, is_old in zip(("warn_days", "fail_days"), limits, strict=True):
            assert old(site, limit) == dict.fromkeys(ALL, is_old)
        (tmp_path / "web").mkdir()
        pages = Site(tmp_path / "web")
        monkeypatch.setattr(dashboard, "status", lambda _settings, counts: status(site))
        pages.log_in()
        page = pages.get("/").text
        cards = [card.partition("</section>")[0] for card in page.split("<section")]
        about = [card for card in cards if f"signatures {days} day" in card]
        assert len(about) == 4
        assert {'class="big bad"' in card for card in about} == {level != "OK"}
        with caplog.at_level(logging.WARNING):
            for own in site.filters.values():
                own.own.build().examine(Message(b"\r\nhello"))
        said = [one.getMessage() for one in caplog.records if "days old" in one.getMessage()]
        assert len(said) == (0 if level == "OK" else 4)
