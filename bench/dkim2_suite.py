"""The DKIM2 messages of mail-auth, run from where they are through `verify_dkim2`.

    python -m bench.dkim2_suite FOLDER

FOLDER is where that project was cloned to (https://github.com/stalwartlabs/mail-auth). Prints what
differs from what its `resources/dkim2/cases.json` expects, and how many end as they do; the status
is 1 if one ends otherwise than is explained here.

Seven cases are of an older draft, whose mf= and rt= had no angle brackets ("strict" is false): the
way of these must fail. What is besides it (the signatures, and the hashes of all instances, made by
their recipes) is run apart, with Received-SPF in the hash of the header as before draft 05; that
must verify.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from bench.dkim_suite import crlf
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.errors import DkimError
from filterd.auth.dkim2 import unsigned
from filterd.auth.dkim2.chain import Dkim2Chain
from filterd.auth.dkim2.content import check_content
from filterd.auth.dkim2.verify import check_signatures, verify_dkim2
from filterd.message import Envelope, Message, Recipient
from tests.helpers.zones import Zones

SIGNED_AT = 1_782_394_396.0
"""When the message of the one case was signed that says no time."""


class Case(NamedTuple):
    """One message. strict: False for those of the older draft. now: seconds since 1970."""

    name: str
    message: Message
    expected: str
    strict: bool
    now: float


def cases(folder: Path) -> Iterator[Case]:
    """Those of the list."""
    for case in json.loads((folder / "cases.json").read_bytes()):
        recipients = tuple(Recipient(bare(one)) for one in case["rcpt_to"])
        envelope = Envelope(bare(case["mail_from"]), recipients)
        message = Message(crlf((folder / "expected" / case["file"]).read_bytes()), envelope)
        now = float(case["now"]) or SIGNED_AT
        yield Case(case["name"], message, case["expected"], case["strict"], now)


def bare(path: str) -> str:
    """A path without angle brackets, as an envelope has it."""
    return path.removeprefix("<").removesuffix(">")


def zones(folder: Path) -> Zones:
    """A name server with the keys."""
    found: dict[str, dict[str, list[bytes]]] = {}
    domains: dict[str, dict[str, Any]] = json.loads((folder / "dns.json").read_bytes())
    for domain, selectors in domains.items():
        for selector, records in selectors.items():
            texts = [text.encode() for kind, text in records if kind == "txt"]
            found[f"{selector}.{domain}"] = {"TXT": texts}
    return Zones(found)


def beside_the_way(case: Case, server: Zones) -> str:
    """Signatures and content, without the way."""
    try:
        chain = Dkim2Chain.of(case.message)
        if chain is None:
            return "none"
        chain.check_times(case.now)
        with patch.object(unsigned, "UNSIGNED_BEGINNINGS", ("x-",)):
            check_content(case.message, chain.instances, CanonicalBody.of(case.message))
        check_signatures(chain, server)
    except DkimError as error:
        return f"{error.result}: {error.reason}"
    hosts, instances = len(chain.signatures), len(chain.instances)
    return f"pass ({hosts} signatures, {instances} instances)"


def main() -> int:
    """Run them; 1 where something is not explained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder / "resources/dkim2"
    server, equal, explained, wrong = zones(folder), 0, 0, 0
    for case in cases(folder):
        check = verify_dkim2(case.message, server, now=case.now)
        found = f"{check.result}: {check.reason}" if check.reason else str(check.result)
        if check.result == case.expected:
            equal += 1
            continue
        apart = "" if case.strict else beside_the_way(case, server)
        is_right = apart.startswith("pass") and "without angle brackets" in check.reason
        why = f"an older draft; beside its way: {apart}" if apart else "NOT EXPLAINED"
        explained, wrong = explained + is_right, wrong + (not is_right)
        print(f"{case.name}: {case.expected} expected, {found} [{why}]")
    total = equal + explained + wrong
    print(f"{total} cases: {equal} as expected, {explained} explained, {wrong} not")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
