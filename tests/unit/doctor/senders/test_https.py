"""One file by HTTPS, from a server that may do what it likes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.doctor.senders.https import FetchError, HttpsAnswer, fetch
from tests.helpers.certificates import server_context
from tests.helpers.process import free_port

pytestmark = pytest.mark.server

Script = Callable[[ssl.SSLSocket], object]


class Server:
    """Serves one connection by a script."""

    def __init__(self, folder: Path, script: Script) -> None:
        self._context, public = server_context(folder)
        self.trust = ssl.create_default_context(cafile=str(public))
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            plain, _ = self._listening.accept()
            with plain, self._context.wrap_socket(plain, server_side=True) as peer:
                self.asked = peer.recv(4096)
                self._script(peer)

    def close(self) -> None:
        self._listening.close()
        self._thread.join(10)

    def fetch(
        self, host: str = "localhost", seconds: float = 30.0, limit: int = 100
    ) -> HttpsAnswer:
        return fetch(
            host,
            "/.well-known/mta-sts.txt",
            "127.0.0.1",
            seconds=seconds,
            limit=limit,
            port=self.port,
            context=self.trust,
        )


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Script], Server]]:
    with contextlib.ExitStack() as stack:

        def start(script: Script) -> Server:
            server = Server(tmp_path, script)
            stack.callback(server.close)
            return server

        yield start


def says(text: bytes) -> Script:
    return lambda peer: peer.sendall(text)


def test_a_file_is_read(serve: Callable[[Script], Server]) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n\r\nhello"
    server = serve(says(answer))
    assert server.fetch() == HttpsAnswer(200, "text/plain", b"hello")
    assert server.asked.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: localhost\r\n")


def test_a_file_in_chunks_is_read(serve: Callable[[Script], Server]) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert serve(says(answer)).fetch() == HttpsAnswer(200, "", b"hello")


def test_a_redirection_is_an_answer_that_is_not_followed(
    serve: Callable[[Script], Server],
) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n"
    assert serve(says(answer)).fetch().status == 302


WRONG = {
    "nothing": (b"", "not HTTP"),
    "another protocol": (b"220 mx.example ESMTP\r\n", "not HTTP"),
    "too large": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, "more than 100 octets"),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000, "more than"),
    "endless header": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "more than"),
    "many fields": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "not HTTP"),
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "not HTTP"),
    "chunks that are none": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "not HTTP",
    ),
    "a large chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nx",
        "not HTTP",
    ),
}


@pytest.mark.parametrize(("answer", "expected"), WRONG.values(), ids=WRONG)
def test_what_is_not_an_answer(
    serve: Callable[[Script], Server], answer: bytes, expected: str
) -> None:
    with pytest.raises(FetchError, match=expected):
        serve(says(answer)).fetch()


def test_a_server_that_says_nothing_is_left(serve: Callable[[Script], Server]) -> None:
    over = threading.Event()
    server = serve(lambda _peer: over.wait(30))
    with pytest.raises(FetchError, match="no answer within 0 s"):
        server.fetch(seconds=0.3)
    over.set()


def test_a_server_that_drips_is_left(serve: Callable[[Script], Server]) -> None:
    over = threading.Event()

    def drip(peer: ssl.SSLSocket) -> None:
        while not over.wait(0.05):
            peer.sendall(b"x")

    server = serve(drip)
    with pytest.raises(FetchError, match="no answer within"):
        server.fetch(seconds=0.4)
    over.set()


def test_a_certificate_of_another_name(serve: Callable[[Script], Server]) -> None:
    server = serve(says(b""))
    with pytest.raises(FetchError, match="certificate does not fit: Hostname mismatch"):
        server.fetch("mta-sts.a.example")


def test_a_certificate_of_nobody_known(serve: Callable[[Script], Server]) -> None:
    server = serve(says(b""))
    server.trust = ssl.create_default_context()
    with pytest.raises(FetchError, match="certificate does not fit: self-signed"):
        server.fetch()


def test_a_server_without_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.sendall(b"220 mx.example ESMTP\r\n" * 10)
                peer.recv(4096)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(FetchError, match="TLS fails"):
            fetch(
                "a.example", "/", "127.0.0.1", seconds=30, limit=1, port=listening.getsockname()[1]
            )
        thread.join(10)


def test_nobody_is_there() -> None:
    with pytest.raises(FetchError, match="refused"):
        fetch("a.example", "/", "127.0.0.1", seconds=30, limit=1, port=free_port())
