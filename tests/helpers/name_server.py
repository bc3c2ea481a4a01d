"""A name server that says what a test tells it: the truth, nothing, or a lie."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.helpers.process import free_port

Wire = bytes | None
"""What is sent back; None for nothing."""

Script = Callable[["Question"], Wire]


class Question:
    """What was asked. name: text without the dot at its end. stream: whether by TCP."""

    def __init__(self, wire: bytes, *, stream: bool) -> None:
        self.message = dns.message.from_wire(wire)
        asked = self.message.question[0]
        self.name = asked.name.to_text(omit_final_dot=True)
        self.type = dns.rdatatype.to_text(asked.rdtype)
        self.stream = stream

    def answer(
        self, *records: str, rcode: str = "NOERROR", soa: str = "", cut: bool = False
    ) -> bytes:
        """A response. records: lines of a zone, `name ttl type data`; soa: one for "no"."""
        response = dns.message.make_response(self.message)
        response.flags |= dns.flags.RA
        response.set_rcode(dns.rcode.from_text(rcode))
        for line in records:
            response.answer.append(_rrset(line))
        if soa:
            response.authority.append(_rrset(soa))
        if cut:
            response.flags |= dns.flags.TC
        return response.to_wire(max_size=65535)


def _rrset(line: str) -> dns.rrset.RRset:
    name, ttl, kind, data = line.split(None, 3)
    return dns.rrset.from_text_list(
        f"{name.rstrip('.')}.", int(ttl), "IN", kind, [data], origin=dns.name.root, relativize=False
    )


def zone(*records: str, soa: str = "example 60 SOA ns.example h.example 1 2 3 4 30") -> Script:
    """A server that knows these lines, says NXDOMAIN to other names, and follows no alias."""
    known = [line.split(None, 3) for line in records]

    def say(question: Question) -> bytes:
        of_name = [one for one in known if one[0] == question.name.lower()]
        found = [one for one in of_name if one[2] in (question.type, "CNAME")]
        if found:
            return question.answer(*(" ".join(one) for one in found))
        return question.answer(rcode="NOERROR" if of_name else "NXDOMAIN", soa=soa)

    return say


class NameServer:
    """Serves on 127.0.0.1:`port`, by UDP and TCP. asked: how often each `name type` was
    asked. peers: addresses and ports that asked by UDP."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: Counter[str] = Counter()
        self.peers: set[tuple[str, int]] = set()
        # Below the ports that the kernel gives away, and free by UDP, too.
        self.port = free_port()
        self._stream = socket.create_server(("127.0.0.1", self.port))
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", self.port))
        self._threads = [
            threading.Thread(target=self._serve_datagrams, daemon=True),
            threading.Thread(target=self._serve_streams, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._stream, self._datagrams):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(10)

    @property
    def address(self) -> str:
        """As the setting `nameservers` has it."""
        return f"127.0.0.1:{self.port}"

    def _said(self, wire: bytes, *, stream: bool) -> Wire:
        question = Question(wire, stream=stream)
        self.asked[f"{question.name} {question.type}"] += 1
        return self.script(question)

    def _serve_datagrams(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, peer = self._datagrams.recvfrom(65535)
                if not wire:
                    return
                self.peers.add(peer)
                # A slow answer must not delay the others.
                threading.Thread(target=self._answer, args=(wire, peer), daemon=True).start()

    def _answer(self, wire: bytes, peer: tuple[str, int]) -> None:
        said = self._said(wire, stream=False)
        if said is not None:
            with contextlib.suppress(OSError):
                self._datagrams.sendto(said, peer)

    def _serve_streams(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._stream.accept()
                threading.Thread(target=self._serve_stream, args=(peer,), daemon=True).start()

    def _serve_stream(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError), peer.makefile("rb") as stream:
            (size,) = struct.unpack("!H", stream.read(2))
            said = self._said(stream.read(size), stream=True)
            if said is not None:
                peer.sendall(struct.pack("!H", len(said)) + said)
            else:
                peer.recv(1)


@contextlib.contextmanager
def name_server(script: Script) -> Iterator[NameServer]:
    """A running name server."""
    with NameServer(script) as server:
        yield server
