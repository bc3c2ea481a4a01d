"""What the server's socket is told before the first connection."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import uvicorn

from filterd.config.load import load
from filterd.web.serve import serve
from tests.helpers.process import free_port

pytestmark = pytest.mark.server


def test_an_answer_does_not_wait_for_acknowledgements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, port = tmp_path / "filterd.toml", free_port()
    config.write_text(f'[chain]\nfilters = []\n[quarantine]\nfolder = "q"\n[web]\nport = {port}\n')
    told = []

    def accept_one(_server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        with socket.create_connection(("127.0.0.1", port)), sockets[0].accept()[0] as connection:
            told.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", accept_one)
    monkeypatch.setattr("filterd.web.serve.signal.signal", lambda *_: None)
    monkeypatch.setattr("filterd.web.serve.os.umask", lambda _: 0)
    assert serve(load(config)) == 0
    assert told
    assert all(told)
