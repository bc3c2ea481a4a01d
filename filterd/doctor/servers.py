"""What runs: the daemon, the classifier's model, the store, the MTA for releases."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from filterd.config.assembly import model_folder, open_history
from filterd.config.load import Settings
from filterd.config.network import worker_processes
from filterd.doctor.findings import Finding, Level
from filterd.filters.bayes.settings import BayesSettings
from filterd.history import HistoryError
from filterd.ops.control import ask
from filterd.ops.json_socket import AskError
from filterd.ops.scanners import PROBE_SECONDS
from filterd.ops.status import (
    daemon_status,
    quarantine_status,
)
from filterd.quarantine import Store, StoreError
from filterd.quarantine.caution import ADVICE
from filterd.system.address import ListenAddress

OLD_MODEL = 90
"""Days without a lesson after which that is said: docs/figures/accuracy.md, on drift."""


def daemon(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, has its workers, and runs what the settings say."""
    daemon = daemon_status(settings.daemon)
    if not daemon.answers:
        yield Finding(
            Level.FAIL,
            "daemon",
            f"{daemon.socket}: {daemon.error}",
            "start it: systemctl start filterd, or filterd run; see its log",
        )
        return
    try:
        told = ask(settings, "status", PROBE_SECONDS)
    except AskError as error:
        yield Finding(
            Level.WARN,
            "daemon",
            f"{daemon.socket} answers, but does not report its state: {error}",
            "run this as the daemon's user; a daemon of an older version has to be restarted",
        )
        return
    alive, wanted = told["workers"], worker_processes(settings)
    yield Finding(Level.OK, "daemon", f"{daemon.socket} answers, {alive} workers")
    if alive < wanted:
        yield Finding(
            Level.WARN,
            "workers",
            f"{alive} of {wanted}",
            "if that does not change, they die at start: see the daemon's log",
        )
    if told["history_lost"]:
        yield Finding(
            Level.WARN,
            "history",
            f"{told['history_lost']} records were lost since it started",
            f"see the daemon's log; make sure that {open_history(settings).where} can be written",
        )
    chain = list(told["filters"])
    if chain != list(settings.chain.filters):
        yield Finding(
            Level.WARN,
            "daemon",
            f"its chain is {', '.join(chain) or 'empty'}, another than the settings name",
            "`filterd reload`",
        )
    elif settings.source and settings.source.stat().st_mtime > told.get("settings_read", 0.0):
        yield Finding(
            Level.WARN,
            "daemon",
            f"{settings.source} was written after the daemon read it",
            "`filterd reload`",
        )


def model(settings: Settings) -> Iterator[Finding]:
    """Whether the site's model can be loaded, and how much it has learned."""
    # numpy, which `check` does without.
    from filterd.bayes.model.tokens import COMPILED  # noqa: PLC0415
    from filterd.bayes.site.folder import starter_path  # noqa: PLC0415
    from filterd.ops.model import model_status  # noqa: PLC0415

    if not settings.in_chain(BayesSettings):
        return
    if not COMPILED:
        yield Finding(
            Level.WARN,
            "classifier",
            "installed without its compiled loops: it gives the same scores, and takes two "
            "to three times as long",
            "install filterd from a wheel, or where a C compiler and Python's headers are",
        )
    model = model_status(settings)
    if model.error:
        yield Finding(
            Level.FAIL, "model", model.error, "`filterd model rollback` activates an older one"
        )
        return
    told = f"learned {model.spam} spam and {model.ham} ham"
    own = settings.of_filter(BayesSettings)
    if not (own.starter and starter_path()) and not model.generation:
        yield Finding(
            Level.FAIL,
            "model",
            "none: no starter model and no site model",
            "create one with `filterd train --spam … --ham …`",
        )
    elif model.missing_spam or model.missing_ham:
        yield Finding(
            Level.WARN,
            "model",
            f"{told}; the starter model helps out, and at most labels",
            f"learn {model.missing_spam} more spam and {model.missing_ham} more ham",
        )
    elif (model.days_unchanged(now := time.time()) or 0) > OLD_MODEL:
        yield Finding(
            Level.WARN,
            "model",
            f"{told}, {model.last_lesson(now)}; spam changes, and a model that is not taught "
            "misses more of it every month",
            "teach it today's spam and ham: `filterd learn`, or what people move to Junk",
        )
    else:
        yield Finding(Level.OK, "model", f"{told}, {model.last_lesson(now)}")


