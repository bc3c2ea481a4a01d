"""A worker: one process that scans one message at a time, and may die of it.

It is forked by the fork server with the filters already prepared. It reads requests from its socket
until the daemon closes it, under limits of memory, file size and core dumps, and tells through a
shared page which filter is running. It dies with the fork server.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import resource
import socket

from filterd.chain.budget import interrupted
from filterd.chain.pipeline import Pipeline
from filterd.config.load import Settings
from filterd.config.network import network_users
from filterd.message import Message
from filterd.system.confinement import close_network
from filterd.workers import framing
from filterd.workers.codec import decode_request, encode_answer
from filterd.workers.watch import WatchPage

log = logging.getLogger(__name__)

FILE_SIZE_LIMIT = 1 << 30
"""Octets of the largest file that a worker may write: a message, never more."""

NICENESS = 5
"""How far workers step back (nice(2)) behind daemon and MTA, whose many short steps would else wait
for a worker's long ones: with every core at work a tenth more messages get through."""

_MIB = 1 << 20


def confine(memory: int, niceness: int = NICENESS) -> None:
    """Put this process under its limits. memory: MiB above what it uses now."""
    # Where that is forbidden, by a seccomp filter for example, it is a tenth of speed, no more.
    with contextlib.suppress(OSError):
        os.nice(niceness)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE_LIMIT, FILE_SIZE_LIMIT))
    limit = _address_space() + memory * _MIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def without_network(settings: Settings) -> str:
    """Take the network from this process and its children, unless these settings need it; return
    who does, or why it cannot be blocked, empty if it is."""
    users = network_users(settings)
    if users:
        return ", ".join(users)
    return "" if close_network() else "this system cannot block it"


def _address_space() -> int:
    """Octets of address space that this process has now (proc(5), statm)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no path object needed)
        return int(file.read().split()[0]) * resource.getpagesize()


def serve(peer: socket.socket, page: WatchPage, pipeline: Pipeline) -> None:
    """Answer requests until the daemon closes the socket."""
    pipeline.chain.announce = page.announce
    receiver = framing.Receiver(peer, descriptors=True)
    while True:
        try:
            head, body, descriptor = receiver.receive()
        except framing.FrameError:
            return
        data: bytes | mmap.mmap = body
        if descriptor is not None:
            try:
                data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        id, envelope, failed, early, attempt = decode_request(head)
        message = Message(data, envelope, id)
        message.attempt = attempt
        answer = encode_answer(pipeline.process(message, failed, early))
        page.clear()
        if interrupted():
            # What the filter was busy with may be left in any state, a lock that is held for one.
            page.spend()
        try:
            framing.send(peer, answer)
        except OSError:
            return
        del message
        if isinstance(data, mmap.mmap):
            _close(data)


def _close(data: mmap.mmap) -> None:
    try:
        data.close()
    except BufferError:
        # A filter kept a view of it; the memory goes when the view does.
        log.debug("a filter kept a view of a large message")
