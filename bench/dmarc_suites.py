"""The DMARC tests of other projects, as far as they are tables: read from their own files, and run
through `filterd.auth.dmarc`.

    python -m bench.dmarc_suites FILE ...

Files, known by their names: mail-dmarc `t/04.PurePerl.t`; mail-auth `src/dmarc/verify.rs` and
`src/dmarc/parse.rs`; checkdmarc `tests/test_dmarc.py`; OpenDMARC `libopendmarc/tests/`
`test_dmarc_parse.c`, `test_alignment.c`, `test_finddomain.c`. Prints each difference with the
reason that is known for it; the status is 1 where one has none.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from filterd.auth.dmarc import (
    DmarcRecord,
    author_domains,
    check_dmarc,
    organizational_domain,
    walk,
)
from filterd.message.authentication import AuthResult, DkimCheck, SpfCheck
from filterd.message.message import Message
from filterd.resolver.answer import Record
from tests.helpers.zones import Zones

Zone = dict[str, dict[str, list[Record]]]

FIRST_DOMAIN = "several author domains: all of them are checked, not the first one (RFC 9989 §11.5)"
DEFAULTS = "a damaged tag has its default, the record is used (RFC 9989 §4.8)"
IGNORED = "a tag that RFC 9989 does not know is ignored, whatever it says (§4.7)"
NO_POLICY = "no p and no rua: DMARC is not applied (RFC 9989 §4.10.1), not p=none"
BOTH = "fo: 0 and 1 exclude each other (RFC 9989 §4.7), the tag is damaged"
ABBREVIATED = '"n" is not a valid policy (RFC 9989 §4.8)'
URI_BLANKS = "a URI must not contain blanks (RFC 9989 §4.8), so it is left out"


class Case(NamedTuple):
    """One line of a table. known: why the outcome may differ from what that project expects."""

    name: str
    expected: object
    found: object
    known: str = ""


def _message(author: str) -> Message:
    return Message(f"From: {author}\r\n\r\n".encode())


def _published(text: str, name: str = "mx.example") -> Zone:
    return {f"_dmarc.{name}": {"TXT": [text.encode()]}}


def mail_dmarc(text: str) -> Iterator[Case]:
    """Zones, From fields, organizational domains, the policies that apply."""
    zone: Zone = {}
    for name, kind, value in re.findall(r"(?m)^'(\S+)\.\s+600 (TXT|MX)\s+(.*?)'\s*,$", text):
        record: Record = value.strip().strip('"').encode() if kind == "TXT" else value
        zone.setdefault(name, {}).setdefault(kind, []).append(record)
    for value, domain in re.findall(
        r"(?m)^\s+'(.*?)'\s+=> '(.*?)',$", _part(text, "get_test_headers")
    ):
        found = author_domains(_message(value.removeprefix("From: "))).domains
        yield Case(value, domain, found[0] if len(found) == 1 else "")
    part = _part(text, "test_get_organizational_domain")
    for domain, expected in re.findall(r"(?m)^\s+'(\S+)'\s+=> '(\S+)',$", part):
        yield Case(domain, expected, organizational_domain(domain, Zones(zone)))
    walks = re.findall(
        r"tree_walk\('(\S+)'\)(?:(?!tree_walk\().)*?is\( \$org, '(\S+?)'",
        _part(text, "test_tree_walk"),
        re.S,
    )
    for domain, expected in walks:
        yield Case(domain, expected, walk(domain, Zones(zone)).organizational)
    rows = re.findall(r"\[ '(\S+)',\s+'(\S+)',\s+'(.*?)' \]", _part(text, "test_validate_np_tag"))
    for domain, expected, name in rows:
        yield Case(name, expected, _disposition(zone, domain))
    yield Case("t=y", "quarantine", _disposition(zone, "ttest.dmarctest.net"))
    for domain, expected in re.findall(r"'(invalid-sp\S+)'\s+=> '(\S+)'", text):
        check = check_dmarc(
            _message(f"a@{domain}"), SpfCheck(AuthResult.PASS, domain), (), Zones(zone)
        )
        result = "none" if check.result is AuthResult.PERMERROR else check.result.value
        yield Case(domain, expected, result)
    check = check_dmarc(_message("a@sub.psd.dmarctest.net"), None, (), Zones(zone))
    yield Case("psd=y alone", "fail", check.result.value, NO_POLICY)


def _disposition(zone: Zone, domain: str) -> str:
    check = check_dmarc(_message(f"a@{domain}"), None, (), Zones(zone))
    wish = check.policy.value if check.policy else "none"
    return {"reject": "quarantine"}.get(wish, "none") if check.testing else wish


def _part(text: str, name: str) -> str:
    begin = text.index(f"sub {name} {{")
    return text[begin : text.index("\n}\n", begin)]


def mail_auth_verify(text: str) -> Iterator[Case]:
    """Alignment and the policy that applies."""
    rows = re.findall(
        r'"(_dmarc\.\S+)\.",\s+"(v=DMARC1.*?)",\s+"From: (\S+?)\\r\\n.*?",\s+"(\S+)",\s+"(\S+)",'
        r"\s+DkimResult::(\w+).*?,\s+SpfResult::(\w+),\s+DmarcResult::(\w+).*?,"
        r"\s+DmarcResult::(\w+).*?,\s+Policy::(\w+),",
        text,
    )
    for name, record, author, sender, signer, dkim, spf, by_dkim, by_spf, policy in rows:
        check = check_dmarc(
            _message(author),
            SpfCheck(AuthResult(spf.lower()), sender),
            [DkimCheck(AuthResult(dkim.lower()), signer)],
            Zones({name: {"TXT": [record.encode()]}}),
        )
        yield Case(
            f"{record}: {author}, {sender}, {signer}",
            (by_dkim == "Pass", by_spf == "Pass", policy.lower()),
            (check.dkim_aligned, check.spf_aligned, check.policy and check.policy.value),
        )
    for part in text.split("DummyCaches::new()")[1:]:
        zone: Zone = {
            name: {"TXT": [record.encode()]}
            for name, record in re.findall(
                r'txt_add\(\s*"(\S+)\.",\s*Dmarc::parse\(b"(.*?)"\)', part
            )
        }
        zone |= {name: {"A": ["127.0.0.1"]} for name in re.findall(r'ipv4_add\("(\S+)\."', part)}
        wanted = re.search(
            r'policy_of\(\s*&resolver,\s*&caches,\s*"(\S+?)",?\s*\)\s*\.await,\s*Policy::(\w+)',
            part,
        )
        if wanted:
            check = check_dmarc(_message(wanted[1]), None, (), Zones(zone))
            yield Case(wanted[1], wanted[2].lower(), check.policy and check.policy.value)
        wanted = re.search(
            r'verify_aligned\(\s*&resolver,\s*&caches,\s*"(\S+?)",\s*"(\S+?)",\s*\)\s*\.await;'
            r"\s*assert_eq!\(result.spf_result\(\), &DmarcResult::(\w+)",
            part,
        )
        if wanted:
            spf = SpfCheck(AuthResult.PASS, wanted[2])
            found = check_dmarc(_message(wanted[1]), spf, (), Zones(zone)).spf_aligned
            yield Case(f"{wanted[1]}, {wanted[2]}", wanted[3] == "Pass", found)


def mail_auth_parse(text: str) -> Iterator[Case]:
    """Records, tag by tag."""
    rows = re.findall(
        r'\(\s*((?:concat!\()?(?:\s*"v=DMARC1.*?"[,\s]*(?:".*?"[,\s]*)*)\)?,?)\s*'
        r"Dmarc \{(.*?)\n {16}\}",
        text,
        re.S,
    )
    for quoted, values in rows:
        record = "".join(re.findall(r'"(.*?)"', quoted))
        expected = {
            name: value.lower()
            for name, value in re.findall(
                r"(?m)^\s+(adkim|aspf|np|p|sp|psd|t): (?:\w+::)?(\w+),$", values
            )
        }
        expected["rua"] = " ".join(
            re.findall(r'"(\S+?)"', values[values.index("rua: vec![") :].split("]")[0])
        )
        found = DmarcRecord.parse(record)
        assert found is not None
        policies = {
            "p": found.policy(),
            "sp": found.policy(subdomain=True),
            "np": found.policy(subdomain=True, exists=False),
        }
        got = {name: value.value if value else "" for name, value in policies.items()}
        got |= {
            name: {"r": "relaxed", "s": "strict"}[getattr(found, name)]
            for name in ("adkim", "aspf")
        }
        got["psd"] = {"u": "default", "y": "yes", "n": "no"}[found.psd]
        got["t"] = str(found.testing).lower()
        got["rua"] = " ".join(one.address for one in found.rua)
        yield Case(record, expected, got, URI_BLANKS if "! 2G" in record else "")


def checkdmarc(text: str) -> Iterator[Case]:
    """Which records are in order, of the tests that parse one."""
    for function in ast.walk(ast.parse(text)):
        if not isinstance(function, ast.FunctionDef):
            continue
        source = ast.unparse(function)
        if "parse_dmarc_record" not in source or "mock" in source or "{" in source:
            continue
        is_refused = "assertRaises" in source
        texts = [
            one.value
            for one in ast.walk(function)
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        for record in (one for one in texts if re.match(r"[vV]\s*=\s*DMARC1", one)):
            parsed = DmarcRecord.parse(record)
            yield Case(
                f"{function.name}: {record}",
                not is_refused,
                parsed is not None and parsed.is_usable and not parsed.damaged,
                BOTH if "fo=0:1" in record else "",
            )


def opendmarc_parse(text: str) -> Iterator[Case]:
    """Which records are in order."""
    for record, outcome in re.findall(r'\{"(.*?)",\s*(DMARC_PARSE_\w+)\}', text):
        found = DmarcRecord.parse(record)
        known = DEFAULTS
        if re.search(r"; (rf|ri|pct)=", record):
            known = IGNORED
        elif "p=n;" in record:
            known = ABBREVIATED
        yield Case(
            record, outcome == "DMARC_PARSE_OKAY", found is not None and found.is_usable, known
        )


def opendmarc_alignment(text: str) -> Iterator[Case]:
    """Two domains, in a world where the last two labels of the second one have a record."""
    rows = re.findall(r'\{"(\S+)",\s*"(\S+)",\s*DMARC_RECORD_A_(\w+),\s*(-?\d)\}', text)
    for author, signer, mode, outcome in rows:
        record = f"v=DMARC1; p=reject; adkim={mode[0].lower()}"
        zone = _published(record, ".".join([*filter(None, author.split("."))][-2:]))
        dkim = [DkimCheck(AuthResult.PASS, signer)]
        found = check_dmarc(_message(f"a@{author}"), None, dkim, Zones(zone)).dkim_aligned
        yield Case(f"{author}, {signer}, {mode}", outcome == "0", found)


def opendmarc_finddomain(text: str) -> Iterator[Case]:
    """The domain in a From field."""
    for quoted, domain in re.findall(r'\{("(?:[^"\\]|\\.)*"), "(\S+)"\}', text):
        value = ast.literal_eval(quoted)
        found = author_domains(_message(value)).domains
        yield Case(value, domain, " ".join(found), FIRST_DOMAIN if len(found) > 1 else "")


SUITES: dict[str, Callable[[str], Iterator[Case]]] = {
    "04.PurePerl.t": mail_dmarc,
    "verify.rs": mail_auth_verify,
    "parse.rs": mail_auth_parse,
    "test_dmarc.py": checkdmarc,
    "test_dmarc_parse.c": opendmarc_parse,
    "test_alignment.c": opendmarc_alignment,
    "test_finddomain.c": opendmarc_finddomain,
}


def main(files: list[str]) -> int:
    """Run the files; the exit status."""
    unknown = 0
    for file in map(Path, files):
        suite = SUITES.get(file.name)
        if suite is None:
            print(f"{file}: expected one of {', '.join(SUITES)}")
            return 2
        cases = list(suite(file.read_text()))
        differing = [case for case in cases if case.expected != case.found]
        for case in differing:
            unknown += not case.known
            print(
                f"{file.name}: {case.name!r}: {case.expected} there, {case.found} here"
                f" ({case.known or 'UNEXPLAINED'})"
            )
        print(f"{file.name}: {len(cases) - len(differing)} of {len(cases)} agree")
        unknown += not cases
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
