"""Small archives, made on the spot."""

from __future__ import annotations

import io
import zipfile

PROGRAM = b"MZ" + bytes(62) + b"PE\0\0"
"""What a Windows program begins with."""


def zipped(**files: bytes) -> bytes:
    """A ZIP archive of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return packed.getvalue()
