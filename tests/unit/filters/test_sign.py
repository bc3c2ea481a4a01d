"""Which mail is signed, with which keys, and that the signature is of the message as it leaves."""

from __future__ import annotations

import base64
import errno
import os
from datetime import date
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from filterd.auth.dkim.signing import SigningKey
from filterd.auth.dkim.verify import verify_dkim
from filterd.chain.chain import Chain
from filterd.chain.headers import LabelSettings
from filterd.chain.links import Link, LinkSettings
from filterd.chain.outgoing import Outgoing
from filterd.chain.pipeline import Pipeline, PipelineResult
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import PolicySettings
from filterd.chain.verdict import NO_OPINION, Action, AddField, ChangeField, Splice, Symbol, Verdict
from filterd.filters.sign.filter import SETTLED_FIELDS, SETTLED_LIMIT, Sign
from filterd.filters.sign.keys import SIZE_LIMIT as KEY_SIZE_LIMIT
from filterd.filters.sign.keys import KeyRing, RingKey, parse_key, read_key, write_key
from filterd.filters.sign.settings import KeySettings, SignSettings
from filterd.message import Client, Envelope, Message, Recipient
from filterd.message.authentication import AuthResult
from filterd.system.mistakes import SettingsError
from tests.helpers.dkim import mail, published, signing_key

pytestmark = pytest.mark.slow

DOMAIN = "bank.example"
LOCAL = Client()
STRANGER = Client("mail.isp.example", "203.0.113.9")


def ring_key(key: SigningKey, **settings: object) -> RingKey:
    return RingKey(
        KeySettings(key.domain, key.selector, Path("unused"), **settings),  # type: ignore[arg-type]
        key,
    )


def envelope(client: Client = LOCAL, user: str = "", *parameters: str) -> Envelope:
    macros = {"{auth_authen}": user} if user else {}
    return Envelope("ann@bank.example", (Recipient("bob@mx.example"),), client, parameters, macros)


def sent(
    data: bytes, *keys: RingKey, sender: Envelope | None = None, found: Verdict = NO_OPINION
) -> PipelineResult:
    """What becomes of a message in a chain that finds something, strips, tags and signs."""

    class Finds:
        name = "finds"

        def examine(self, message: Message) -> Verdict:
            return found

    signs = Sign(SignSettings(clients=("local", "192.0.2.0/24")), KeyRing(keys))
    pipeline = Pipeline(
        Chain([Link(Finds()), Link(signs)]),
        Policy(PolicySettings(subject_tag="[x] ")),
        LabelSettings(hostname="mx.example", label_outbound=True),
        keep=lambda *_arguments: None,
    )
    return pipeline.process(Message(data, sender if sender is not None else envelope(), "id1"))


def as_it_leaves(data: bytes, result: PipelineResult) -> bytes:
    """The message with the edits made, as the next host gets it."""
    outgoing = Outgoing(Message(data), Verdict(), result.decision.edits)
    head = b"".join(name.encode() + b":" + value + b"\r\n" for name, value in outgoing.fields)
    return head + b"\r\n" + outgoing.body


def results(data: bytes, result: PipelineResult, *keys: SigningKey) -> list[AuthResult]:
    checks = verify_dkim(Message(as_it_leaves(data, result)), published(*keys))
    return [check.result for check in checks]


def details(result: PipelineResult) -> dict[str, str]:
    return {symbol.name: symbol.detail for symbol in result.report.symbols}


RSA, ED = signing_key(), signing_key("ed25519-sha256", selector="ed")


def test_both_signatures_verify_after_everything_that_filterd_does_to_the_message() -> None:
    body = b"keep\r\nBAD PART\r\nkeep\r\n"
    data = mail(body, b"X-Spam-Flag: NO", b"Cc: a@b.example,c@d.example")
    at = data.index(b"BAD")
    found = Verdict(
        symbols=(Symbol("TEST", 6.0),),
        edits=(Splice(at, at + 8, b"a longer text\r\nof two lines"),),
    )

    result = sent(data, ring_key(RSA), ring_key(ED), found=found)

    left = as_it_leaves(data, result)
    assert result.report.labelled and b"[x]" in left and b"of two lines" in left
    assert b"X-Spam-Flag: YES" in left and b"X-Spam-Flag: NO" not in left
    assert results(data, result, RSA, ED) == [AuthResult.PASS, AuthResult.PASS]
    assert details(result)["DKIM_SIGNED"] == "with mail of bank.example, ed of bank.example"
    assert result.report.outbound


