"""The compiled loops under AddressSanitizer and UBSan: they are C, and hostile mail gets there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.helpers.process import require

pytestmark = pytest.mark.slow


ROOT = Path(__file__).resolve().parents[3]

# The sanitized module takes the place of the installed one before anybody imports that.
RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("filterd.bayes.model._kernel", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["filterd.bayes.model._kernel"] = module
spec.loader.exec_module(module)
from filterd.bayes.model import tokens
assert tokens._kernel is module
import pytest
sys.exit(pytest.main(["-q", "-s", "-p", "no:cacheprovider", *sys.argv[2:]]))
"""

TESTS = ("tests/unit/bayes/test_kernel.py", "tests/unit/bayes/test_features.py")


def library(name: str) -> str:
    """The path of a library of gcc's."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def test_no_octet_outside_is_touched(tmp_path: Path) -> None:
    require("gcc", "gcc")
    module = tmp_path / "kernel.so"
    subprocess.run(
        [
            "gcc",
            "-g",
            "-O1",
            "-shared",
            "-fPIC",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            f"-I{sysconfig.get_path('include')}",
            "-o",
            module,
            ROOT / "filterd/bayes/model/_kernel.c",
        ],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN, module, *TESTS],
        env={
            **os.environ,
            "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
            # The interpreter keeps what it was given; its own allocator would hide our faults.
            "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONMALLOC": "malloc",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
