"""A place in a filter where messages wait until the test lets them go on.

The filters of the tests know the order `wait=FOLDER`: each message that comes there makes a file
`*.inside` and waits for the file `open`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.process import wait_for


class Gate:
    """Closed at first. folder: of the test, which the filter may write."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        self.path.mkdir()
        self.path.chmod(0o777)
        self.order = f"wait={self.path}"

    @classmethod
    def at(cls, path: Path) -> Gate:
        """A gate at a place that the settings name, closed; another one may have been there."""
        shutil.rmtree(path, ignore_errors=True)
        gate = cls(path.parent)
        assert gate.path == path
        return gate

    def wait_until_inside(self, count: int = 1) -> None:
        """Until so many messages have come to it, in all."""
        wait_for(f"{count} messages in the filter", lambda: self.inside >= count)

    @property
    def inside(self) -> int:
        """How many messages have come to it."""
        return len(list(self.path.glob("*.inside")))

    def open(self) -> None:
        """Let all go on."""
        (self.path / "open").touch()
