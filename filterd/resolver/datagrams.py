"""Questions and answers by UDP, fast: what most questions of mail filters are, one address or "no".

A message may lead to thirty questions, and dnspython spends a third of a millisecond on each: a
socket of its own, and objects for every name in the answer. Here some sockets are shared for a
while, and the plainest answers are read from their octets. Whatever is not plain (aliases, other
types, errors, what was cut) is read or asked for by `exchange`, with dnspython.

Forged datagrams (RFC 5452 §9): a socket takes those of its server only, an answer must have the id
and the very question, ids are random, and so are ports, which change after `SOCKET_QUESTIONS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import weakref
from collections.abc import Callable
from struct import Struct, error

from filterd.resolver.answer import DnsAnswer, DnsStatus, RecordType
from filterd.resolver.settings import NameServer

SOCKETS = 8
"""To each server at a time; which one asks is random."""

SOCKET_QUESTIONS = 100
"""After which a socket, and so a port, is replaced by a new one."""

READS = 64
"""Datagrams that are read before others have a turn."""

_PLAIN = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*+")
_NAME_LIMIT = 253

_HEADER = Struct("!HHHHHH")
_QUESTION = Struct("!HH")
_EDNS = Struct("!BHHIH")
_RECORD = Struct("!HHIH")
_NUMBER = Struct("!I")

_TYPES = {
    RecordType.A: 1,
    RecordType.NS: 2,
    RecordType.CNAME: 5,
    RecordType.PTR: 12,
    RecordType.MX: 15,
    RecordType.TXT: 16,
    RecordType.AAAA: 28,
}
_A, _SOA, _OPT, _IN = 1, 6, 41, 1
_RESPONSE, _CUT, _OPCODE, _RCODE = 0x8000, 0x0200, 0x7800, 0x000F
_RECURSION_DESIRED = 0x0100
_NXDOMAIN = 3
_TO_QUESTION = b"\xc0\x0c"
_TTL_LIMIT = 1 << 31

OnAnswer = Callable[[bytes | OSError], None]

_random = random.SystemRandom()


def is_plain(name: str) -> bool:
    """True for a name that is a key as it stands: lower case, none but host letters."""
    return len(name) <= _NAME_LIMIT and _PLAIN.fullmatch(name) is not None


def question_of(name: str, kind: RecordType) -> bytes:
    """The question section about a plain name (RFC 1035 §4.1.2)."""
    labels = b"".join(bytes([len(one)]) + one for one in name.encode("ascii").split(b"."))
    return labels + b"\0" + _QUESTION.pack(_TYPES[kind], _IN)


def read_plain(wire: bytes, question: bytes, name: str) -> DnsAnswer | None:
    """What an answer to a question about an A record says; None where it takes more to read it:
    aliases, errors, a cut answer, anything odd."""
    try:
        _id, flags, _questions, answers, authority, _more = _HEADER.unpack_from(wire)
        code = flags & _RCODE
        if flags & (_CUT | _OPCODE) or code not in (0, _NXDOMAIN) or (answers and code):
            return None
        position = _HEADER.size + len(question)
        records, ttl = [], float("inf")
        for _ in range(answers):
            kind, of_class, seconds, size = _RECORD.unpack_from(wire, position + 2)
            if wire[position : position + 2] != _TO_QUESTION or (kind, of_class) != (_A, _IN):
                return None
            position += 2 + _RECORD.size
            data = wire[position : position + size]
            position += size
            if size != 4 or len(data) != 4 or seconds >= _TTL_LIMIT:
                return None
            records.append(socket.inet_ntoa(data))
            ttl = min(ttl, seconds)
        if records:
            return DnsAnswer(DnsStatus.FOUND, tuple(dict.fromkeys(records)), ttl, name)
        status = DnsStatus.NXDOMAIN if code else DnsStatus.NODATA
        return DnsAnswer(status, (), _negative_ttl(wire, position, authority), name)
    except (error, IndexError, ValueError):
        return None


def _negative_ttl(wire: bytes, position: int, count: int) -> float:
    """RFC 2308 §5, of the SOA. Raises ValueError for what is cut or odd."""
    found = []
    for _ in range(count):
        while wire[position] and wire[position] < 0xC0:
            position += 1 + wire[position]
        position += 2 if wire[position] else 1
        kind, of_class, seconds, size = _RECORD.unpack_from(wire, position)
        position += _RECORD.size
        if position + size > len(wire) or seconds >= _TTL_LIMIT or of_class != _IN:
            raise ValueError("odd")
        if kind == _SOA:
            found += [min(seconds, *_NUMBER.unpack_from(wire, position + size - 4))]
        position += size
    if len(found) > 1:
        raise ValueError("odd")
    return float(found[0]) if found else 0.0


class _Socket:
    """A connected socket. waiting: by id, the question and who is told of its answer. retired: no
    further question is asked by it."""

    def __init__(self, server: NameServer, loop: asyncio.AbstractEventLoop) -> None:
        family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
        self._loop = loop
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect((server.address, server.port))
        except OSError:
            self._socket.close()
            raise
        self.waiting: dict[int, tuple[bytes, OnAnswer]] = {}
        self.retired = False
        self.left = SOCKET_QUESTIONS
        loop.add_reader(self._socket, self._read)

    def send(self, question: bytes, payload: int, on_answer: OnAnswer) -> int:
        """Ask; the id of the question. Raises OSError."""
        id = _random.getrandbits(16)
        while id in self.waiting:
            id = _random.getrandbits(16)
        wire = _HEADER.pack(id, _RECURSION_DESIRED, 1, 0, 0, 1 if payload else 0) + question
        if payload:
            wire += _EDNS.pack(0, _OPT, payload, 0, 0)
        self.left -= 1
        with contextlib.suppress(BlockingIOError):  # as if it were lost on its way
            self._socket.send(wire)
        self.waiting[id] = question, on_answer
        return id

    def forget(self, id: int) -> None:
        """Wait no longer for an answer."""
        self.waiting.pop(id, None)
        if self.retired and not self.waiting:
            self.close()

    def close(self) -> None:
        """Close it; more than once does no harm."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(READS):
            try:
                wire = self._socket.recv(65535)
            except BlockingIOError:
                return
            except OSError as problem:
                # Nobody listens there: true for all who wait.
                for id, (_question, on_answer) in list(self.waiting.items()):
                    self.forget(id)
                    on_answer(problem)
                return
            if len(wire) < _HEADER.size:
                continue
            id, flags, questions, _, _, _ = _HEADER.unpack_from(wire)
            if id not in self.waiting or not flags & _RESPONSE or questions != 1:
                continue
            question, on_answer = self.waiting[id]
            end = _HEADER.size + len(question)
            if wire[_HEADER.size : end].lower() == question.lower():
                self.forget(id)
                on_answer(wire)
                if self.retired and not self.waiting:
                    return  # it is closed