@pytest.mark.parametrize(
    ("sender", "is_signed"),
    [
        (envelope(), True),
        (envelope(Client(address="127.0.0.1")), True),
        (envelope(Client(address="192.0.2.77")), True),
        (envelope(STRANGER, "ann"), True),
        (envelope(STRANGER), False),
        (envelope(Client("unknown", "unknown")), False),
        # A release that was not found good: nobody knows who sent this first.
        (envelope(Client(), "", f"ENVID=filterd:id1:o:00000000:{32 * '0'}"), False),
        (envelope(Client(), "ann", f"ENVID=filterd:id1:c:00000000:{32 * '0'}"), False),
    ],
)
def test_whose_mail_is_signed(sender: Envelope, is_signed: bool) -> None:
    result = sent(mail(), ring_key(RSA), sender=sender)
    signatures = [edit for edit in result.decision.edits if edit.name == "DKIM-Signature"]  # type: ignore[union-attr]
    assert bool(signatures) is is_signed
    assert result.report.outbound is is_signed
    assert ("DKIM_SIGNED" in details(result)) is is_signed


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([b"From: ann@other.example"], "no key in use for other.example"),
        ([b"From: ann@a.bank.example"], "no key in use for a.bank.example"),
        ([b"From: ann"], "no key in use for an author without a domain"),
        ([b"From:"], "no key in use for an author without a domain"),
        ([b"From: ann@bank.example\0\x1b"], "no key in use for bank.example\ufffd\ufffd"),
        ([], "no From fields, expected one"),
        ([b"From: ann@bank.example", b"from : ann@bank.example"], "2 From fields, expected one"),
    ],
)
def test_why_mail_of_our_own_is_not_signed(lines: list[bytes], why: str) -> None:
    data = b"".join(line + b"\r\n" for line in [*lines, b"Subject: x"]) + b"\r\nhello\r\n"
    result = sent(data, ring_key(RSA))
    assert result.decision.action is Action.ACCEPT
    assert details(result) == {"DKIM_NOT_SIGNED": why}


def test_what_the_author_wrote_is_told_up_to_a_limit() -> None:
    data = b"From: ann@" + b"a." * 20_000 + b"example\r\n\r\nhello\r\n"
    assert len(details(sent(data, ring_key(RSA)))["DKIM_NOT_SIGNED"]) < 1000


def test_a_dry_run_tells_what_would_be_signed() -> None:
    signs = Sign(SignSettings(), KeyRing([ring_key(RSA)]))
    chain = Chain([Link(signs, LinkSettings(dry_run=True))])
    pipeline = Pipeline(chain, Policy(PolicySettings()))

    found = pipeline.process(Message(mail(), envelope(), "id1"))

    assert not found.decision.edits or "DKIM" not in repr(found.decision.edits)
    assert details(found)["DKIM_SIGNED"].startswith("with mail of bank.example (dry run")
    stranger = pipeline.process(Message(mail(), envelope(STRANGER), "id1"))
    assert "DKIM_SIGNED" not in details(stranger)


@pytest.mark.parametrize(
    "author",
    ["Ann <ann@BANK.example>", '"bank" <x@[192.0.2.1]>, ann@bank.example.', "g:a@bank.example;"],
)
def test_the_author_domain_is_found_in_any_spelling(author: str) -> None:
    data = mail().replace(b"Ann <ann@bank.example>", author.encode())
    assert results(data, sent(data, ring_key(RSA)), RSA) == [AuthResult.PASS]


def test_two_authors_in_two_domains_have_two_signatures_and_one_key_signs_once() -> None:
    other = signing_key(domain="other.example")
    data = mail().replace(
        b"Ann <ann@bank.example>",
        b"a@bank.example, b@other.example, c@a.bank.example, d@no.example",
    )
    result = sent(data, ring_key(RSA, subdomains=True), ring_key(other))
    assert results(data, result, RSA, other) == [AuthResult.PASS, AuthResult.PASS]


