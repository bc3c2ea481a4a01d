"""Model files: exact, atomic, and refused when they are damaged or foreign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filterd.bayes.model import store
from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import Card, ModelFileError, StoredModel, load, save
from filterd.bayes.model.tokens import Hasher
from filterd.bayes.site.folder import ModelFolder
from tests.helpers.training_mail import message


@pytest.fixture(scope="module")
def stored() -> StoredModel:
    card = Card(b"0123456789abcdef", "site", 7, "2026-11-23T00:00:00+00:00", "a test's")
    model = OnlineModel.empty()
    hasher = Hasher(card.salt)
    for n in range(10):
        for spam in (True, False):
            model.learn(hasher.features(message(n, spam=spam)), spam=spam)
    return StoredModel(card, model)


def test_saving_and_loading_is_exact(tmp_path: Path, stored: StoredModel) -> None:
    path = tmp_path / "m.fdm"
    save(path, stored)
    again = load(path)
    assert again.card == stored.card
    assert np.array_equal(again.model.weights, stored.model.weights)
    assert np.array_equal(again.model.counts, stored.model.counts)
    assert (again.model.spam, again.model.ham) == (10, 10)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_loaded_model_cannot_be_written(tmp_path: Path, stored: StoredModel) -> None:
    save(tmp_path / "m.fdm", stored)
    loaded = load(tmp_path / "m.fdm")
    with pytest.raises(ValueError, match="read-only"):
        loaded.model.weights[0] = 1.0


def test_packed_is_small_and_nearly_exact(tmp_path: Path, stored: StoredModel) -> None:
    path = tmp_path / "m.fdm"
    save(path, stored, packed=True)
    again = load(path)
    assert path.stat().st_size < 5 << 20  # a starter model is committed, 8 MB at most
    assert np.allclose(again.model.weights, stored.model.weights, rtol=1e-3)
    assert np.array_equal(again.model.counts, stored.model.counts)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("where", [0.0, 0.00001, 0.3, 0.7, 0.9])
def test_one_wrong_octet_is_found(
    tmp_path: Path, stored: StoredModel, packed: bool, where: float
) -> None:
    path = tmp_path / "m.fdm"
    save(path, stored, packed=packed)
    data = bytearray(path.read_bytes())
    used = [i for i, octet in enumerate(data[:8192]) if octet] if where < 0.001 else None
    place = int(where * len(data)) if used is None else used[int(where * 1e5 * 40)]
    while not packed and used is None and data[place] == 0 and place % 4096 != 0:
        place += 1
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(ModelFileError) as error:
        load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("keep", [0, 5, 20, 100, 5000, 100_000])
def test_a_cut_file_is_refused(tmp_path: Path, stored: StoredModel, keep: int) -> None:
    path = tmp_path / "m.fdm"
    save(path, stored)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelFileError):
        load(path)


def test_foreign_missing_and_newer_files_are_named(
    tmp_path: Path, stored: StoredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"\x80\x04 a pickle, perhaps")
    with pytest.raises(ModelFileError, match="not a filterd model"):
        load(tmp_path / "f")
    with pytest.raises(ModelFileError, match="no such file"):
        load(tmp_path / "none")
    monkeypatch.setattr(store, "FEATURE_VERSION", 99)
    save(tmp_path / "m.fdm", stored)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="features version 99"):
        load(tmp_path / "m.fdm")


@pytest.mark.parametrize("key", ["FORMAT_VERSION", "FEATURE_VERSION"])
@pytest.mark.parametrize(
    ("version", "advice"),
    [(99, "run the newer filterd that wrote it"), (0, "train it again with this version")],
)
def test_the_advice_after_an_upgrade_and_after_going_back(
    tmp_path: Path,
    stored: StoredModel,
    key: str,
    version: int,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who goes one version back must not train a model away that the newer version can read."""
    path = tmp_path / "m.fdm"
    monkeypatch.setattr(store, key, version)
    save(path, stored)
    monkeypatch.undo()
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=advice):
        load(path)
    assert path.read_bytes() == before


def test_versions_are_numbered_activated_and_pruned(tmp_path: Path, stored: StoredModel) -> None:
    folder = ModelFolder(tmp_path / "models")
    assert folder.current() is None
    assert folder.load_current() is None
    folder.make()
    for generation in (1, 2, 3):
        save(folder.version_path(generation), stored)
        folder.activate(generation)
    assert folder.current() == 3
    folder.activate(1)
    folder.prune(keep=1)
    assert folder.generations() == [1, 3]
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_damaged_version_is_not_put_in_force(tmp_path: Path, stored: StoredModel) -> None:
    folder = ModelFolder(tmp_path / "models")
    folder.make()
    save(folder.version_path(1), stored)
    folder.activate(1)
    folder.version_path(2).write_bytes(b"half a file")
    with pytest.raises(ModelFileError):
        folder.activate(2)
    assert folder.current() == 1
