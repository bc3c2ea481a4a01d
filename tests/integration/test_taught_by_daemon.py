"""The pages' process may not write the models: what reviewers teach, the daemon has learned."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.system.child import python_command
from filterd.system.layout import MODELS
from tests.helpers.machine import Machine
from tests.helpers.process import folder

ROOT = Path(__file__).parents[2]

KEEP = """\
import sys
sys.path.insert(0, sys.argv[1])
from filterd.config.load import load
from filterd.quarantine import Store
from tests.helpers.entries import new
store = Store(load(None).quarantine)
for id in sys.argv[2:]:
    store.put(new(id, b"Subject: pills\\r\\n\\r\\ncheap pills, the same each week " + id.encode()))
"""

AS_THE_PAGES = """\
mount --bind $1 $1 && mount -o remount,bind,ro $1 && shift && cd / && exec setpriv \
  --reuid=filterd --regid=filterd --init-groups --inh-caps=+dac_read_search \
  --ambient-caps=+dac_read_search "$@"
"""


class Pages(Machine):
    """A machine where the models are read-only for whoever asks as the pages do."""

    def keep(self, *ids: str) -> None:
        """Messages in the quarantine."""
        self._done(sys.executable, "-P", "-c", KEEP, ROOT, *ids)
        self.run("chown -R filterd: /var/spool/filterd")

    def teach(self, kind: str, *ids: str) -> tuple[int, str]:
        """Status and words of an answer to somebody who may only read the models."""
        words = python_command("filterd", "quarantine", "learn", kind, *ids)
        return self._done("unshare", "-m", "sh", "-c", AS_THE_PAGES, "sh", MODELS, *words)

    def _done(self, *words: str | Path) -> tuple[int, str]:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=120, cwd="/"
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def machine() -> Iterator[Pages]:
    with folder("teach") as path:
        machine = Pages(path, more="rm -f /etc/clamav/clamd.conf")
        machine.start()
        status, said = machine.filterd("init", "--system")
        assert status == 0, said
        yield machine


def test_the_daemon_teaches_for_those_who_may_not_write(machine: Pages) -> None:
    machine.keep("id1", "id2")
    status, said = machine.teach("spam", "id1")
    assert status == 73, said
    assert "the model cannot be taught now: it may not be written here, and the daemon" in said
    assert "/run/filterd/filterd.control: No such file or directory" in said

    daemon = machine.daemon()
    daemon.start(lambda: " listens on unix:/run/filterd/filterd.sock" in daemon.output)
    assert machine.teach("spam", "id1", "id2") == (
        0,
        "id1: learned as spam\nid2: learned as spam\n",
    )
    assert machine.teach("spam", "id1") == (0, "id1: already learned as spam\n")
    status, said = machine.teach("ham", "id1")
    assert (status, said) == (0, "id1: learned as ham, and no longer as spam\n")
    own = ("--for", "joe@mx.example")
    assert machine.teach("ham", "id2", *own) == (0, "id2: learned as ham\n")
    assert machine.teach("ham", "id2", *own) == (0, "id2: already learned as ham\n")
    status, said = machine.filterd("model", "recipients")
    assert "joe@mx.example     0    1" in said
    status, said = machine.teach("spam", "id1", "id3")
    assert (status, "id3" in said, "Traceback" in said) == (66, True, False)

    # Who taught stays known, and all is the service's.
    status, said = machine.filterd("quarantine", "show", "id1")
    assert "learned by cli:filterd: ham" in said
    assert machine.run("find /var/lib/filterd /var/spool/filterd ! -user filterd") == ""
    assert daemon.running


def test_a_model_that_cannot_be_taught_is_said_in_the_daemons_words(machine: Pages) -> None:
    machine.keep("id1")
    machine.run("echo broken > /var/lib/filterd/models/journal.sqlite3")
    machine.run("chown filterd: /var/lib/filterd/models/journal.sqlite3")
    daemon = machine.daemon()
    daemon.start(lambda: " listens on unix:/run/filterd/filterd.sock" in daemon.output)
    status, said = machine.teach("spam", "id1")
    assert (status, "the model cannot be taught now" in said) == (73, True), said
    assert "/var/lib/filterd/models/journal.sqlite3" in said
    assert daemon.running