def test_what_is_signed_and_what_nobody_can_add() -> None:
    data = mail(
        b"hello\r\n",
        b"List-Unsubscribe: <https://bank.example/u>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"MIME-Version: 1.0",
        b"X-Mailer: own",
    )
    result = sent(data, ring_key(RSA))
    (signature,) = (edit for edit in result.decision.edits if edit.name == "DKIM-Signature")  # type: ignore[union-attr]
    assert isinstance(signature, AddField)
    value = "".join(signature.value.split())
    names = value.partition("h=")[2].partition(";")[0].split(":")
    assert {name for name in names if names.count(name) == 2} == {"from", "to", "subject", "date"}
    assert {"list-unsubscribe", "list-unsubscribe-post", "message-id", "mime-version"} <= set(names)
    assert not {"x-mailer", "received", "cc"} & set(names)
    assert "c=relaxed/relaxed" in value and "l=" not in value.replace("rel", "")
    left = as_it_leaves(data, result)
    for added in (b"From: x@y.example", b"To: x@y.example", b"Subject: x", b"Date: now"):
        checks = verify_dkim(Message(added + b"\r\n" + left), published(RSA))
        assert checks[0].result is AuthResult.FAIL, added
    (check,) = verify_dkim(Message(b"Received: by x\r\n" + left), published(RSA))
    assert check.result is AuthResult.PASS


@pytest.mark.parametrize("missing", [b"Date", b"To", b"Message-ID"])
def test_what_the_mta_adds_later_does_not_break_the_signature(missing: bytes) -> None:
    lines = mail().split(b"\r\n")
    data = b"\r\n".join(line for line in lines if not line.startswith(missing + b":"))
    left = as_it_leaves(data, sent(data, ring_key(RSA)))
    (check,) = verify_dkim(Message(missing + b": x\r\n" + left), published(RSA))
    assert check.result is AuthResult.PASS


def test_a_message_in_a_file_is_signed_without_being_copied(tmp_path: Path) -> None:
    data = mail(b"0123456789abcde\r\n" * 20_000)
    (tmp_path / "m").write_bytes(data)
    with (tmp_path / "m").open("rb") as file:
        spooled = mmap(file.fileno(), 0, access=ACCESS_READ)
    outgoing = Outgoing(Message(spooled, envelope()), Verdict(outbound=True))
    found = Sign(SignSettings(), KeyRing([ring_key(RSA)])).sign(outgoing)
    spooled.close()  # nothing holds a view of it
    (edit,) = found.edits
    assert isinstance(edit, AddField)
    signed = f"{edit.name}: {edit.value}\r\n".replace("\n\t", "\r\n\t").encode() + data
    (check,) = verify_dkim(Message(signed), published(RSA))
    assert check.result is AuthResult.PASS