def journal(settings: Settings) -> Iterator[Finding]:
    """Whether the training journal can be used, and knows the models of this folder."""
    from filterd.bayes.model.store import ModelFileError  # noqa: PLC0415  (numpy)
    from filterd.bayes.site.journal_folder import open_to_read  # noqa: PLC0415
    from filterd.bayes.site.learned import JournalError  # noqa: PLC0415

    folder = model_folder(settings)
    if "bayes" not in settings.chain.filters or not folder.path.is_dir():
        return
    try:
        opened = open_to_read(folder)
        if opened is not None:
            with contextlib.closing(opened):
                opened.check()
    except (JournalError, ModelFileError) as error:
        yield Finding(
            Level.FAIL,
            "journal",
            str(error),
            "nothing can be learned until then; mail is scanned with the model in force",
        )


def store(settings: Settings) -> Iterator[Finding]:
    """Whether the index can be read, agrees with the files, and what went wrong."""
    yield from _history(settings)
    broken = ""
    kept = quarantine_status(settings)
    if settings.quarantine.database or kept.messages or kept.error:
        with contextlib.closing(Store(settings.quarantine)) as opened:
            try:
                opened.index.check()
            except StoreError as error:
                broken = str(error)
    if broken or kept.error:
        yield Finding(
            Level.FAIL,
            "quarantine",
            broken or kept.error,
            "no mail is lost: the files are what counts",
        )
        return
    number = sum(kept.messages.values())
    folder = settings.quarantine.folder
    # A database that hosts share knows more messages than lie here.
    described = sum(1 for _ in folder.glob("????-??-??/*.json"))
    if described != number and not settings.quarantine.database:
        yield Finding(
            Level.WARN,
            "quarantine",
            f"{described} messages in {folder}, {number} in the index",
            "run `filterd quarantine fsck`, unless mail arrived just now",
        )
    else:
        yield Finding(Level.OK, "quarantine", f"{number} messages")
    if kept.expiry:
        yield Finding(
            Level.WARN,
            "quarantine",
            f"nothing expires: {kept.expiry}",
            f"set the clock if it is wrong; else {ADVICE}",
        )
    if kept.messages.get("failed"):
        yield Finding(
            Level.WARN,
            "quarantine",
            f"{kept.messages['failed']} releases failed",
            "`filterd quarantine list --state failed`, then `show`, gives the MTA's answer",
        )


def _history(settings: Settings) -> Iterator[Finding]:
    if not settings.history.enabled:
        return
    try:
        fault = open_history(settings).trouble()
    except HistoryError as error:
        yield Finding(Level.FAIL, "history", str(error), "see that the daemon's user can write it")
        return
    if fault:
        yield Finding(
            Level.FAIL,
            "history",
            fault,
            "the daemon puts it aside with the next message, `filterd quarantine fsck` at once; "
            "what can be read of it is taken over",
        )


def _release_service(settings: Settings) -> Iterator[Finding]:
    path = settings.web.release_socket
    if path is None:
        return
    try:
        ListenAddress.parse(f"unix:{path}").reach(PROBE_SECONDS)
    except OSError as error:
        yield Finding(
            Level.WARN,
            "release",
            f"{path}: {error.strerror or error}",
            "nothing can be released in the pages; `systemctl enable --now "
            "filterd-release.socket`, or start `filterd quarantine release-service`",
        )
    else:
        yield Finding(Level.OK, "release", f"{path} listens")


def release(settings: Settings) -> Iterator[Finding]:
    """Whether the MTA for releases greets; nothing is said to it but QUIT. And whether the service
    that the pages ask for releases is there."""
    yield from _release_service(settings)
    host, port = settings.quarantine.release_host, settings.quarantine.release_port
    try:
        with socket.create_connection((host, port), PROBE_SECONDS) as peer:
            greeting = peer.recv(512)
            peer.sendall(b"QUIT\r\n")
    except OSError as error:
        yield Finding(
            Level.WARN,
            "release",
            f"{host}:{port}: {error.strerror or error}",
            "nothing can be released; start the MTA, or set quarantine.release_host and its port",
        )
        return
    said = greeting.decode("ascii", "replace").splitlines()[:1]
    if greeting.startswith(b"220"):
        yield Finding(Level.OK, "release", f"{host}:{port}: {''.join(said)}")
    else:
        yield Finding(
            Level.WARN,
            "release",
            f"{host}:{port} greets with {''.join(said)!r}",
            "not an SMTP server that accepts mail now",
        )
