"""filterd's classifier beside bogofilter, CRM114 and scikit-learn's naive Bayes, in one run.

    python -m bench.accuracy_peers CORPUS... [--shuffle SEED] [--peers bogofilter,crm114,nb]

Every contestant sees the same octets in the same order with immediate feedback: mbox lines and the
header fields that tell of a former verdict are taken out for all. bogofilter (Debian's 1.2.5)
trains on everything with its defaults; CRM114 is OSBF, unique, microgroomed, trained on errors and
near errors (|pR| < 10), as its authors recommend. Contestants that are not installed are left out,
saying so. Prints a Markdown table per corpus.
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from filterd.bayes.lab.baselines import NAMES, Baseline
from filterd.bayes.lab.evaluate import EvaluationPlan, Examined, Ours, run
from filterd.bayes.lab.measures import Measures
from filterd.bayes.lab.train import Source, labelled_items, no_progress
from filterd.bayes.model.leaks import is_leak
from filterd.bayes.model.online import OnlineModel
from filterd.mailfiles.items import MailItem
from filterd.message import Message

SALT = b"filterd evaluate"
NEAR_ERROR = 10.0  # CRM114's pR below which it learns


def clean(data: bytes) -> bytes:
    """The message without header fields that tell of a former verdict or delivery."""
    message = Message(data)
    start = 0
    kept = []
    for field in message.header_fields:
        if is_leak(field.name.lower()):
            kept.append(data[start : field.start])
            start = field.end
    return b"".join(kept) + data[start:]


class Bogofilter:
    """One bogofilter database; every call is a process."""

    def __init__(self, folder: Path) -> None:
        self._command = ["bogofilter", "-d", str(folder)]
        self._started = False

    def read(self, data: bytes) -> object:
        return data

    def score(self, seen: object) -> float:
        if not self._started:
            return 0.0
        assert isinstance(seen, bytes)
        out = subprocess.run([*self._command, "-TT"], input=seen, capture_output=True, check=False)
        p = min(max(float(out.stdout), 1e-16), 1.0 - 1e-16)
        return math.log(p / (1.0 - p))

    def learn(self, seen: object, spam: bool) -> None:
        assert isinstance(seen, bytes)
        subprocess.run([*self._command, "-s" if spam else "-n"], input=seen, check=True)
        self._started = True


class Crm114:
    """Two CRM114 OSBF files; every call is a process."""

    _HOW = "<osbf unique microgroom>"
    _TOKEN = "/[[:graph:]]+/"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("spam", "ham"):
            self._run(f"-{{ learn {self._HOW} ({name}.css) {self._TOKEN} }}", b"")
        self._last = (b"", 0.0)

    def _run(self, program: str, data: bytes) -> str:
        done = subprocess.run(
            ["crm", program], input=data, capture_output=True, check=False, cwd=self._folder
        )
        return done.stdout.decode("latin-1")

    def read(self, data: bytes) -> object:
        return data

    def score(self, seen: object) -> float:
        assert isinstance(seen, bytes)
        told = self._run(
            f"-{{ isolate (:s:) {{ classify {self._HOW} (spam.css | ham.css) (:s:) "
            f"{self._TOKEN} }} output /:*:s:/ }}",
            seen,
        )
        pr = float(told.partition("pR:")[2].split()[0]) if "pR:" in told else 0.0
        self._last = (seen, pr)
        return pr * math.log(10.0)

    def learn(self, seen: object, spam: bool) -> None:
        assert isinstance(seen, bytes)
        if self._last[0] is not seen:
            self.score(seen)
        pr = self._last[1]
        if (pr if spam else -pr) < NEAR_ERROR:
            name = "spam" if spam else "ham"
            self._run(f"-{{ learn {self._HOW} ({name}.css) {self._TOKEN} }}", seen)


def contestants(names: list[str], stack: ExitStack) -> dict[str, Examined]:
    """The contestants that are installed, each fresh."""
    programs: dict[str, tuple[str, Callable[[Path], Examined]]] = {
        "bogofilter": ("bogofilter", Bogofilter),
        "crm114": ("crm", Crm114),
    }
    found: dict[str, Examined] = {"filterd": Ours(OnlineModel.empty(), SALT)}
    for name in names:
        if name in NAMES:
            found[name] = Baseline(name)
        elif shutil.which(programs[name][0]):
            found[name] = programs[name][1](
                Path(stack.enter_context(tempfile.TemporaryDirectory()))
            )
        else:
            sys.stderr.write(f"{name} is not installed and left out\n")
    return found


def row(name: str, found: Measures) -> str:
    """One line of the table."""
    hm = "/".join(f"{value:.2f}" for value in found.hm_at_sm.values())
    at = found.thresholds[0]
    return (
        f"| {name} | {found.roca.value:.4f} ({found.roca.low:.3f}-{found.roca.high:.3f}) | {hm} "
        f"| {found.sm_at_hm:.2f} | {at.hm:.2f}/{at.sm:.2f} | {found.lam:.3f} | {found.brier:.4f} "
        f"| {found.ece:.4f} |"
    )


def main() -> None:
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--shuffle", type=int)
    parser.add_argument("--peers", default="bogofilter,crm114,nb")
    arguments = parser.parse_args()
    for corpus in arguments.corpora:
        order = (
            "index order" if arguments.shuffle is None else f"shuffled, seed {arguments.shuffle}"
        )
        with ExitStack() as stack:
            items, _ = labelled_items([Source(corpus)], stack)
            if arguments.shuffle is not None:
                EvaluationPlan(shuffle=arguments.shuffle).order(items)
            items = [MailItem(i.label, i.name, lambda i=i: clean(i.read())) for i in items]  # type: ignore[misc]
            print(f"\n{Path(corpus).name}, {len(items)} messages, {order}\n")
            print(
                "| filter | (1-ROCA)% | hm%@sm% .1/.5/1 | sm%@hm% .1 | hm/sm% at .5 | lam% "
                "| Brier | ECE |"
            )
            print("|---|---|---|---|---|---|---|---|")
            for name, examined in contestants(arguments.peers.split(","), stack).items():
                done = run(items, EvaluationPlan(), examined, no_progress)
                print(row(name, done.measures()), flush=True)


if __name__ == "__main__":
    main()