def test_a_header_full_of_addresses_is_looked_at_up_to_a_limit() -> None:
    long = b"Cc: " + b",".join([b"a@b"] * 500)
    for line, at_most in ((b"Cc: a@b,c@d", SETTLED_FIELDS), (long, SETTLED_LIMIT // len(long))):
        many = mail(b"hello\r\n", *[line] * (at_most + 10))
        result = sent(many, ring_key(RSA))
        changes = [edit for edit in result.decision.edits if isinstance(edit, ChangeField)]
        assert len(changes) == at_most
        assert results(many, result, RSA) == [AuthResult.PASS]


# Keys by domain and day


def test_keys_of_a_subdomain_come_before_those_above_it() -> None:
    made = {
        name: signing_key("ed25519-sha256", name, "s")
        for name in ("example", "a.example", "b.a.example", "c.example")
    }
    wide = [
        ring_key(made["example"], subdomains=True),
        ring_key(made["a.example"], subdomains=True),
    ]
    ring = KeyRing([*wide, ring_key(made["b.a.example"]), ring_key(made["c.example"])])
    found = {
        domain: [key.domain for key in ring.keys_for(domain)]
        for domain in (*made, "x.example", "x.a.example", "x.b.a.example", "x.c.example", "", ".")
    }
    assert found == {
        "example": ["example"],
        "a.example": ["a.example"],
        "b.a.example": ["b.a.example"],
        "c.example": ["c.example"],
        "x.example": ["example"],
        "x.a.example": ["a.example"],
        "x.b.a.example": ["a.example"],
        "x.c.example": ["example"],
        "": [],
        ".": [],
    }


def test_a_new_selector_takes_over_on_its_day() -> None:
    old, new = signing_key(selector="old"), signing_key(selector="new")
    ring = KeyRing(
        [
            ring_key(old, until=date(2026, 12, 2)),
            ring_key(new, since=date(2026, 12, 1), until=date(2026, 12, 31)),
        ]
    )
    signs = {
        day: [key.selector for key in ring.keys_for(DOMAIN, date(2026, 12, day))]
        for day in (1, 2, 3, 31)
    }
    assert signs == {1: ["old", "new"], 2: ["old", "new"], 3: ["new"], 31: ["new"]}
    assert [key.selector for key in ring.keys_for(DOMAIN, date(2026, 11, 30))] == ["old"]
    assert ring.keys_for(DOMAIN, date(2027, 1, 1)) == ()


# Key files


def _pem(key: PrivateKeyTypes, form: pem.PrivateFormat, password: bytes = b"") -> bytes:
    hidden = pem.BestAvailableEncryption(password) if password else pem.NoEncryption()
    return key.private_bytes(pem.Encoding.PEM, form, hidden)


RSA_KEY = rsa.generate_private_key(65537, 2048)
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SEED = ED_KEY.private_bytes(pem.Encoding.Raw, pem.PrivateFormat.Raw, pem.NoEncryption())
PUBLIC = ED_KEY.public_key().public_bytes(pem.Encoding.Raw, pem.PublicFormat.Raw)

FORMS = {
    "PKCS #1": (_pem(RSA_KEY, pem.PrivateFormat.TraditionalOpenSSL), "rsa-sha256"),
    "PKCS #8, RSA": (_pem(RSA_KEY, pem.PrivateFormat.PKCS8), "rsa-sha256"),
    "PKCS #8, Ed25519": (_pem(ED_KEY, pem.PrivateFormat.PKCS8), "ed25519-sha256"),
    "seed in base64 (dkimpy)": (base64.b64encode(SEED) + b"\n", "ed25519-sha256"),
    "seed and public key in base64 (rspamd)": (base64.b64encode(SEED + PUBLIC), "ed25519-sha256"),
    "seed": (SEED, "ed25519-sha256"),
}


@pytest.mark.parametrize(("content", "algorithm"), FORMS.values(), ids=FORMS)
def test_forms_of_key_files(content: bytes, algorithm: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    key = read_key(file, "Bank.Example.", "S1")
    assert (key.domain, key.selector, key.algorithm) == ("bank.example", "s1", algorithm)
    want = PUBLIC if algorithm == "ed25519-sha256" else None
    if want is not None:
        assert key.record.endswith(base64.b64encode(want).decode())
    data = mail()
    assert results(data, sent(data, ring_key(key)), key) == [AuthResult.PASS]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"secret",
        SEED[:31],
        base64.b64encode(SEED[:31]),
        FORMS["PKCS #8, RSA"][0][:400],
        FORMS["PKCS #8, RSA"][0].replace(b"PRIVATE", b"PUBLIC"),
        _pem(RSA_KEY, pem.PrivateFormat.PKCS8, b"password"),
        _pem(rsa.generate_private_key(65537, 1024), pem.PrivateFormat.PKCS8)[:-30],
    ],
    # Keys made anew differ in length; processes that share the tests must call them alike.
    ids=["empty", "text", "short seed", "the same coded", "cut", "public", "locked", "cut at end"],
)
def test_what_is_no_key_is_told_without_its_content(content: bytes) -> None:
    with pytest.raises(ValueError, match="expected an RSA or Ed25519 private key in PEM") as told:
        parse_key(content, DOMAIN, "s")
    assert "secret" not in str(told.value)


def test_a_key_that_others_could_read_or_exchange_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.key"
    file.write_bytes(SEED)
    for mode in (0o640, 0o604, 0o620, 0o644):
        file.chmod(mode)
        with pytest.raises(OSError, match=f"has mode {mode:04o}, expected 0600: chmod 600"):
            read_key(file, DOMAIN, "s")
    file.chmod(0o400)
    read_key(file, DOMAIN, "s")
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(OSError, match=r"belongs to .*, expected .* or root"):
        read_key(file, DOMAIN, "s")


def test_a_large_file_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(RSA.pem + b"\n" * KEY_SIZE_LIMIT)
    file.chmod(0o600)
    with pytest.raises(OSError, match="this is not a key"):
        read_key(file, DOMAIN, "s")


def test_all_keys_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    fifo, empty, good = tmp_path / "fifo", tmp_path / "empty", tmp_path / "good.key"
    os.mkfifo(fifo)
    empty.touch(0o600)
    write_key(good, ED)
    keys = [
        KeySettings(DOMAIN, f"s{number}", file)
        for number, file in enumerate([fifo, good, empty, tmp_path / "none", tmp_path])
    ]
    with pytest.raises(SettingsError) as told:
        KeyRing.read(keys)
    assert [key for key, _ in told.value.found] == [("keys", n, "file") for n in (0, 2, 3, 4)]
    texts = [text.rpartition(": ")[2] for _, text in told.value.found]
    assert texts == [
        "is not a regular file",
        "expected an RSA or Ed25519 private key in PEM, without a password",
        "No such file or directory",
        "Is a directory",
    ]


def test_a_key_is_written_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.key"
    write_key(file, RSA)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert read_key(file, DOMAIN, "mail").record == RSA.record
    with pytest.raises(FileExistsError):
        write_key(file, ED)
    assert read_key(file, DOMAIN, "mail").record == RSA.record


def test_a_key_for_which_the_disk_has_no_room_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.key"

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_key(file, RSA)
    write_key(file, RSA)
    assert read_key(file, DOMAIN, "mail").record == RSA.record


def test_prepare_reads_the_keys_and_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "a.key"
    signs = Sign(SignSettings(keys=(KeySettings(DOMAIN, "s", file),)))
    with pytest.raises(
        SettingsError, match=r"filters\.sign\.keys\[1\]\.file: .*a\.key: No such file"
    ):
        signs.prepare()
    write_key(file, RSA)
    signs.prepare()
    found = signs.sign(Outgoing(Message(mail(), envelope()), Verdict(outbound=True)))
    assert [symbol.name for symbol in found.symbols] == ["DKIM_SIGNED"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"domain": "ann@bank.example"}, "more than a domain"),
        ({"domain": "bank_.exa mple"}, "has spaces"),
        ({"selector": ""}, "is not a selector"),
        ({"selector": "a..b"}, "is not a selector"),
        ({"selector": "a;b"}, "is not a selector"),
        ({"selector": "a" * 191}, "is not a selector"),
        ({"since": date(2026, 2, 1), "until": date(2026, 1, 31)}, "is before since, 2026-02-01"),
    ],
)
def test_settings_of_a_key(changes: dict[str, object], text: str) -> None:
    values = {"domain": DOMAIN, "selector": "s1", "file": Path("a.key"), **changes}
    with pytest.raises(SettingsError, match=text):
        KeySettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"clients": ("192.0.2.0/99",)}, "is not a network"),
        ({"sign_headers": ("to", "subject")}, 'does not have "from"'),
        ({"sign_headers": ("from", "Received")}, "changes on the way"),
        ({"oversign_headers": ("from", "a:b")}, "is not the name of a header field"),
        (
            {
                "keys": (
                    KeySettings(DOMAIN, "s", Path("a")),
                    KeySettings("BANK.example", "S", Path("b")),
                )
            },
            "two keys with the selector s for bank.example",
        ),
    ],
)
def test_settings_of_the_filter(changes: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        SignSettings(**changes)  # type: ignore[arg-type]
