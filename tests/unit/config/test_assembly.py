"""What is put together from settings: a release that is held again says so under both ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterd.chain.chain import ChainSettings
from filterd.chain.marks import envelope_id, load_key
from filterd.chain.verdict import Action
from filterd.config import load as config
from filterd.config.assembly import build_pipeline, site_services
from filterd.config.load import Settings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.quarantine import Store
from tests.helpers.scanner import Scanner, finds

DATA = b"Subject: x\r\n\r\nEVIL\r\n"


def test_a_release_with_a_virus_in_it_is_noted_under_both_ids(tmp_path: Path) -> None:
    with Scanner(finds(b"EVIL", "Test-Signature"), tmp_path / "s") as scanner:
        (tmp_path / "filterd.toml").write_text(
            '[chain]\nfilters = ["clamav"]\n'
            f'[filters.clamav]\nserver = "{scanner.address}"\n'
            f'[quarantine]\nfolder = "{tmp_path}/q"\n'
            '[[policy.rules]]\nname = "all"\nvirus = "quarantine"\n'
        )
        settings = config.load(tmp_path / "filterd.toml")
        pipeline = build_pipeline(settings)
        pipeline.chain.prepare()
        mark = envelope_id(load_key(settings.quarantine.folder), "old1", DATA, ["joe@mx.test"])
        envelope = Envelope(
            "a@x.test",
            (Recipient("joe@mx.test"),),
            Client(address="127.0.0.1"),
            sender_parameters=(f"ENVID={mark}",),
        )
        result = pipeline.process(Message(DATA, envelope, "new1"))
    store = Store(settings.quarantine)
    assert result.decision.action is Action.QUARANTINE
    (event,) = store.journal.events("old1")
    assert (event.what, event.note) == ("held_again", "new1 (virus)")
    assert event.recipients == ("joe@mx.test",)
    assert store.get("new1").symbols[0].detail.startswith("old1, by a person")


@pytest.mark.parametrize(
    ("filters", "classifies"),
    [(("gtube", "parts"), False), (("gtube", "bayes"), True), (("sklearn",), True)],
)
def test_filters_hear_whether_a_classifier_is_in_the_chain(
    filters: tuple[str, ...], classifies: bool
) -> None:
    settings = Settings(chain=ChainSettings(filters))

    assert site_services(settings).classifies is classifies
