"""What libmilter needs of the process, and the callbacks that it is given."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import Milter
import milter

from filterd.daemon.apply import ACTIONS
from filterd.daemon.session import MilterSession
from filterd.system.address import ListenAddress

log = logging.getLogger(__name__)

PACKET_LIMIT = (1 << 20) - 1
"""Octets of a command. libmilter hangs up on one that is larger, and then the MTA puts the mail off
until its sender gives up. Its own 65535 are fewer than a sendmail with a raised MaxHeadersLength
shows of a header field (a list of recipients, say); Postfix 3.7 stops at 60 KiB. This is the most
that libmilter knows."""

READ_TIMEOUT = 7210
"""Seconds that libmilter waits for the MTA's next command; an SMTP client may be slow for hours."""

SESSION_STACK = 4 << 20
"""Octets of a thread's stack. From Python 3.12 on calls of C code are counted, not measured: ten
thousand are allowed, which took 1.5 MiB where it was tried. What is not touched takes no memory."""

DESCRIPTORS = 65_536
"""Open files that the daemon asks for at most; thousands of sessions, each with a spool file."""

SIGNAL_THREAD_LIMIT = 2.0
"""Seconds to wait at most until libmilter's threads stand; it takes a few milliseconds."""


def allow_many_sessions() -> None:
    """As many descriptors as the system lets us have: two for each session of the MTA."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def take_large_fields() -> None:
    """Have libmilter take commands of up to PACKET_LIMIT octets, where it can be told.

    pymilter does not offer the call, so it is looked up in what its extension is linked with.
    """
    try:
        set_limit = ctypes.CDLL(milter.__file__).smfi_setmaxdatasize
    except (OSError, AttributeError):
        log.warning(
            "this libmilter closes the connection at fields of 64 KiB; the MTA defers such mail"
        )
        return
    set_limit.argtypes, set_limit.restype = [ctypes.c_size_t], ctypes.c_size_t
    set_limit(PACKET_LIMIT)


def thread_states() -> list[str]:
    """A letter for what each thread but the main one is doing: `R`uns, `S`leeps (proc(5))."""
    states = []
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) == os.getpid():
            continue
        # A thread may end while we look.
        with contextlib.suppress(OSError):
            text = (task / "stat").read_text("latin-1")
            states.append(text.rpartition(")")[2].split()[0])
    return states


def await_signal_thread(before: int) -> None:
    """Wait until libmilter's signal thread sleeps; `before` threads were there without libmilter.

    A thread that is about to wait for signals takes one that is on its way to the main thread, so
    a SIGHUP in the first moment would end the daemon.
    """
    end = time.monotonic() + SIGNAL_THREAD_LIMIT
    while time.monotonic() < end:
        states = thread_states()
        if len(states) >= before + 2 and "R" not in states:
            return
        time.sleep(0.002)


def register(
    address: ListenAddress, negotiated: Any, session: Callable[[Any], MilterSession]
) -> None:
    """Tell libmilter the callbacks. Without closures over sessions: those are in the contexts."""
    take_large_fields()
    milter.set_flags(ACTIONS)
    milter.set_connect_callback(lambda c, name, _family, peer: session(c).connect(c, name, peer))
    milter.set_helo_callback(lambda c, name: session(c).helo(c, name))
    milter.set_envfrom_callback(lambda c, *arguments: session(c).envfrom(c, *arguments))
    milter.set_envrcpt_callback(lambda c, *arguments: session(c).envrcpt(c, *arguments))
    milter.set_header_callback(lambda c, name, value: session(c).header(name, value))
    milter.set_body_callback(lambda c, chunk: session(c).body(chunk))
    milter.set_eom_callback(lambda c: session(c).eom(c))
    milter.set_abort_callback(lambda c: session(c).abort())
    milter.set_close_callback(_closed)
    # See `_not_called`. Not TEMPFAIL: libmilter never answers a message of which a header field
    # was answered with that.
    milter.set_exception_policy(Milter.CONTINUE)
    milter.setconn(address.text)
    milter.settimeout(READ_TIMEOUT)
    milter.register("filterd", data=lambda c: session(c).data(c), negotiate=negotiated)


def _closed(context: Any) -> int:
    session = context.getpriv()
    if session is not None:
        session.close()
        context.setpriv(None)
    return int(Milter.CONTINUE)
