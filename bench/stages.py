"""What the filters of SMTP stages cost: `python -m bench.stages`.

Two daemons, one with `gtube parts bayes`, one with local lists, DNS lists (asked early),
greylisting, rates and recipients before these, take turns with the same messages, each message
once. Clients, senders and recipients vary, and four hosts in each message's text, some well known,
most seen once: so the resolver's cache has part of the answers. The name server is nsd on this
host; with `--delay` one in front of it that answers so many seconds later.

Prints the rate of each, their ratio in each round, and the CPU time of a message by process.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.contestants import WORKERS
from bench.driver import compiled, drive
from bench.mail import Writer
from bench.processes import tree
from filterd.system.child import python_command
from tests.helpers.process import Program, folder, free_port, listens
from tests.helpers.servers.nsd import Nsd

PARTIES = 50
"""Clients. Each has a sender of its own and four recipients, so there are 200 triplets."""

HOSTS = 20_000
"""In the text of all mail; how often one is named falls with its rank, as with words."""

LINKS = 4
"""Hosts that one message names."""

EACH = 20
"""Messages of one connection."""

WARM_UP = 2 * PARTIES * EACH
"""All triplets come twice, so that they have passed."""

PLAIN = ("gtube", "parts", "bayes")
EARLY = ("locallists", "dnslists", "greylist", "rates", "recipients")

SETTINGS = """\
[daemon]
socket = "unix:{here}/filterd.sock"
spool = "{here}/spool"
log_level = "info"
[workers]
count = {workers}
[quarantine]
folder = "{here}/quarantine"
[chain]
filters = [{filters}]
"""

OF_STAGES = """\
[state]
file = "{here}/state.sqlite3"
[resolver]
nameservers = ["{server}"]
[filters.locallists]
early = true
lists = [
  {{ file = "{here}/clients", about = "client" }},
  {{ file = "{here}/senders", about = "sender", kind = "allow" }},
  {{ file = "{here}/authors", about = "from" }},
  {{ file = "{here}/hosts", about = "url" }},
]
[filters.dnslists]
early = true
lists = [
  {{ zone = "ip.list.example", ask = ["client", "received"], symbol = "IP_LISTED", points = 3 }},
  {{ zone = "good.list.example", ask = ["client"], symbol = "IP_KNOWN", points = -1 }},
  {{ zone = "names.list.example", symbol = "NAME_LISTED", points = 3, ask = [{names}] }},
  {{ zone = "hosts.list.example", ask = ["url", "email"], symbol = "HOST_LISTED", points = 3 }},
]
[filters.greylist]
delay = 1
auto_allow = 0
[filters.rates]
limits = [
  {{ by = "client", most = 1000000 }},
  {{ by = "network", most = 1000000 }},
  {{ by = "sender", most = 1000000 }},
  {{ by = "recipient", most = 1000000 }},
  {{ by = "client", count = "recipients", most = 1000000 }},
]
refused = [{{ by = "client" }}]
[filters.recipients]
domains = ["example.test"]
files = ["{here}/recipients"]
"""

NAMES = ("rdns", "helo", "sender", "dkim", "url", "email")
"""What a list of names is asked about."""

ENTRIES = 2000
"""Of each local list."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=600, help="in one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=4, help="at a time")
    parser.add_argument("--workers", type=int, default=WORKERS, help="0: as the settings have it")
    parser.add_argument(
        "--delay", type=float, default=0.0, help="seconds until a name server answers"
    )
    parser.add_argument("--filters", nargs="*", default=EARLY, help="default: all of them")
    parser.add_argument("--chain", nargs="*", default=PLAIN, help="the filters of both")
    parser.add_argument(
        "--hosts",
        type=int,
        default=HOSTS,
        help="different ones in the text of all mail; 0: each is named once",
    )
    parser.add_argument("--text", type=int, default=0, help="more KiB of text in each message")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        place = stack.enter_context(folder("bench-stages"))
        driver = compiled(place)
        warm_up = WARM_UP if not given.text else 2 * PARTIES
        count = warm_up + given.rounds * given.messages
        files = write(place, count, given.hosts, given.text << 10)
        server = stack.enter_context(name_server(place, given.delay))
        daemons = {}
        for name, filters in (("without", ()), ("with", tuple(given.filters))):
            here = place / name
            here.mkdir()
            chain = (*filters, *given.chain)
            daemons[name] = stack.enter_context(daemon(here, chain, given.workers, server))
        measure(driver, daemons, files, warm_up, given)
    return 0