Sent = tuple[_Socket, int]
"""A question under way."""


class Datagrams:
    """The sockets of one event loop."""

    def __init__(self) -> None:
        self._sockets: dict[NameServer, list[_Socket]] = {}
        self._old: weakref.WeakSet[_Socket] = weakref.WeakSet()

    async def exchange(
        self, server: NameServer, question: bytes, payload: int, seconds: float
    ) -> bytes:
        """Ask, and wait for an answer to that very question. payload: octets of the answer, 0:
        without EDNS. Raises TimeoutError, OSError."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answered(outcome: bytes | OSError) -> None:
            if future.done():
                return
            if isinstance(outcome, OSError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        sent = self.send(server, question, payload, answered)
        try:
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self.forget(sent)

    def send(self, server: NameServer, question: bytes, payload: int, on_answer: OnAnswer) -> Sent:
        """Ask. on_answer: called once, with the octets of the answer or why there is none, unless
        it is forgotten before. Raises OSError."""
        one = self._chosen(server)
        return one, one.send(question, payload, on_answer)

    @staticmethod
    def forget(sent: Sent) -> None:
        """Wait no longer for an answer."""
        sent[0].forget(sent[1])

    def close(self) -> None:
        """Close all sockets."""
        for one in (*self._old, *(one for some in self._sockets.values() for one in some)):
            one.close()
        self._old.clear()
        self._sockets.clear()

    def _chosen(self, server: NameServer) -> _Socket:
        some = self._sockets.setdefault(server, [])
        place = _random.randrange(SOCKETS)
        if place >= len(some):
            some.append(_Socket(server, asyncio.get_running_loop()))
            return some[-1]
        found = some[place]
        if found.left <= 0:
            self._retire(found)
            found = some[place] = _Socket(server, asyncio.get_running_loop())
        return found

    def _retire(self, one: _Socket) -> None:
        one.retired = True
        self._old.add(one)
        if not one.waiting:
            one.close()
