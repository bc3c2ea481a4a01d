"""A package may offer filterd's own filters under other names: they are found by their kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.bayes.site.folder import ModelFolder
from filterd.chain.verdict import FailureKind
from filterd.config.assembly import build_pipeline
from filterd.config.load import Settings, load
from filterd.doctor import scanners, servers
from filterd.filters.clamav.settings import ClamAVSettings
from filterd.lab.expected import Promises
from filterd.lab.selftest import own_settings, remarks, samples_for
from filterd.message import Message
from filterd.ops.folders import private_folders
from filterd.ops.scanners import clamd_status
from filterd.review.actions import ActionRequest, ReviewActions
from filterd.web.state import WebState

NAMES = {
    "known": "filterd.filters.senders.settings:SendersSettings",
    "attachments": "filterd.filters.parts.settings:PartsSettings",
    "proof": "filterd.filters.gtube:GtubeSettings",
    "inner": "filterd.filters.clamav.settings:ClamAVSettings",
    "outer": "filterd.filters.clamav.settings:ClamAVSettings",
    "learned": "filterd.filters.bayes.settings:BayesSettings",
}
"""Name in the settings → what the package offers under it."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose chain has every filter under a name of the site's own, clamd's twice."""
    info = tmp_path / "site" / "site_filters-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: site-filters\nVersion: 1\n")
    points = "".join(f"{name} = {value}\n" for name, value in NAMES.items())
    (info / "entry_points.txt").write_text(f"[filterd.filters]\n{points}")
    monkeypatch.syspath_prepend(str(info.parent))
    (tmp_path / "senders.list").touch()
    file = tmp_path / "filterd.toml"
    file.write_text(
        f"""
        [chain]
        filters = {list(NAMES)}
        [quarantine]
        folder = "quarantine"
        [filters.known]
        file = "senders.list"
        [filters.inner]
        server = "unix:{tmp_path}/inner.sock"
        size_limit = 1000000
        [filters.outer]
        server = "unix:{tmp_path}/outer.sock"
        on_error = "continue"
        [filters.learned]
        models = "models"
        """
    )
    return load(file)


def test_the_chain_has_the_names_of_the_settings(settings: Settings) -> None:
    chain = build_pipeline(settings, keeping=False).chain
    assert chain.names == tuple(NAMES)


@pytest.mark.slow  # each waits for its clamd to come
def test_failures_bear_the_names_of_the_settings(settings: Settings) -> None:
    """Two filters of one kind are two: one that fails takes the other's opinion from nobody."""
    chain = build_pipeline(settings, keeping=False).chain
    chain.prepare()
    examination = chain.examine(Message(b"Subject: x\r\n\r\ny\r\n", id="X1"))
    assert {f.filter: f.kind for f in examination.failures} == {
        "inner": FailureKind.UNAVAILABLE,
        "outer": FailureKind.UNAVAILABLE,
    }
    assert set(examination.milliseconds) == set(NAMES)
    assert {"INNER_FAILED", "OUTER_FAILED"} <= {s.name for s in examination.verdict.symbols}


def test_every_clamd_of_the_chain_is_asked(settings: Settings, tmp_path: Path) -> None:
    asked = [f"unix:{tmp_path}/inner.sock", f"unix:{tmp_path}/outer.sock"]
    assert [one.server for one in clamd_status(settings)] == asked
    advice = [finding.advice for finding in scanners.clamd(settings)]
    assert ["filters.inner" in advice[0], "filters.outer" in advice[1]] == [True] * 2


def test_filters_of_a_kind_come_in_the_order_of_the_chain(settings: Settings) -> None:
    found = settings.in_chain(ClamAVSettings)
    assert list(found) == ["inner", "outer"]
    assert found["inner"].size_limit == 1_000_000


def test_doctor_looks_at_the_model(settings: Settings, tmp_path: Path) -> None:
    assert [finding.about for finding in servers.model(settings)] == ["model"]
    assert private_folders(settings)["filters.learned.models"] == tmp_path / "models"


def test_pages_explain_with_the_model(settings: Settings) -> None:
    ModelFolder(settings.source.parent / "models")  # type: ignore[union-attr]
    assert WebState(settings).bayes is not None


def test_the_self_test_has_a_message_for_each(settings: Settings, tmp_path: Path) -> None:
    assert samples_for(settings) == ["clean", "gtube", "eicar", "exe"]
    promises = Promises(settings)
    assert list(remarks(settings, settings, promises)) == []
    assert promises.of("eicar", "mx.example").code == 554
    (tmp_path / "own").mkdir()
    assert "outer" not in own_settings(tmp_path / "own", settings).chain.filters


def test_entries_of_the_list_of_senders_have_an_effect(settings: Settings) -> None:
    assert ReviewActions(settings).list_senders("allow", [], ActionRequest()) == []
