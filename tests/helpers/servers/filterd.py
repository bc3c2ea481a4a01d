"""filterd itself as an admin starts it: `filterd run --config F`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from filterd.quarantine import Entry, QuarantineSettings, Store
from tests.helpers.process import Program, listens, wait_for

PLUGIN = Path(__file__).parent.parent / "plugins" / "obedient"
COMMAND = Path(sys.executable).with_name("filterd")

CONFIGURATION = """\
[daemon]
socket = "unix:{folder}/filterd.sock"
socket_mode = 0o666
spool = "{folder}/spool"
log_format = "json"
log_level = "debug"
progress_interval = 0.5
shutdown_grace = 10.0

[workers]
count = 2
grace = 0.5

[chain]
filters = ["obedient", "gtube", "parts"{others}]
timeout = {chain}

[quarantine]
folder = "{folder}/quarantine"

[filters.obedient]
timeout = {obedient}
{more}
"""

LIMITS = {"chain": 8.0, "obedient": 5.0}
"""Seconds of the whole chain and of the filter that obeys."""


class Filterd:
    """The daemon on the unix socket `socket`. clamd: where clamd listens, None to do without.

    more: TOML added at the end, other sections. patient: for messages that wait in the filter as
    long as a test takes. also: further filters of the chain.
    """

    def __init__(
        self,
        folder: Path,
        clamd: Path | None = None,
        more: str = "",
        *,
        patient: bool = False,
        also: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._also = also
        self._limits = {"chain": 110.0, "obedient": 100.0} if patient else LIMITS
        self.socket = folder / "filterd.sock"
        self.configuration = folder / "filterd.toml"
        self.configure(clamd, more)
        self.process = Program(
            [COMMAND, "run", "--config", self.configuration],
            folder,
            {"PYTHONPATH": os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])},
        )

    def configure(self, clamd: Path | None = None, more: str = "") -> None:
        """Write the settings file anew; the daemon reads it at start and on SIGHUP."""
        others = [*(["clamav"] if clamd is not None else []), *self._also]
        if clamd is not None:
            more = f'[filters.clamav]\nserver = "unix:{clamd}"\nsilence = 3.0\n{more}'
        self.configuration.write_text(
            CONFIGURATION.format(
                folder=self.folder,
                others="".join(f', "{name}"' for name in others),
                more=more,
                **self._limits,
            )
        )

    def start(self) -> None:
        # The log's word, not the socket's: between its making and its final mode root can connect,
        # and Postfix cannot.
        before = self._announced
        self.process.start(lambda: self._announced > before and listens(self.socket))

    @property
    def _announced(self) -> int:
        return self.process.output.count(" listens on unix:")

    def stop(self) -> None:
        """Orderly end; afterwards nothing of it is left running."""
        self.process.stop()

    def kill(self) -> None:
        """SIGKILL to the daemon alone: no farewell, the socket file stays, workers are orphans."""
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    @property
    def processes(self) -> list[int]:
        """Ids of the daemon and all its workers, found by the settings file that they run with."""
        found = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.configuration).encode() in file.read_bytes():
                    found.append(int(file.parent.name))
        return found

    @property
    def store(self) -> Store:
        return Store(QuarantineSettings(folder=self.folder / "quarantine"))

    def entry(self, id: str) -> Entry:
        """What the store knows of a message."""
        return self.store.get(id)

    def original(self, id: str) -> bytes:
        """The octets that the store keeps of a message."""
        return self.store.path(id).read_bytes()

    @property
    def stored(self) -> set[str]:
        """Ids of all messages in the store."""
        return {file.stem for file in (self.folder / "quarantine").glob("*/*.eml")}

    def log_lines(self) -> list[dict[str, object]]:
        """The lines about messages, one each."""
        lines = []
        for line in self.process.output.splitlines():
            if line.startswith("{"):
                facts = json.loads(line)
                if "action" in facts:
                    lines.append(facts)
        return lines

    def last(self, queue_id: str = "") -> dict[str, object]:
        """The newest line about a message (of that queue id); it may come after the reply."""

        def look() -> list[dict[str, object]]:
            lines = self.log_lines()
            return [one for one in lines if not queue_id or one.get("queue_id") == queue_id]

        return wait_for("a log line", look)[-1]


def id_in(text: str) -> str:
    """The id at the end of a reply: `(id=…)`."""
    found = re.search(r"\(id=(\S+)\)$", text)
    assert found is not None, f"no id in {text!r}"
    return found[1]
