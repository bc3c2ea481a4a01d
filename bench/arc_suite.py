"""The test suite of ARC by ValiMail (https://github.com/ValiMail/arc_test_suite, YAML), run through
`verify_arc` and `seal_arc`.

    python -m bench.arc_suite FOLDER

FOLDER is where the suite was cloned to. It was frozen in 2018 and tests a draft: where RFC 8617
wants something else, or more than the suite does, DIFFERENT says what and why. Prints what differs
otherwise and how many cases end as they should; its status is 1 where one does not.

A set of ours is never the suite's set octet by octet: it has other tags in another order, and no
comments. So a case of sealing asks: is our instance, status, body hash and result list the suite's;
does our set verify; and do the very octets of the suite's set, hashed and signed with its key by
our functions, give the suite's signatures?
"""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from filterd.auth.arc.chain import chain_of
from filterd.auth.arc.sealing import SealError, combined, seal_arc
from filterd.auth.arc.verify import verify_arc
from filterd.auth.dkim.header import CanonicalHeader, Canonicalization, canonical_field
from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.tags import TagList
from filterd.auth.results import parse
from filterd.message import Message
from filterd.message.authentication import AuthResult
from tests.helpers.zones import Zones

RELAXED = Canonicalization.RELAXED

VALIDATION = "tests/arc-draft-validation-tests.yml"
SIGNING = "tests/arc-draft-sign-tests.yml"

ENDED = (
    "drafts gave a chain that somebody sealed as failed no status at all; by RFC 8617 §5.2 (steps "
    "2 and 3) it is fail"
)
DIFFERENT: Mapping[str, tuple[str, str]] = {
    "cv_fail_i1_as_cv_fail": ("fail", ENDED),
    "cv_fail_i2_as2_fail": ("fail", ENDED),
    "cv_fail_i2_as1_fail": ("fail", ENDED),
    "ams_fields_c_na": (
        "fail",
        "the suite signed with relaxed/relaxed and left c= out; RFC 8617 §4.1.2 takes the meaning "
        "from RFC 6376 §3.5: without c= it is simple/simple",
    ),
    "ams_fields_h_empty": (
        "fail",
        "RFC 6376 §3.5 wants a name in h=, and §5.4 From among them: without it anybody can put "
        "another author into a sealed message",
    ),
    "ams_fields_h_mis_hdr": (
        "fail",
        "h=from:to::date has an empty name, which the grammar of RFC 6376 §3.5 does not have",
    ),
}
"""By case of the validation suite: the result by RFC 8617, and why it is not the suite's."""


@dataclass(frozen=True)
class Case:
    """One test. zone: of the scenario. values: the strings of the test, and of its scenario."""

    name: str
    zones: Zones
    values: Mapping[str, str]

    @property
    def data(self) -> bytes:
        """The message as SMTP has it."""
        return self.values["message"].replace("\n", "\r\n").encode()


def cases(file: Path) -> Iterator[Case]:
    """All tests of a file, also those whose name stands there twice (a YAML reader takes one)."""
    with file.open("rb") as stream:
        for scenario in yaml.compose_all(stream, Loader=yaml.SafeLoader):
            parts = {key.value: value for key, value in scenario.value}
            whole = {key: part.value for key, part in parts.items() if isinstance(part.value, str)}
            found = parts.get("txt-records")
            records = {name.value: text.value for name, text in found.value} if found else {}
            zones = Zones({name: {"TXT": [text.encode()]} for name, text in records.items()})
            for name, test in parts["tests"].value:
                values = {key.value: value.value for key, value in test.value}
                yield Case(name.value, zones, whole | values)


def validation(case: Case) -> str:
    """What is wrong; "" if nothing is."""
    expected, _why = DIFFERENT.get(case.name, (case.values["cv"].lower(), ""))
    found = verify_arc(Message(case.data), case.zones)
    if found.result == expected:
        return ""
    return f"expected {expected}, found {found.result} ({found.reason})"


