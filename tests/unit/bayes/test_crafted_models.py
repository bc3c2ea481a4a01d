"""Model files whose checksums are right and whose content is not: refused by name, never used."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.model.store import MAGIC, Card, ModelFileError, StoredModel, load, save
from filterd.bayes.site.difference import difference, subtract
from filterd.bayes.site.folder import ModelFolder
from filterd.filters.bayes.filter import Bayes
from filterd.filters.bayes.settings import BayesSettings
from filterd.message import Message
from tests.helpers.commands import filterd
from tests.helpers.training_mail import mail

pytestmark = pytest.mark.slow


PAGE = 4096
Value = Any
Change = Callable[[Value], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m.fdm"
    save(path, StoredModel(Card(b"0123456789abcdef", about="a test's"), OnlineModel.empty()))
    return path.read_bytes()


def opened(whole: bytes) -> tuple[dict[str, Value], bytes]:
    """The description, and the arrays behind it."""
    length, _crc = struct.unpack_from("<II", whole, len(MAGIC))
    head = len(MAGIC) + 8
    start = head + length + -(head + length) % PAGE
    return json.loads(whole[head : head + length]), whole[start:]


def closed(description: object, arrays: bytes) -> bytes:
    """A model file with right checksums."""
    raw = description if isinstance(description, bytes) else json.dumps(description).encode()
    head = MAGIC + struct.pack("<II", len(raw), zlib.crc32(raw)) + raw
    return head + bytes(-len(head) % PAGE) + arrays


KEYS = (
    "format features encoding salt origin generation created about spam ham spam_counted"
    " ham_counted arrays"
).split()
WRONG: list[Value] = [
    None,
    True,
    -1,
    2**60,
    1e300,
    float("nan"),
    "",
    "x",
    "\x1b[31m",
    "x" * 20_000,
    [],
    {},
    [1, 2],
]
ALLOWED = {  # what is right for a key that takes text or any count
    ("about", ""),
    ("about", "x"),
    ("about", "\x1b[31m"),
}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_description_is_checked(tmp_path: Path, whole: bytes, key: str) -> None:
    path = tmp_path / "m.fdm"
    for wrong in [*WRONG, "missing"]:
        if isinstance(wrong, str) and (key, wrong) in ALLOWED:
            continue
        description, arrays = opened(whole)
        if wrong == "missing" and key != "about":
            del description[key]
        elif wrong == "missing":
            continue
        else:
            description[key] = wrong
        path.write_bytes(closed(description, arrays))
        with pytest.raises(ModelFileError) as error:
            load(path)
        assert str(path) in str(error.value)
        assert len(str(error.value)) < 400
        assert str(error.value).isprintable()


ARRAY_CHANGES: dict[str, Change] = {
    "no name": lambda a: a.pop("name"),
    "other name": lambda a: a.update(name="weight"),
    "objects": lambda a: a.update(dtype="|O"),
    "other type": lambda a: a.update(dtype="<f8"),
    "type of the other array": lambda a: a.update(dtype="<u2" if a["dtype"] == "<f4" else "<f4"),
    "negative offset": lambda a: a.update(offset=-4096),
    "offset behind the end": lambda a: a.update(offset=2**39),
    "odd offset": lambda a: a.update(offset=a["offset"] + 1),
    "no length": lambda a: a.update(length=0),
    "negative length": lambda a: a.update(length=-1),
    "one byte less": lambda a: a.update(length=a["length"] - 1),
    "huge length": lambda a: a.update(length=2**39),
    "text for a number": lambda a: a.update(length="16"),
    "checksum": lambda a: a.update(crc32=a["crc32"] ^ 1),
    "checksum below 0": lambda a: a.update(crc32=-1),
    "compressed": lambda a: a.update(compressed=True),
    "compressed by a number": lambda a: a.update(compressed=1),
}


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("change", ARRAY_CHANGES.values(), ids=ARRAY_CHANGES)
def test_every_key_of_an_array_is_checked(
    tmp_path: Path, whole: bytes, change: Change, number: int
) -> None:
    description, arrays = opened(whole)
    change(description["arrays"][number])
    (tmp_path / "m.fdm").write_bytes(closed(description, arrays))
    with pytest.raises(ModelFileError):
        load(tmp_path / "m.fdm")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"1" * 9000,
    ],
    ids=["nothing", "empty", "null", "list", "half", "no UTF-8", "deep", "deep objects", "number"],
)
def test_a_description_that_is_not_one(tmp_path: Path, whole: bytes, raw: bytes) -> None:
    (tmp_path / "m.fdm").write_bytes(closed(raw, opened(whole)[1]))
    with pytest.raises(ModelFileError, match="description"):
        load(tmp_path / "m.fdm")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e30, -1e5])
def test_weights_that_are_not_numbers_are_refused(
    tmp_path: Path, wrong: float, packed: bool
) -> None:
    model = OnlineModel.empty()
    with np.errstate(over="ignore"):
        model.weights[12345] = wrong
        save(tmp_path / "m.fdm", StoredModel(Card.new(), model), packed=packed)
    with pytest.raises(ModelFileError, match="weights that are not numbers"):
        load(tmp_path / "m.fdm")


def test_a_line_about_a_model_cannot_control_the_terminal(tmp_path: Path, whole: bytes) -> None:
    description, arrays = opened(whole)
    description["about"] = "\x1b[2Jgood\n"
    (tmp_path / "m.fdm").write_bytes(closed(description, arrays))
    assert load(tmp_path / "m.fdm").card.about == "\ufffd[2Jgood\ufffd"


def test_more_counted_than_learned_is_refused(tmp_path: Path, whole: bytes) -> None:
    description, arrays = opened(whole)
    description["ham_counted"] = 1
    (tmp_path / "m.fdm").write_bytes(closed(description, arrays))
    with pytest.raises(ModelFileError, match="ham_counted is 1, expected at most 0"):
        load(tmp_path / "m.fdm")


def test_what_is_not_a_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fdm")
    for path in (tmp_path / "pipe.fdm", tmp_path, Path("/dev/null")):
        with pytest.raises(ModelFileError, match=r"not a regular file|Is a directory"):
            load(path)


def test_a_crafted_file_is_not_put_in_force_and_mail_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "filterd.toml"
    config.write_text('[filters.bayes]\nmodels = "models"\n')
    (tmp_path / "1.eml").write_bytes(mail(1, spam=True))
    assert filterd(monkeypatch, capsys, "learn", "spam", tmp_path / "1.eml", "-c", config)[0] == 0
    model = OnlineModel.empty()
    model.weights[:] = np.nan
    save(tmp_path / "evil.fdm", StoredModel(Card.new(), model))
    statuses: dict[str, int] = {}
    for command in (("show",), ("activate",), ("shadow",)):
        status, _out, err = filterd(
            monkeypatch,
            capsys,
            "model",
            *command,
            tmp_path / "evil.fdm",
            *(() if command == ("show",) else ("-c", config)),
        )
        statuses[command[0]] = status
        assert err.count("\n") == 1
        assert "Traceback" not in err
    assert statuses == {"show": 65, "activate": 69, "shadow": 69}
    folder = ModelFolder(tmp_path / "models")
    before = folder.current()
    bayes = Bayes(BayesSettings(tmp_path / "models"))
    bayes.prepare()
    # Somebody put it there by hand: the last good version stays in force.
    (folder.path / "site-000099.fdm").write_bytes((tmp_path / "evil.fdm").read_bytes())
    folder.link.unlink()
    folder.link.symlink_to("site-000099.fdm")
    bayes._next_look = 0.0
    assert 0.0 <= bayes.examine(Message(mail(2, spam=False))).probability <= 1.0  # type: ignore[operator]
    assert before is not None


# --- differences -------------------------------------------------------------------------------


def saved(path: Path, **changes: Value) -> Path:
    old = OnlineModel.empty()
    new = old.copy()
    new.weights[5] = 1.0
    new.counts[7, 1] = 3
    new.spam = new.spam_counted = 1
    with np.load(io.BytesIO(difference(old, new))) as file:
        parts = {name: file[name] for name in file.files}
    np.savez(path, **{**parts, **changes})
    return path


def test_a_difference_is_taken_out(tmp_path: Path) -> None:
    model = OnlineModel.empty()
    model.weights[5], model.spam, model.spam_counted = 1.5, 4, 4
    subtract(saved(tmp_path / "d.npz"), model)
    assert (model.weights[5], model.spam) == (0.5, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights_at": np.array([2**31], np.uint32)},
        {"weights_at": np.array([5, 6], np.uint32)},
        {"weights_at": np.array([[5]], np.uint32)},
        {"weights_at": np.array([-1], np.int64)},
        {"weights_change": np.array([np.nan], np.float32)},
        {"weights_change": np.array([1.0], np.float64)},
        {"counts_change": np.array(["x"])},
        {"counters": np.array([1, 2, 3])},
        {"counters": np.array([99, 0, 0, 0])},
        {"counters": np.array([0.5, 0.0, 0.0, 0.0])},
        {"counters": np.array([{}], dtype=object)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_crafted_difference_is_refused_and_changes_nothing(
    tmp_path: Path, changes: dict[str, Value]
) -> None:
    model = OnlineModel.empty()
    model.spam = model.spam_counted = 4
    before = model.copy()
    with pytest.raises(ModelFileError, match="cannot be subtracted"):
        subtract(saved(tmp_path / "d.npz", **changes), model)
    assert np.array_equal(model.weights, before.weights)
    assert np.array_equal(model.counts, before.counts)
    assert (model.spam, model.ham) == (before.spam, before.ham)


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_difference_that_is_not_an_archive_of_arrays(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "d.npz").write_bytes(data)
    with pytest.raises(ModelFileError, match="cannot be subtracted"):
        subtract(tmp_path / "d.npz", OnlineModel.empty())
