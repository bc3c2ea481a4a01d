"""Slow and many connections, against the real server: nobody is kept out by them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn

from filterd.config.load import load
from filterd.web import serve
from filterd.web.guard import ConnectionLimits, Guard, GuardedProtocol
from tests.helpers.site import Site

pytestmark = pytest.mark.slow

HALF = b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: "
WHOLE = b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENT = ConnectionLimits(header=60, body=60, answer=60)
"""Limits of time that no test runs into."""

TIMEOUT = 20.0
"""Seconds after which a test that waits for an event fails."""


class Server(uvicorn.Server):
    """In a thread, on two loopback addresses."""

    def __init__(self, site: Site, limits: ConnectionLimits, trusted: tuple[str, ...] = ()) -> None:
        self.guard = Guard(limits, trusted)
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=500)
        self.port = self.listener.getsockname()[1]
        super().__init__(
            uvicorn.Config(
                site.app,
                http=self.guard.protocol(),
                ws="none",
                log_config=None,
                access_log=False,
                limit_concurrency=200,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=1,
                h11_max_incomplete_event_size=32 << 10,
                lifespan="off",
            )
        )

    def client(self, address: str = "127.0.0.1") -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", self.port), TIMEOUT, (address, 0))
        peer.settimeout(TIMEOUT)
        return peer

    def ask(self, request: bytes, address: str = "127.0.0.1") -> bytes:
        """All that comes of a request until the server closes."""
        with self.client(address) as peer:
            peer.sendall(request)
            return rest(peer)


@contextlib.contextmanager
def serving(site: Site, limits: ConnectionLimits, *trusted: str) -> Iterator[Server]:
    server = Server(site, limits, trusted)
    thread = threading.Thread(target=server.run, args=([server.listener],))
    thread.start()
    try:
        yield server
    finally:
        server.should_exit = server.force_exit = True
        thread.join(TIMEOUT)
        server.listener.close()


def rest(peer: socket.socket) -> bytes:
    """What comes until the end of the connection, however that comes."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while block := peer.recv(65536):
            said += block
    return said


CLOSING = WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def test_half_requests_of_one_address_keep_nobody_out(site: Site) -> None:
    with serving(site, PATIENT) as server, contextlib.ExitStack() as stack:
        for _ in range(300):
            peer = stack.enter_context(server.client("127.0.0.2"))
            peer.sendall(HALF)
        assert b"HTTP/1.1 200" in server.ask(CLOSING)
        assert server.guard.closed >= 300 - PATIENT.each
        # Also for the address itself: the oldest one went, the newest is served.
        assert b"HTTP/1.1 200" in server.ask(CLOSING, "127.0.0.2")


def test_half_requests_of_many_addresses_keep_nobody_out(site: Site) -> None:
    with serving(site, PATIENT) as server, contextlib.ExitStack() as stack:
        for number in range(300):
            peer = stack.enter_context(server.client(f"127.0.1.{number % 100 + 1}"))
            peer.sendall(HALF)
        assert b"HTTP/1.1 200" in server.ask(CLOSING, "127.0.0.3")


def test_a_trusted_proxy_stands_for_many(site: Site) -> None:
    limits = replace(PATIENT, each=3)
    with serving(site, limits, "127.0.0.0/8") as server, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(server.client()) for _ in range(20)]
        for peer in peers:
            peer.sendall(CLOSING)
        assert all(b"HTTP/1.1 200" in rest(peer) for peer in peers)


@pytest.mark.parametrize(
    ("sent", "answer"), [(HALF, b"408"), (b"", b""), (WHOLE + HALF, b"HTTP/1.1 200")]
)
def test_a_header_has_a_deadline(site: Site, sent: bytes, answer: bytes) -> None:
    """The connection ends by itself, though the client would wait, and trickle, for ever."""
    with serving(site, replace(PATIENT, header=0.2)) as server, server.client() as peer:
        peer.sendall(sent)
        said = rest(peer)
        assert answer in said
        if sent.endswith(HALF):
            assert b"408 Request Timeout" in said


def test_a_header_that_trickles_does_not_move_its_deadline(site: Site) -> None:
    with serving(site, replace(PATIENT, header=0.3)) as server, server.client() as peer:
        peer.sendall(HALF)
        stop = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    peer.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        said = rest(peer)
        assert server.guard.closed == 1
        # What is sent to a closed connection may take the answer away (RST).
        assert said == b"" or said.startswith(b"HTTP/1.1 408 ")
        stop.set()
        thread.join(TIMEOUT)


def test_a_body_has_a_pace(site: Site) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nname=ann"
    with serving(site, replace(PATIENT, body=0.2)) as server, server.client() as peer:
        peer.sendall(head)
        rest(peer)
        assert server.guard.closed == 1


def test_an_answer_must_be_taken(site: Site) -> None:
    id = site.put(data=b"Subject: x\r\n\r\n" + b"y" * (8 << 20))
    site.log_in()
    cookie = f"filterd={site.browser.cookies['filterd']}".encode()
    request = f"GET /message/{id}/raw HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    with serving(site, replace(PATIENT, answer=0.2)) as server, server.client() as peer:
        peer.sendall(request + b"Cookie: " + cookie + b"\r\n\r\n")
        gone = threading.Event()
        ended = server.guard.ended
        server.guard.ended = lambda one, why: (ended(one, why), gone.set())  # type: ignore[method-assign,assignment,func-returns-value]
        assert gone.wait(TIMEOUT)
        assert len(rest(peer)) < 8 << 20


def test_one_connection_serves_several_requests(site: Site) -> None:
    with serving(site, replace(PATIENT, header=5)) as server, server.client() as peer:
        peer.sendall(WHOLE * 3 + CLOSING)
        assert rest(peer).count(b"HTTP/1.1 200") == 4
        assert server.guard.closed == 0


@pytest.mark.parametrize("path", [b"/login", b"/api/scan"])
def test_two_lengths_are_refused_and_end_the_connection(site: Site, path: bytes) -> None:
    smuggled = b"GET /static/style.css HTTP/1.1\r\nHost: x\r\n\r\n"
    request = (
        b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
    )
    with serving(site, PATIENT) as server:
        said = server.ask(request)
    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1 ") == 1


def test_the_server_is_guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `filterd web` runs has these limits."""
    config = tmp_path / "filterd.toml"
    config.write_text('[chain]\nfilters = []\n[quarantine]\nfolder = "q"\n[web]\nport = 1\n')
    made = []
    monkeypatch.setattr(serve.socket, "create_server", lambda *_, **__: socket.socket())
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, _: made.append(self.config))
    monkeypatch.setattr("filterd.web.serve.signal.signal", lambda *_: None)
    monkeypatch.setattr("filterd.web.serve.os.umask", lambda _: 0)
    serve.serve(load(config))
    assert issubclass(made[0].http, GuardedProtocol)
