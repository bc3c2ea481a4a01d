"""Runs SpamAssassin's tests and counts their checks (TAP, Test::Harness)."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filterd.system.child import python_command

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

TIME_LIMIT = 600
"""Seconds for one test."""

TESTS = (
    "basic_lint basic_lint_without_plugins basic_meta basic_meta2 body_mod body_str cidrs"
    " config_text config_tree_recurse date enable_compat freemail freemail_welcome_block"
    " fromnamespoof get_headers gtube header header_utf8 html_colors html_obfu html_utf8"
    " html_visibility idn_dots if_can if_else ifversion ip_addrs lang_lint lang_pl_tests"
    " lint_nocreate_prefs mimeheader mimeparse missing_hb_separator nonspam olevbmacro"
    " originating_ip_hdr pdfinfo phishing prefs_include rcvd_parser recips recursion"
    " regexp_named_capture regexp_valid relative_scores rule_multiple rule_types spam"
    " stop_always_matching_regexps text_bad_ctype timeout trust_path uri uri_html"
    " uri_saferedirect uri_text uridetail utf16 utf8 welcomelist_addrs welcomelist_from"
    " welcomelist_subject welcomelist_to whitelist_addrs whitelist_from whitelist_subject"
    " whitelist_to wlbl_uri"
).split()
"""Those about rules and the text that they see, without a network."""

OTHERS = {
    "re_base_extraction": "what SpamAssassin keeps in memory when it compiles patterns to C",
    "priorities": "what SpamAssassin keeps in memory of the order of rules",
    "rule_names": "that no rule of SpamAssassin's is named twice in its sources",
    "get_all_headers metadata plugin plugin_file plugin_priorities": "load a plugin in Perl",
    "authres uri_list": "look at what SpamAssassin writes while debugging",
    "desc_wrap line_endings report_safe reportheader reportheader_8bit": "what it writes into mail",
    "strip2 strip_no_subject stripmarkup": "what it takes out of mail again",
    "all_modules check_implemented sha1 util_wrap memory_cycles": "SpamAssassin's own Perl code",
    "arc askdns decodeshorturl dkim dmarc dnsbl dnsbl_subtests hashbl redirectors spf uribl"
    " uribl_all_types": "need the network",
    "extracttext relaycountry urilocalbl": "need programs or databases that are not here",
}
"""Tests that might be expected here, and why they are not."""

CHANGES = {"trust_path": ('die "Dying on first test failure."', 'print "a failure"')}
"""What is changed in the tests: the rest of a test is played after a failure."""

_CHECK = re.compile(r"^(not )?ok (\d+)(.*)", re.MULTILINE)
_PLAN = re.compile(r"^1\.\.(\d+)(.*)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What became of one test. planned: checks that it has; failed: numbers and names of those that
    did not pass, not run counted; skipped: why the whole test, or how many checks, were."""

    planned: int
    passed: int
    skipped: int
    why: str
    failed: tuple[str, ...]


def outcome_of(output: str) -> Outcome:
    """What a test printed."""
    plan = _PLAN.search(output)
    planned = int(plan[1]) if plan is not None else 0
    why = plan[2].strip(" #") if plan is not None else "no plan"
    passed, skipped, failed = 0, 0, []
    for match in _CHECK.finditer(output):
        if match[1]:
            failed.append(f"{match[2]}{match[3]}")
        elif "# skip" in match[3]:
            skipped += 1
        else:
            passed += 1
    missing = planned - passed - skipped - len(failed)
    if missing > 0:
        failed.append(f"{missing} not run")
    return Outcome(planned, passed, skipped, why, tuple(failed))


def _prepared(checkout: Path, work: Path) -> None:
    """The tests and rules in a folder of their own: they write into it. Where SpamAssassin's built
    modules would be, ours are."""
    for name in ("t", "rules"):
        shutil.copytree(checkout / name, work / name, symlinks=True)
    shutil.copytree(HERE / "perl", work / "blib" / "lib")
    for name, (text, other) in CHANGES.items():
        path = work / "t" / f"{name}.t"
        if path.exists():
            path.write_text(path.read_text("latin-1").replace(text, other), "latin-1")


def run(checkout: Path, names: list[str]) -> Iterator[tuple[str, Outcome, str]]:
    """Run tests: name, outcome, output."""
    with tempfile.TemporaryDirectory(prefix="rules-suite-") as folder:
        work = Path(folder)
        _prepared(checkout, work)
        command = python_command("bench.rules_suite.program")
        interpreter = command[0]
        environment = os.environ | {
            "RULES_SUITE_PYTHON": interpreter,
            "PYTHONPATH": str(ROOT),
            "SPAMASSASSIN_SCRIPT": shlex.join(command),
            "LC_ALL": "C.UTF-8",
        }
        for name in names:
            command = ["perl", "-T", f"t/{name}.t"]
            try:
                done = subprocess.run(
                    command,
                    cwd=work,
                    env=environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=TIME_LIMIT,
                    check=False,
                )
                output = done.stdout.decode("utf-8", "replace")
            except subprocess.TimeoutExpired as error:
                output = (error.stdout or b"").decode("utf-8", "replace")
            yield name, outcome_of(output), output


def main(arguments: list[str]) -> int:
    """Run the tests; 0 if all checks pass."""
    if not arguments:
        print(__doc__, "expected the folder of a checkout of SpamAssassin", file=sys.stderr)
        return 2
    wants_output = "-v" in arguments
    folder, *names = [word for word in arguments if word != "-v"]
    passed = planned = failing = 0
    for name, found, output in run(Path(folder), names or list(TESTS)):
        passed += found.passed
        planned += found.planned - found.skipped
        failing += bool(found.failed)
        state = "ok" if not found.failed and found.planned else found.why or "not all"
        skipped = f", {found.skipped} skipped" if found.skipped else ""
        print(f"{name:32} {found.passed:4} of {found.planned:4}{skipped}  {state}", flush=True)
        for line in found.failed[:10]:
            print(f"    {line}")
        if wants_output:
            print(output)
    print(f"{passed} of {planned} checks pass; {failing} tests have some that do not")
    return 1 if failing else 0
