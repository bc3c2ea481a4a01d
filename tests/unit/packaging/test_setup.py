"""`make demo` and `make test` where things are missing, half made or somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[3]

VARIABLES = {
    "MAIL": "demo",
    "PYTHON": "demo",
    "PYTEST_ARGS": "test",
    "BENCH_ARGS": "bench",
    "BIN": "demo",
    "VENV": "demo",
    "FUZZ_SECONDS": "fuzz",
    "FUZZ_ARGS": "fuzz",
    "CORPUS": "model",
    "ABOUT": "model",
    "DEB": "deb",
    "DIST": "wheel",
}
"""Every variable of the Makefile, and a target that uses it."""


def printed(target: str, *arguments: str, **environment: str) -> str:
    """What `make` would run."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", target, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("name", "target"), VARIABLES.items())
def test_the_environment_says_nothing_to_make(name: str, target: str) -> None:
    """A login has $MAIL, and other programs have a $PYTHON or $CORPUS of their own."""
    assert "/var/mail/root" not in printed(target, **{name: "/var/mail/root"})


@pytest.mark.parametrize(
    ("name", "target"), [item for item in VARIABLES.items() if item[0] not in ("PYTHON", "BIN")]
)
def test_the_command_line_does(name: str, target: str) -> None:
    assert "/var/mail/root" in printed(target, "CORPUS=/x", f"{name}=/var/mail/root")


def test_a_path_may_have_blanks_and_quotes() -> None:
    asked = printed("demo", "MAIL=/home/o'neil/my mail")
    (line,) = (line for line in asked.splitlines() if "--mail" in line)
    said = subprocess.run(
        ["bash", "-c", f"printf '%s|' {line.partition(' ')[2]}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "demo|--mail|/home/o'neil/my mail|"


# --- system packages ---------------------------------------------------------------------------


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def without_root(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    """setup-system.sh base by somebody who is not root, with that Python."""
    (folder / "bin").mkdir(exist_ok=True)
    program(folder / "bin/id", "#!/bin/sh\necho 1000\n")
    return subprocess.run(
        [ROOT / "scripts/setup-system.sh", "base"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", "PYTHON": python},
    )


def test_without_root_what_is_missing_is_named_and_nothing_else_is_tried(tmp_path: Path) -> None:
    done = without_root(tmp_path, str(program(tmp_path / "python", "#!/bin/sh\nexit 1\n")))
    assert done.returncode == 1
    assert "python3-venv python3-dev" in done.stderr
    assert "run: sudo apt-get install" in done.stderr


def test_once_it_is_installed_the_same_command_goes_on(tmp_path: Path) -> None:
    test_without_root_what_is_missing_is_named_and_nothing_else_is_tried(tmp_path)
    done = without_root(tmp_path, sys.executable)
    assert "python3-venv" not in done.stderr
    assert done.returncode == 0, done.stderr


# --- the virtual environment -------------------------------------------------------------------

PIP = """\
import os, sys
print("pip", *sys.argv[1:])
if sys.argv[-1] == ".":
    open("filterd/bayes/model/_kernel.abi.so", "w").close()
sys.exit(os.path.exists("no-network"))
"""

PYTHON = """\
#!/bin/sh
# Makes environments with a pip that only says what it was asked for.
case "$*" in
  "-m venv "*)
    echo "making $3"
    "{python}" -m venv --without-pip "$3" || exit
    [ ! -e no-pip ] || exit 1
    mkdir "$3/{packages}/pip"
    cp pip.py "$3/{packages}/pip/__main__.py"
    ;;
  *) exec "{python}" "$@" ;;
esac
"""


class Checkout:
    """A folder with the script and small locks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("scripts", "requirements", "filterd/bayes/model"):
            (folder / name).mkdir(parents=True)
        shutil.copy(ROOT / "scripts/setup-python.sh", folder / "scripts")
        for name in ("product.txt", "test.txt", "build.txt"):
            (folder / "requirements" / name).write_text("one\n")
        for name in ("pyproject.toml", "filterd/bayes/model/_kernel.c"):
            (folder / name).touch()
        (folder / "pip.py").write_text(PIP)
        packages = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        program(folder / "python", PYTHON.format(python=sys.executable, packages=packages))

    def setup(self, level: str = "product") -> tuple[int, list[str]]:
        """Exit status, and what was made and installed."""
        done = subprocess.run(
            ["scripts/setup-python.sh", level],
            cwd=self.folder,
            env={**os.environ, "PYTHON": "./python"},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        return done.returncode, [
            line.split()[-1] for line in lines if line.startswith(("pip", "making"))
        ]


WHOLE = (0, [".venv", "requirements/build.txt", "requirements/product.txt", "."])
AGAIN = (0, WHOLE[1][1:])
NOTHING: tuple[int, list[str]] = (0, [])


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_what_is_up_to_date_is_left_alone(checkout: Checkout) -> None:
    assert checkout.setup() == WHOLE
    assert checkout.setup() == NOTHING


def test_an_environment_that_was_half_made_is_made_anew(checkout: Checkout) -> None:
    (checkout.folder / "no-pip").touch()
    assert checkout.setup() == (1, [".venv"])
    assert (checkout.folder / ".venv/bin/python").exists()
    (checkout.folder / "no-pip").unlink()
    assert checkout.setup() == WHOLE


def test_an_install_that_was_cut_short_is_repeated(checkout: Checkout) -> None:
    (checkout.folder / "no-network").touch()
    assert checkout.setup() == (1, [".venv", "requirements/build.txt"])
    (checkout.folder / "no-network").unlink()
    assert checkout.setup() == AGAIN


@pytest.mark.parametrize(
    "file", ["requirements/product.txt", "requirements/build.txt", "pyproject.toml"]
)
def test_other_packages_are_installed(checkout: Checkout, file: str) -> None:
    checkout.setup()
    (checkout.folder / file).write_text("two\n")
    assert checkout.setup() == AGAIN
    assert checkout.setup() == NOTHING


def test_a_kernel_that_was_cleaned_away_is_built_again(checkout: Checkout) -> None:
    checkout.setup()
    (built,) = checkout.folder.glob("filterd/bayes/model/_kernel.*.so")
    built.unlink()
    assert checkout.setup() == AGAIN
    assert checkout.setup() == NOTHING


def test_a_folder_that_was_moved_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    assert checkout.setup() == WHOLE


def test_the_tests_need_more_than_the_product(checkout: Checkout) -> None:
    checkout.setup()
    assert checkout.setup("test")[1][1] == "requirements/test.txt"
    assert checkout.setup("test") == NOTHING
    assert checkout.setup("product") == NOTHING


def test_nothing_is_installed_without_a_hash(checkout: Checkout) -> None:
    script = (ROOT / "scripts/setup-python.sh").read_text()
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in script.splitlines() if line.startswith("pip install")]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line
    assert makefile.count("pip install") == makefile.count("--require-hashes") == 1
