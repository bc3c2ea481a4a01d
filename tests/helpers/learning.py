"""A folder of models while a learner teaches, and after it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from filterd.bayes.model.online import OnlineModel
from filterd.bayes.site.folder import ModelFolder
from filterd.bayes.site.journal import LearningJournal
from filterd.bayes.site.learner import Learner
from tests.helpers.postgresql import emptied
from tests.helpers.training_mail import message


def empty_folder(request: pytest.FixtureRequest, path: Path) -> ModelFolder:
    """A folder without models, its journal in the database that the fixture's parameter names."""
    if request.param == "sqlite":
        return ModelFolder(path / "models")
    return ModelFolder(path / "models", emptied(request.getfixturevalue("postgresql")))


def model_of(folder: ModelFolder) -> OnlineModel:
    """The model in force."""
    stored = folder.load_current()
    assert stored is not None
    return stored.model


def contents(folder: ModelFolder) -> dict[bool, int]:
    """How many messages the journal has of spam (True) and ham."""
    journal = LearningJournal(folder)
    try:
        return journal.contents()
    finally:
        journal.close()


_VICTIM = """
import sys
from pathlib import Path
from filterd.bayes.site import learner
from filterd.bayes.site.folder import ModelFolder
from tests.helpers.postgresql import emptied
from tests.helpers.training_mail import message
learner.CHECKPOINT_MESSAGES = 3
with learner.Learner(ModelFolder(Path(sys.argv[1]), sys.argv[2]), "cli:victim") as one:
    print("learning", flush=True)
    for number in range(200):
        one.learn(message(number, spam=number % 2 == 0), spam=number % 2 == 0)
"""


def kill_and_check(folder: ModelFolder, delay: float) -> None:
    """Let a process learn, kill it after a while, and compare model, journal and truth."""
    victim = subprocess.Popen(
        [sys.executable, "-P", "-c", _VICTIM, str(folder.path), folder.database],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert victim.stdout is not None
    victim.stdout.readline()
    time.sleep(delay)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    if folder.current() is not None:
        model_of(folder)  # whatever a worker would load now is whole
    with Learner(folder, "cli:check") as learner:
        model = learner.model
        assert learner.stored.card.generation == (folder.current() or 0)
    assert contents(folder) == {True: model.spam, False: model.ham}
    # The model is exactly the sum of the lessons that the journal knows.
    with Learner(folder, "cli:check") as learner:
        for number in range(200):
            learner.forget(message(number, spam=number % 2 == 0))
        left = learner.model
    assert not np.any(left.weights)
    assert not np.any(left.counts)
    assert (left.spam, left.ham, left.spam_counted, left.ham_counted) == (0, 0, 0, 0)
