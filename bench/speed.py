"""Speed and memory of filterd beside other filters, on this machine, one after the other.

For each filter: messages a second, its share of what an empty pymilter filter reaches in the same
run, latency of the whole transaction and of end-of-message, CPU time a message and memory of every
process. All filters see the same messages over the same number of connections.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import contestants, mail
from bench.contestants import Contestant
from bench.driver import NoCompilerError, Run, compiled, drive, percentile
from bench.processes import Usage, tree
from bench.rspamd import CONFIGURATION, rspamd

WARM_UP = 200
"""Messages before the measured ones: imports, caches, the kernel's buffers."""

SHARE_TARGET, END_TARGET_MS, CLAMD_TARGET = 0.45, 25.0, 0.6
"""What filterd is to reach: share of the empty filter without clamd; p99 of end-of-message at four
connections; share of clamav-milter with clamd."""


@dataclass(frozen=True)
class Measured:
    """One filter's figures. cpu_ms: CPU time a message, mib: memory, both by process."""

    name: str
    run: Run
    cpu_ms: dict[str, float]
    mib: dict[str, float]

    def plain(self) -> dict[str, Any]:
        """The figures for JSON."""
        run = self.run
        return {
            "filter": self.name,
            "messages": run.messages,
            "per_second": round(run.rate, 1),
            "transaction_ms": {p: percentile(run.whole, s) for p, s in SHARES.items()},
            "end_of_message_ms": {p: percentile(run.end, s) for p, s in SHARES.items()},
            "replies": dict(run.replies),
            "cpu_ms_per_message": self.cpu_ms,
            "mib": self.mib,
        }


WIDTH = 110
"""Columns that the table needs."""

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def measure(driver: Path, contestant: Contestant, files: Sequence[Path], **load: int) -> Measured:
    """Warm the filter up, then measure it."""
    drive(driver, contestant.socket, files, **{**load, "messages": WARM_UP})
    before = _by_role(contestant)
    run = drive(driver, contestant.socket, files, **load)
    after = _by_role(contestant)
    cpu = {
        role: round((one.seconds - before[role].seconds) * 1000 / run.messages, 3)
        for role, one in after.items()
        if role in before
    }
    return Measured(contestant.name, run, cpu, {role: round(u.mib, 1) for role, u in after.items()})


def _by_role(contestant: Contestant) -> dict[str, Usage]:
    """Every process under a name of its own: `daemon`, `fork server`, `worker 1`, …"""
    found = {}
    for name, pid in contestant.roots:
        processes = tree(pid)
        found[name] = processes[0]
        if name == "daemon" and len(processes) > 1:
            found["fork server"] = processes[1]
            workers = sorted(processes[2:], key=lambda one: one.pid)
            found.update({f"worker {i}": one for i, one in enumerate(workers, 1)})
        elif name == "rspamd":
            found.update({f"process {i}": one for i, one in enumerate(processes[1:], 1)})
    return found


def show(results: Sequence[Measured], skipped: Sequence[str], **load: int) -> None:
    """One table, and what the figures say about the targets."""
    console = Console(width=max(Console().width, WIDTH))
    table = Table(title=f"{load['messages']} messages, {load['connections']} connections at a time")
    for heading in ("filter", "msg/s", "of null", "transaction ms", "end of message ms"):
        table.add_column(heading, justify="left" if heading == "filter" else "right")
    table.add_column("CPU ms a message · resident MiB")
    base = results[0].run.rate
    for one in results:
        run, cpu = one.run, one.cpu_ms
        table.add_row(
            one.name,
            f"{run.rate:.0f}",
            f"{run.rate / base:.2f}",
            f"{percentile(run.whole, 0.5):.1f} / {percentile(run.whole, 0.99):.1f}",
            f"{percentile(run.end, 0.5):.1f} / {percentile(run.end, 0.99):.1f}",
            "\n".join(f"{role}: {cpu.get(role, 0):.2f} · {m:.0f}" for role, m in one.mib.items()),
        )
        if broken := run.replies["-"]:
            skipped = [*skipped, f"{one.name}: {broken} connections broke"]
    console.print(table)
    console.print("latencies: p50 / p99; memory counts pages that processes share in each of them")
    for line in [*judged(results), *skipped]:
        console.print(line)


def judged(results: Sequence[Measured]) -> list[str]:
    """Figures against their targets, a line each."""
    by_name = {one.name: one.run for one in results}
    null = results[0].run
    lines = []
    ours = [run for name, run in by_name.items() if name.startswith("filterd")]
    share, slow = ours[0].rate / null.rate, percentile(ours[0].end, 0.99)
    lines.append(
        _judge(f"share of the null filter {share:.2f}", share >= SHARE_TARGET, SHARE_TARGET)
    )
    lines.append(
        _judge(f"p99 of end-of-message {slow:.1f} ms", slow < END_TARGET_MS, END_TARGET_MS)
    )
    if len(ours) > 1 and "clamav-milter" in by_name:
        share = ours[1].rate / by_name["clamav-milter"].rate
        text = f"with clamd, share of clamav-milter {share:.2f}"
        lines.append(_judge(text, share >= CLAMD_TARGET, CLAMD_TARGET))
    return lines


def _judge(text: str, good: bool, target: float) -> str:
    return f"{'reached' if good else 'NOT reached'}: {text} (target {target:g})"


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m bench`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--messages", type=int, default=4000, help="messages for each filter")
    parser.add_argument("--connections", type=int, default=4, help="connections at a time")
    parser.add_argument("--each", type=int, default=20, help="messages a connection, 0: no limit")
    parser.add_argument("--mail", type=Path, help="folder of messages to send; default: made ones")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    load = {name: getattr(options, name) for name in ("messages", "connections", "each")}
    with tempfile.TemporaryDirectory(prefix="filterd-bench-") as name:
        folder = Path(name)
        try:
            driver = compiled(folder)
        except NoCompilerError as error:
            sys.stderr.write(f"bench: {error}\n")
            return 69
        (folder / "mail").mkdir()
        files = mail.write(folder / "mail")
        if options.mail is not None:
            files = sorted(path for path in options.mail.iterdir() if path.is_file())
        results, skipped = _measure_all(folder, driver, files, load)
    if options.json:
        print(json.dumps([one.plain() for one in results], indent=1))
    else:
        show(results, skipped, **load)
    return 0


def _measure_all(
    folder: Path, driver: Path, files: Sequence[Path], load: dict[str, int]
) -> tuple[list[Measured], list[str]]:
    results, skipped = [], []

    def take(
        name: str, start: Callable[..., AbstractContextManager[Contestant]], *rest: Any, **more: Any
    ) -> None:
        place = folder / name
        place.mkdir()
        with start(place, *rest, **more) as contestant:
            results.append(measure(driver, contestant, files, **load))

    take("null", contestants.null)
    take("filterd", contestants.filterd)
    missing = [p for p in ("clamd", "clamav-milter") if shutil.which(p, path=_PATH) is None]
    with ExitStack() as stack:
        if "clamd" not in missing:
            (folder / "clamd").mkdir()
            clamd = stack.enter_context(contestants.clamd(folder / "clamd"))
            take("filterd-clamd", contestants.filterd, clamd=clamd)
            if "clamav-milter" not in missing:
                take("clamav-milter", contestants.clamav_milter, clamd)
    if shutil.which("rspamd", path=_PATH) is None or not CONFIGURATION.exists():
        missing.append("rspamd")
    else:
        take("rspamd", rspamd)
    take("filterd-empty", contestants.filterd, ())
    skipped += [f"left out, not installed: {program}" for program in missing]
    return results, skipped


_PATH = "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin"