def signing(case: Case) -> Iterator[str]:
    """What is wrong."""
    values, message = case.values, Message(case.data)
    key = SigningKey.from_pem(values["privatekey"].encode(), values["domain"], values["sel"])
    header = CanonicalHeader.of(message)
    check = verify_arc(message, case.zones)
    results = combined(header, values["srv-id"])
    body = case.data[message.body_start :]
    try:
        added = dict(seal_arc(header, body, check, results, key, now=float(values["t"])))
    except SealError as error:
        if values["AS"].strip():
            yield f"not sealed: {error}"
        return
    if not values["AS"].strip():
        yield "sealed"
        return
    expected = {name: _standard(short, values[short]) for short, name in SHORT.items()}
    instance, _, stated = expected["ARC-Authentication-Results"].decode().partition(";")
    if parse(stated) != results:
        yield f"results are {results}"
    for name, tags in (("ARC-Seal", ["i", "cv", "a"]), ("ARC-Message-Signature", ["i", "bh", "a"])):
        ours, its = TagList(added[name]), TagList(expected[name])
        for tag in tags:
            if ours.text(tag) != its.text(tag):
                yield f"{name}: {tag}={ours.text(tag)}, expected {its.text(tag)}"
    if not added["ARC-Authentication-Results"].startswith(instance.strip().encode() + b";"):
        yield "another instance"
    top = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in added.items())
    found = verify_arc(Message(top + case.data), case.zones)
    if found.result is not (AuthResult.FAIL if "fail" in values["AS"] else AuthResult.PASS):
        yield f"our set is a {found.result}: {found.reason}"
    yield from _octets(header, check.result, expected, key)


SHORT = {
    "AS": "ARC-Seal",
    "AMS": "ARC-Message-Signature",
    "AAR": "ARC-Authentication-Results",
}


def _standard(short: str, text: str) -> bytes:
    """A field's value as the suite signed it: without any blank but one behind each semicolon of a
    list of tags; the results are as they stand there."""
    if short == "AAR":
        return b" " + text.strip().replace("\n", "\r\n ").encode()
    return b"; ".join("".join(tag.split()).encode() for tag in text.split(";"))


def _octets(
    header: CanonicalHeader, status: AuthResult, expected: Mapping[str, bytes], key: SigningKey
) -> Iterator[str]:
    """Whether the suite's own set would have these signatures by our functions."""
    name = "ARC-Message-Signature"
    tags = TagList(expected[name])
    own = canonical_field(name, tags.without("b"), RELAXED)
    digest = header.digest(tags.words("h") or (), RELAXED, own)
    if key.sign(digest) != tags.binary("b"):
        yield f"{name}: another b= ({base64.b64encode(key.sign(digest)).decode()})"
    before = chain_of(header).sets if status is AuthResult.PASS else ()
    covered = [
        header.canonical(index, RELAXED)
        for one in before
        for index in (one.results, one.message_signature, one.seal)
    ]
    tags = TagList(expected["ARC-Seal"])
    covered += [
        canonical_field(
            "ARC-Authentication-Results", expected["ARC-Authentication-Results"], RELAXED
        ),
        canonical_field(name, expected[name], RELAXED),
        canonical_field("ARC-Seal", tags.without("b"), RELAXED),
    ]
    signature = key.sign(hashlib.sha256(b"\r\n".join(covered)).digest())
    if signature != tags.binary("b"):
        yield f"ARC-Seal: another b= ({base64.b64encode(signature).decode()})"


def main(arguments: list[str]) -> int:
    """Run the suite; the exit status."""
    if len(arguments) != 1:
        print("expected the folder of the suite")
        return 2
    folder = Path(arguments[0])
    failed = count = different = 0
    for case in cases(folder / VALIDATION):
        count += 1
        different += case.name in DIFFERENT
        if wrong := validation(case):
            failed += 1
            print(f"{case.name}: {wrong}")
    print(
        f"validation: {count - failed} of {count} as RFC 8617 has it, {different} not as drafts had"
    )
    for name, (result, why) in DIFFERENT.items():
        print(f"  {name}: {result}; {why}")
    failed_signing = count = 0
    for case in cases(folder / SIGNING):
        count += 1
        wrongs = list(signing(case))
        failed_signing += bool(wrongs)
        for wrong in wrongs:
            print(f"{case.name}: {wrong}")
    print(f"signing: {count - failed_signing} of {count}")
    return 1 if failed or failed_signing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
