"""The pages' libraries are for who serves pages: no other command pays for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
import filterd.cli.app, filterd.config.load, filterd.config.assembly, filterd.cli.quarantine
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.slow
def test_other_commands_load_nothing_of_them() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", CODE], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "filterd" in loaded
    assert not {"fastapi", "starlette", "uvicorn", "jinja2", "argon2", "nh3"} & set(loaded)
