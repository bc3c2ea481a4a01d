"""Header fields larger than 64 KiB, which libmilter hangs up on unless it is told otherwise: a list
of two thousand recipients, in a sendmail that takes such headers (MaxHeadersLength)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.daemon import RunningDaemon
from tests.helpers.milter import one_message


@pytest.mark.parametrize("size", [65_535, 65_536, 100_000, 1_000_000])
def test_a_large_field_comes_whole(daemon: RunningDaemon, tmp_path: Path, size: int) -> None:
    value = b" " + b"x" * (size - 1)
    order = b" write=" + str(tmp_path / "seen").encode() + b":data"
    outcome = one_message(daemon.socket, (b"To", value), (b"X-Do", order))
    assert outcome.word == "continue"
    assert b"\r\nTo:" + value + b"\r\n" in (tmp_path / "seen").read_bytes()
