"""The hostile samples that lie beside the project, unpacked when they are needed.

FILTERD_SHARED, or the folder `shared` next to the project, holds `corpora/NAME.tar.xz`.
"""

from __future__ import annotations

import base64
import os
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPORA = Path(os.environ.get("FILTERD_SHARED", ROOT.parent / "shared")) / "corpora"


def unpacked(name: str, folder: Path) -> Path:
    """The corpus of that name, unpacked in the folder; skips the test where it is not there."""
    packed = CORPORA / f"{name}.tar.xz"
    if not packed.is_file():
        pytest.skip(f"no {packed} (set FILTERD_SHARED)")
    with tarfile.open(packed) as archive:
        # The filters came with Python 3.11.4; Debian 12 has 3.11.2. These archives are our own.
        archive.extractall(folder)
    return folder / name


def attached(path: Path) -> bytes:
    """A message with the file as its attachment."""
    name = path.name.encode()
    coded = base64.encodebytes(path.read_bytes()).replace(b"\n", b"\r\n")
    return (
        b"From: <a@client.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=X\r\n\r\n--X\r\n\r\nHello\r\n--X\r\n"
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="' + name + b'"\r\n\r\n' + coded + b"--X--\r\n"
    )
