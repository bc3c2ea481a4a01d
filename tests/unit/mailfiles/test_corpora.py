"""Reading mail wherever it is kept."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import tarfile
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.bayes.lab.train import Source, labelled_items
from filterd.mailfiles import archives
from filterd.mailfiles.corpora import label_of, read_messages
from filterd.mailfiles.mail_file import CorpusError

A = b"Subject: a\n\nfirst\n"
B = b"Subject: b\n\nsecond\n\n>From me\n"
MBOX = (
    b"From a@x.example  Mon Nov 23 10:00:00 2026\n" + A + b"\n"
    b"From b@x.example  Mon Nov 23 10:00:01 2026\nSubject: b\n\nsecond\n\n>From me\n>>From him\n"
    b"\nFrom here on it is text, no time of day\n"
)


def read(path: Path | str) -> list[tuple[str | None, bytes]]:
    return [(label, data) for label, _name, data in read_messages(path)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for name, data in (("spam/1", A), ("ham/1", B)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(data)
    return folder


def test_an_index_gives_labels_and_order(corpus: Path) -> None:
    (corpus / "index").write_text("ham ham/1\nspam spam/1\nnone spam/1\n")
    assert read(corpus) == read(corpus / "index") == [("ham", B), ("spam", A), (None, A)]


def test_folders_give_labels_by_their_names(corpus: Path) -> None:
    assert read(corpus) == [("ham", B), ("spam", A)]


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("x/spam_2/0001.abc", True),
        ("x/easy_ham/0001", False),
        ("Maildir/.Junk/cur/1:2,S", True),
        ("spam/ham/1", False),
        ("not-spam-at-all/1", True),
        ("graham/1", None),
        ("inbox/spam", None),
    ],
)
def test_labels_by_path(path: str, label: bool | None) -> None:
    assert label_of(path) is label


def test_a_message_may_lack_its_final_newline_and_carry_a_from_line(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"From x@y Mon Nov 23 10:00:00 2026\nSubject: a\n\nno newline")
    assert read(tmp_path / "m") == [(None, b"Subject: a\n\nno newline")]


def test_mbox_is_cut_at_from_lines_only(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(MBOX)
    found = [data for _label, data in read(tmp_path / "box")]
    assert len(found) == 2
    assert found[0] == A
    assert found[1].startswith(b"Subject: b\n")
    assert b"\nFrom me\n>From him\n" in found[1]
    assert found[1].endswith(b"no time of day\n")


def test_mbox_with_crlf(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(MBOX.replace(b"\n", b"\r\n"))
    assert next(data for _label, data in read(tmp_path / "box")) == A.replace(b"\n", b"\r\n")


def test_maildir_leaves_out_what_is_no_mail(tmp_path: Path) -> None:
    for name in ("cur/1:2,S", "new/2", "tmp/3", "dovecot-uidlist", "cur/.hidden"):
        path = tmp_path / "Maildir" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(A)
    assert len(read(tmp_path / "Maildir")) == 2


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(MBOX)

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert len(read("-")) == 2


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "zip"])
def test_archives_of_folders(corpus: Path, tmp_path: Path, kind: str) -> None:
    (corpus / "index").write_text("spam spam/1\nham ham/1\n")
    path = tmp_path / f"corpus.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in corpus.rglob("*"):
                archive.write(file, f"corpus/{file.relative_to(corpus)}")
    else:
        mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[kind]
        with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
            tar.add(corpus, "corpus")
    assert read(path) == [("spam", A), ("ham", B)]


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_compressed_mbox(tmp_path: Path, suffix: str, pack) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / f"box.{suffix}").write_bytes(pack(MBOX))
    assert len(read(tmp_path / f"box.{suffix}")) == 2


def test_an_archive_cannot_write_outside_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("../escaped")
        info.size = len(A)
        tar.addfile(info, io.BytesIO(A))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(CorpusError, match="outside"):
        read(path)
    assert not (tmp_path / "escaped").exists()


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "UNPACKED_LIMIT", 1000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(CorpusError, match="more than 1000"):
        read(tmp_path / "bomb.gz")


@pytest.mark.parametrize("name", ["broken.tar.gz", "broken.zip", "broken.xz"])
def test_a_broken_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not at all")
    with pytest.raises(CorpusError, match=name):
        read(tmp_path / name)


def sparse_tar() -> bytes:
    """A tar archive with a sparse file whose map is none: tarfile raises ValueError."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("corpus/1")
        info.size = len(A)
        info.pax_headers = {
            "GNU.sparse.major": "1",
            "GNU.sparse.minor": "0",
            "GNU.sparse.name": "corpus/1",
            "GNU.sparse.realsize": "512",
        }
        tar.addfile(info, io.BytesIO(A))
    return file.getvalue()


def test_an_archive_whose_fields_are_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(sparse_tar())
    with pytest.raises(CorpusError, match=r"a\.tar: cannot be unpacked"):
        read(tmp_path / "a.tar")


def zip_of_two() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("corpus/spam/1", A)
        archive.writestr("corpus/ham/2", B)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "octets"), [("a.tar", sparse_tar()), ("a.zip", zip_of_two())], ids=["tar", "zip"]
)
@given(changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8))
def test_whatever_is_changed_in_an_archive_it_is_read_or_named(
    name: str, octets: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(octets)
    for at, value in changes:
        changed[at % len(changed)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(changed)
        try:
            read(path)
        except CorpusError as error:
            assert str(path) in str(error)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        read(tmp_path / "none")
    (tmp_path / "index").write_text("spam\n")
    with pytest.raises(CorpusError, match="index:1"):
        read(tmp_path)
    (tmp_path / "index").write_text("spam gone\n")
    with pytest.raises(CorpusError, match="gone: no such file"):
        read(tmp_path)


def test_training_keeps_an_indexs_order_and_mixes_folders(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    for n in range(40):
        path = folder / ("spam" if n < 20 else "ham") / f"{n:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(A)
    with ExitStack() as stack:
        items, unlabelled = labelled_items([Source(str(folder))], stack)
        labels = [item.label for item in items]
        assert unlabelled == 0
        assert labels.count(True) == labels.count(False) == 20
        assert 5 < labels[:20].count(True) < 15
        again, _ = labelled_items([Source(str(folder))], stack)
        assert [i.name for i in again] == [i.name for i in items]
    with ExitStack() as stack, pytest.raises(CorpusError, match="no message has a label"):
        labelled_items([Source(str(folder / "spam" / "00"))], stack)


def test_reading_takes_no_more_memory_than_the_message(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Input(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size or -1)
            return super().read(size)

    class Stdin:
        buffer = Input(A * 100_000)

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert read("-") == [(None, A * 100_000)]
    # A limit that is never reached is still allocated: Python asks for all of it at once.
    assert max(asked) <= 1 << 20
    assert min(asked) > 0