def measure(
    driver: Path,
    daemons: dict[str, tuple[Path, int]],
    files: Sequence[Path],
    warm_up: int,
    given: argparse.Namespace,
) -> None:
    """Both in turn, with the same messages."""
    load = {"connections": given.connections, "each": EACH, "parties": PARTIES}
    for socket, _pid in daemons.values():
        for _ in range(2):
            drive(driver, socket, files[: warm_up // 2], messages=warm_up // 2, **load)
    before = {name: used(pid) for name, (_socket, pid) in daemons.items()}
    rates: dict[str, list[float]] = {name: [] for name in daemons}
    replies = Counter[str]()
    slowest = dict.fromkeys(daemons, 0.0)
    for number in range(given.rounds):
        some = files[warm_up + number * given.messages :][: given.messages]
        order = list(daemons) if number % 2 else list(daemons)[::-1]
        for name in order:
            run = drive(driver, daemons[name][0], some, messages=given.messages, **load)
            rates[name].append(run.rate)
            replies.update(run.replies)
            slowest[name] = max(slowest[name], run.end[-1])
    ratios = [b / a for a, b in zip(rates["without"], rates["with"], strict=True)]
    print(f"replies {dict(replies)}, {given.connections} connections, delay {given.delay:g} s")
    total = given.rounds * given.messages
    for name, (_socket, pid) in daemons.items():
        after = used(pid)
        cpu = {role: (after[role] - before[name].get(role, 0.0)) * 1000 / total for role in after}
        told = ", ".join(f"{role} {ms:.2f}" for role, ms in cpu.items())
        print(
            f"{name}: {statistics.median(rates[name]):.3g} messages/s, the slowest answer "
            f"{slowest[name]:.0f} ms; "
            f"CPU ms a message {sum(cpu.values()):.2f}: {told}"
        )
    told = " ".join(f"{one:.2f}" for one in ratios)
    print(f"ratio, median {statistics.median(ratios):.2f}: {told}", flush=True)


def used(pid: int) -> dict[str, float]:
    """Seconds of CPU time of a daemon's processes."""
    found: dict[str, float] = {}
    for place, one in enumerate(tree(pid)):
        name = ("daemon", "fork server")[place] if place < 2 else _role(one.pid)
        found[name] = found.get(name, 0.0) + one.seconds
    return found


def _role(pid: int) -> str:
    """A stage process has a thread for each question at a time, a worker its own and a
    resolver's."""
    threads = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208
    return "stage process" if threads > 2 else "workers"


def write(place: Path, count: int, different: int = HOSTS, text: int = 0) -> list[Path]:
    """Messages that name hosts, of so many different ones, or each once. text: octets of text
    beside what all have."""
    there = place / "mail"
    there.mkdir()
    writer, chance = Writer(), random.Random(1)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, different + 1)))
    files = []
    for number in range(count):
        hosts: Sequence[int] = range(LINKS * number, LINKS * (number + 1))
        if different:
            hosts = chance.choices(range(different), cum_weights=weights, k=LINKS)
        links = "".join(f"https://www.host{n}.example/{number}\n" for n in hosts)
        octets = writer.message(number)
        links += writer.text(text) if text else ""
        if number % 5 < 2:
            octets += links.encode()
        else:
            octets = octets.replace(b"\n\n--b", f"\n{links}\n--b".encode(), 2)
        files.append(there / f"{number:05}.eml")
        files[-1].write_bytes(octets)
    return files


@contextmanager
def name_server(place: Path, delay: float) -> Iterator[str]:
    """Its address. One host in fifty is listed, and one client."""
    listed = "".join(f"host{n}.example IN A 127.0.0.2\n" for n in range(25, HOSTS, 50))
    zones = {
        "ip.list.example": "25.2.0.192 IN A 127.0.0.2\n",
        "good.list.example": "25.100.51.198 IN A 127.0.0.2\n",
        "names.list.example": "",
        "hosts.list.example": listed,
    }
    there = place / "zones"
    there.mkdir()
    with ExitStack() as stack:
        nsd = Nsd(there, zones)
        nsd.start()
        stack.callback(nsd.stop)
        if not delay:
            yield nsd.address
            return
        port = free_port()
        command = [sys.executable, "-P", Path(__file__).with_name("slow_name_server.py")]
        process = subprocess.Popen([*command, str(port), str(nsd.port), str(delay)])
        stack.callback(process.wait)
        stack.callback(process.kill)
        yield f"127.0.0.1:{port}"


@contextmanager
def daemon(
    here: Path, chain: Sequence[str], workers: int, server: str
) -> Iterator[tuple[Path, int]]:
    """A running daemon: its socket and process."""
    lists = {
        "clients": (f"10.{n // 256}.{n % 256}.0/24" for n in range(ENTRIES)),
        "senders": (f"friend{n}@known.example" for n in range(ENTRIES)),
        "authors": (f"bad{n}.example" for n in range(ENTRIES)),
        "hosts": (f"worse{n}.example" for n in range(ENTRIES)),
        "recipients": (f"joe{n}@example.test" for n in range(ENTRIES)),
    }
    for name, lines in lists.items():
        (here / name).write_text("".join(f"{line}\n" for line in lines))
    names = ", ".join(f'"{name}"' for name in chain)
    text = SETTINGS.format(here=here, workers=workers, filters=names)
    if not set(EARLY).isdisjoint(chain):
        asked = ", ".join(f'"{name}"' for name in NAMES)
        text += OF_STAGES.format(here=here, server=server, names=asked)
    config = here / "filterd.toml"
    config.write_text(text)
    program = Program([*python_command("filterd", "run", "--config"), config], here)
    socket = here / "filterd.sock"
    program.start(lambda: listens(socket))
    try:
        yield socket, program.pid
    finally:
        program.stop()


if __name__ == "__main__":
    sys.exit(main())
