"""What Dovecot tells an IMAP client of each message in a folder, as webmail sees it: the parts of
BODYSTRUCTURE and the octets of BODY[n], asked of an `imap` process over its standard input."""

from __future__ import annotations

import base64
import imaplib
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

PROGRAM = "/usr/lib/dovecot/imap"
OWNER = "mail"
CHUNK = 500
"""Messages that are asked for at a time."""

Tree = str | list["Tree"]

_TOKEN = re.compile(rb'\(|\)|"((?:[^"\\]|\\.)*)"|\{(\d+)\}\r\n|[^\s()"]+')


def parsed(octets: bytes) -> list[Tree]:
    """A parenthesised list of IMAP (RFC 3501 §4.4)."""
    stack: list[list[Tree]] = [[]]
    position = 0
    while match := _TOKEN.search(octets, position):
        position = match.end()
        token = match[0]
        if token == b"(":
            stack.append([])
        elif token == b")":
            done = stack.pop()
            stack[-1].append(done)
        elif match[2]:
            size = int(match[2])
            stack[-1].append(octets[position : position + size].decode("latin-1"))
            position += size
        else:
            text = token if match[1] is None else re.sub(rb"\\(.)", rb"\1", match[1])
            stack[-1].append(text.decode("latin-1"))
    return stack[0]


def leaves(tree: Tree, number: str = "") -> Iterator[tuple[str, list[Tree]]]:
    """Part number and facts of each leaf (RFC 3501 §7.4.2)."""
    assert isinstance(tree, list)
    if tree and isinstance(tree[0], list):
        for index, child in enumerate(tree, start=1):
            if not isinstance(child, list) or not child:
                return
            yield from leaves(child, f"{number}{index}.")
    elif len(tree) > 8 and tree[:2] and str(tree[0]).lower() == "message":
        yield number.rstrip(".") or "1", tree
        if isinstance(tree[8], list):
            # A multipart inside counts on from the message's number, anything else is its part 1.
            yield from leaves(tree[8], number or "1.")
    else:
        is_single = not number or (tree and not number.rstrip("."))
        yield "1" if is_single else number.rstrip("."), tree


def show(client: imaplib.IMAP4, folder: Path) -> Iterator[tuple[str, bytes, str]]:
    """Name of the message, first octets and names of each part."""
    count = sum(1 for _ in folder.iterdir())
    for first in range(1, count + 1, CHUNK):
        _ok, answers = client.fetch(
            f"{first}:{min(first + CHUNK - 1, count)}", "(X-GUID BODYSTRUCTURE)"
        )
        texts: list[bytes] = []
        for answer in answers:
            piece = b"".join(answer) if isinstance(answer, tuple) else answer
            if re.match(rb"\d+ \(", piece):
                texts.append(piece)
            elif texts:
                texts[-1] += piece
        for text in texts:
            index, _blank, rest = text.partition(b" ")
            facts = parsed(rest)[0]
            named = dict(zip(facts[::2], facts[1::2], strict=False))  # type: ignore[arg-type]
            stem = str(named["X-GUID"]).rpartition("-")[2]
            for number, part in leaves(named["BODYSTRUCTURE"]):
                octets = _fetched(client, index.decode(), number)
                encoding = str(part[5]).lower() if len(part) > 5 else ""
                if encoding == "base64":
                    octets = _decoded(octets)
                yield stem, octets, repr(part)


def _fetched(client: imaplib.IMAP4, index: str, number: str) -> bytes:
    _ok, answers = client.fetch(index, f"(BODY.PEEK[{number}]<0.300>)")
    return answers[0][1] if answers and isinstance(answers[0], tuple) else b""


def _decoded(octets: bytes) -> bytes:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)[:40]
    return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def run(folder: Path, work: Path) -> Iterator[tuple[str, bytes, str]]:
    """As `show`, with a mailbox and settings of its own below `work`."""
    box = work / "dovecot" / "Maildir"
    for name in ("cur", "new", "tmp"):
        (box / name).mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(sorted(folder.iterdir())):
        target = box / "cur" / f"{1_000_000_000 + index}.M1P1.host-{path.stem}:2,"
        if not target.exists():
            target.write_bytes(path.read_bytes())
    settings = work / "dovecot.conf"
    settings.write_text(
        f"base_dir = {work}/dovecot/run\nstate_dir = {work}/dovecot/state\n"
        f"log_path = {work}/dovecot/log\nmail_location = maildir:{box}\nfirst_valid_uid = 1\n"
        f"mail_uid = {OWNER}\nmail_gid = {OWNER}\n"
    )
    # It reads mail as root for nobody.
    subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", str(work / "dovecot")], check=True)
    os.environ.update(USER=OWNER, HOME=str(work / "dovecot"))
    client = imaplib.IMAP4_stream(shlex.join([PROGRAM, "-c", str(settings)]))
    client.select("INBOX", readonly=True)
    yield from show(client, folder)
    client.logout()
