#!/usr/bin/env python3
"""The files of a release for pip and pipx: `make wheel`.

    scripts/wheel.py FOLDER

FOLDER, made where it is missing, gets

    filterd-VERSION.tar.gz    the source distribution, of what git knows
    filterd-VERSION-….whl     the wheel, built from it, for this Python and this kind of machine
    ….whl                     what requirements/product.txt has only as source (pymilter), built
    requirements.txt          the versions of product.txt and filterd, with the hashes of all files
    constraints.txt           the same versions without hashes, for pipx

so that `pip install --require-hashes -r FOLDER/requirements.txt` compiles nothing and takes nothing
that was not tested. pipx hands its pip options on to an update of pip itself, for which no lock has
a hash: it takes the constraints. Everything is built by the setuptools of requirements/build.txt,
which the environment that runs this must have; other files of FOLDER with these names are replaced.
Source: the Python Packaging User Guide, "Source distribution format", "Binary distribution format";
pip's "Secure installs".
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements/product.txt"
ENTRY = re.compile(r"(?<!\\)\n")
"""Where an entry of a lock ends; its lines end in a backslash."""


def pip(*words: str | Path) -> None:
    """Run the environment's pip, and end with its status if it fails."""
    options = ("--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-P", "-m", "pip", *options, *words]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)


def digest(path: Path) -> str:
    """The SHA-256 of a file, as pip writes it."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def head(work: Path) -> Path:
    """What git has in HEAD, not what lies about here."""
    archive, tree = work / "head.tar", work / "tree"
    subprocess.run(["git", "archive", "-o", archive, "HEAD"], cwd=ROOT, check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(tree, filter="data")
    return tree


def source(tree: Path, work: Path) -> Path:
    """The source distribution of a checkout."""
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    # Its only way to name a C module without a program of our own, and still called experimental.
    known = "ignore:`[tool.setuptools.ext-modules]`"
    command = [sys.executable, "-P", "-W", known, "-c", code, work]
    subprocess.run(command, cwd=tree, check=True, stdout=subprocess.DEVNULL)
    (found,) = work.glob("filterd-*.tar.gz")
    return found


def wheel(sdist: Path, work: Path) -> Path:
    """The wheel of a source distribution: what is missing in that is noticed here."""
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", work, sdist)
    (found,) = work.glob("filterd-*.whl")
    return found


def built_here(lock: str, work: Path) -> list[Path]:
    """Wheels of the packages that the lock has as source: their hashes are not in it."""
    folder = work / "all"
    pip(
        *("wheel", "--require-hashes", "--no-build-isolation", "--use-pep517"),
        *("-w", folder, "-r", LOCK),
    )
    return [path for path in sorted(folder.iterdir()) if digest(path) not in lock]


def requirements(lock: str, ours: list[Path], built: list[Path]) -> str:
    """The lock with filterd's own files and what was built here."""
    hashes = {path.name.split("-")[0].replace("_", "-"): digest(path) for path in built}
    lines = [
        "# Written by `make wheel`: pip install --require-hashes -r requirements.txt",
        "--find-links .",
        f"filterd=={ours[0].name.split('-')[1].removesuffix('.tar.gz')} \\",
        " \\\n".join(f"    --hash={digest(path)}" for path in ours),
    ]
    for entry in ENTRY.split(lock.strip()):
        if entry.startswith("#"):
            continue
        more = hashes.pop(entry.split("==")[0], "")
        lines.append(f"{entry} \\\n    --hash={more}" if more else entry)
    if hashes:
        sys.exit(f"wheel: not in {LOCK.name}: {', '.join(hashes)}")
    return "\n".join(lines) + "\n"


def constraints(requirements: str) -> str:
    """The versions of a lock without the hashes."""
    entries = (entry.split(" \\\n")[0] for entry in ENTRY.split(requirements.strip()))
    head = "# Written by `make wheel`: pipx install --pip-args='-c …/constraints.txt' filterd"
    return "\n".join([head, *(one for one in entries if not one.startswith("#"))]) + "\n"


def main() -> None:
    """Build all of it, and put it into the folder when it is complete."""
    if len(sys.argv) != 2:
        sys.exit("usage: scripts/wheel.py FOLDER")
    folder = Path(sys.argv[1])
    lock = LOCK.read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="filterd-wheel-") as name:
        work = Path(name)
        os.environ.setdefault("SOURCE_DATE_EPOCH", head_time())
        sdist = source(head(work), work)
        ours = [sdist, wheel(sdist, work)]
        built = built_here(lock, work)
        folder.mkdir(parents=True, exist_ok=True)
        for path in (*ours, *built):
            shutil.copy(path, folder)
            print(folder / path.name)
        text = requirements(lock, ours, built)
        (folder / "requirements.txt").write_text(text, "utf-8")
        (folder / "constraints.txt").write_text(constraints(text), "utf-8")


def head_time() -> str:
    """When HEAD was committed, seconds since 1970: the time of the files in the wheels."""
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
