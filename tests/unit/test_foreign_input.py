"""What others wrote meets its readers: FIFOs in place of files, JSON and TOML that nest for ever.

Each reader says in its own words what is wrong, at once.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from filterd.bayes.model.pipelines import TextPipeline
from filterd.bayes.model.store import _PREFIX, MAGIC, ModelFileError
from filterd.bayes.model.store import load as load_model
from filterd.chain.checks import AnswerError
from filterd.chain.marks import KEY_NAME, load_key
from filterd.chain.report import Arrival
from filterd.config.load import ConfigError, Settings, load
from filterd.digest.compose import DigestError, _rendered
from filterd.doctor.postfix import postfix
from filterd.filters.senders.list import read as read_senders
from filterd.history.record import Record
from filterd.message import Message
from filterd.mta.cf.config import CfError
from filterd.mta.mail.entry import QueueEntry
from filterd.mta.sendmail.cf_files import read_cf
from filterd.mta.smtp.sasl import Passwords
from filterd.quarantine.entry import Entry, EntryError
from filterd.quarantine.journal import _decoded
from filterd.review.accounts import Accounts
from filterd.review.principals import PrincipalError
from filterd.review.tokens import TokenFile
from filterd.workers.codec import decode_answer
from filterd.workers.sandbox import SandboxError, _checked

pytestmark = pytest.mark.slow


DEEP = b"[" * 100_000
DEEP_OBJECT = b'{"a":' * 50_000


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (load, ConfigError),
        (load_model, ModelFileError),
        (TextPipeline, ModelFileError),
        (read_senders, OSError),
        (lambda path: Accounts(path).all(), PrincipalError),
        (lambda path: TokenFile(path).all(), PrincipalError),
    ],
)
def test_a_fifo_is_refused(
    tmp_path: Path, read: Callable[[Path], Any], error: type[Exception]
) -> None:
    path = tmp_path / "file"
    os.mkfifo(path, 0o600)
    with pytest.raises(error, match="not a regular file"):
        read(path)


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (read_cf, CfError),
        (lambda path: Passwords(path).check("ann", "x"), OSError),
        (lambda path: load_key(path.parent), OSError),
        (lambda path: _rendered(path.parent, path.name, {}), DigestError),
    ],
    ids=["sendmail.cf", "passwords", "release key", "template"],
)
def test_a_fifo_in_place_of_a_file_of_the_mta_or_the_store(
    tmp_path: Path, read: Callable[[Path], Any], error: type[Exception]
) -> None:
    path = tmp_path / KEY_NAME
    os.mkfifo(path, 0o600)
    with pytest.raises(error, match="not a regular file"):
        read(path)


def test_a_fifo_in_place_of_main_cf_or_a_class_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "main.cf")
    (found,) = postfix(Settings(), tmp_path / "main.cf")
    assert found.found == f"{tmp_path}/main.cf: is not a regular file"
    # sendmail trusts no file below a folder into which everybody may write, as that of tests is.
    (tmp_path / "sendmail.cf").write_text(
        f"O DontBlameSendmail=TrustStickyBit\nFw{tmp_path}/main.cf\n"
    )
    with pytest.raises(CfError, match=r"main.cf': Regular files only"):
        read_cf(tmp_path / "sendmail.cf")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("hello".encode("utf-16"), "digest.txt: is UTF-16, expected UTF-8"),
        (b"a\0b", "digest.txt: octet 1 is NUL"),
        (b"gr\xfc\xdfe", "digest.txt: octet 2 is not UTF-8"),
    ],
)
def test_a_template_that_is_not_text_says_so(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "digest.txt").write_bytes(data)
    with pytest.raises(DigestError, match=expected):
        _rendered(tmp_path, "digest.txt", {})
    (tmp_path / "digest.txt").write_bytes(b"\xef\xbb\xbfHello\r\n")
    assert _rendered(tmp_path, "digest.txt", {}) == "Hello\n"


@pytest.mark.parametrize("toml", ["x = " + "[" * 100_000, "x = " + "[" * 100 + "]" * 100])
def test_deep_settings(tmp_path: Path, toml: str) -> None:
    file = tmp_path / "filterd.toml"
    file.write_text(toml)
    with pytest.raises(ConfigError, match=r"filterd.toml: not TOML: more than 64 nested arrays"):
        load(file)


def _model(path: Path, description: bytes) -> Path:
    """A model file with a right checksum (see `filterd.bayes.model.store`)."""
    head = MAGIC + _PREFIX.pack(len(description), zlib.crc32(description))
    path.write_bytes(head + description)
    return path


@pytest.mark.parametrize("data", [DEEP, DEEP_OBJECT])
def test_deep_json(tmp_path: Path, data: bytes) -> None:
    text = data.decode()
    with pytest.raises(AnswerError, match="JSON"):
        decode_answer(data, Arrival(id="id"), 0)
    with pytest.raises(SandboxError, match="malformed"):
        _checked(Message(b"\r\n"), data)
    with pytest.raises(EntryError):
        Entry.decode(data)
    with pytest.raises(ValueError, match="deep"):
        QueueEntry.decode(data)
    with pytest.raises(ValueError, match="deep"):
        Record.decode("id", 0.0, "accept", 0.0, text)
    assert _decoded(data) is None
    with pytest.raises(ModelFileError, match="expected a JSON object"):
        load_model(_model(tmp_path / "model.fdm", data))
    file = tmp_path / "accounts.json"
    file.write_bytes(data)
    file.chmod(0o600)
    with pytest.raises(PrincipalError, match="damaged"):
        Accounts(file).all()
    with pytest.raises(PrincipalError, match="damaged"):
        TokenFile(file).all()


def test_deep_json_in_one_member_of_a_worker_s_answer() -> None:
    report = '{"action": "accept", "symbols": ' + "[" * 50_000 + "]" * 50_000 + "}"
    text = f'{{"report": {report}, "edits": []}}'
    with pytest.raises(AnswerError, match="deep"):
        decode_answer(text.encode(), Arrival(id="id"), 0)
