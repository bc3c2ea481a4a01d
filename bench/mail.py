"""Messages to measure with: made, always the same, about 7 KB, like what a mail host sees.

Words are drawn by Zipf's law from a made-up vocabulary, so that a classifier has as many distinct
tokens to look up as in real text. Two in five are plain text, two have an HTML alternative, one an
attachment. A folder of real mail measures better; `python -m bench --mail FOLDER` takes one.
"""

from __future__ import annotations

import base64
import itertools
import random
from pathlib import Path

COUNT = 200
SEED = 20_261_123
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo ze an er in on un".split()
VOCABULARY = 6000


class Writer:
    """Makes messages, one after the other."""

    def __init__(self, seed: int = SEED) -> None:
        self._random = random.Random(seed)
        self._words = [
            "".join(self._random.choices(SYLLABLES, k=self._random.randint(1, 4)))
            for _ in range(VOCABULARY)
        ]
        weights = (1 / rank for rank in range(1, VOCABULARY + 1))
        self._weights = list(itertools.accumulate(weights))

    def text(self, octets: int) -> str:
        """Lines of words, about that long."""
        lines, size = [], 0
        while size < octets:
            line = " ".join(self._random.choices(self._words, cum_weights=self._weights, k=11))
            lines.append(line.capitalize() + ".")
            size += len(line) + 3
        return "\n".join(lines) + "\n"

    def message(self, number: int) -> bytes:
        """One message, LF line ends."""
        kind = number % 5
        subject = self.text(30).splitlines()[0]
        head = "".join(
            f"Received: from relay{hop}.example.net (relay{hop}.example.net [192.0.2.{hop}])\n"
            f"\tby mx{hop}.example.test (8.17.1/8.17.1) with ESMTPS id {self._number()}\n"
            f"\tfor <joe@example.test>; Mon, 2 Nov 2026 10:0{hop}:00 +0000\n"
            for hop in range(3)
        )
        head += (
            f"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1; h=from:to:subject:date;\n"
            f"\tbh={self._digest(32)};\n\tb={self._digest(256)}\n"
            f"From: Ann <ann@example.net>\nTo: Joe <joe@example.test>\nSubject: {subject}\n"
            f"Date: Mon, 2 Nov 2026 10:00:00 +0000\nMessage-ID: <{self._number()}@example.net>\n"
            "MIME-Version: 1.0\nX-Mailer: Example 4.2\nPrecedence: bulk\n"
            "List-Id: <list.example.net>\nList-Unsubscribe: <https://example.net/leave>\n"
        )
        plain = "Content-Type: text/plain; charset=utf-8\n\n"
        if kind < 2:
            return f"{head}{plain}{self.text(5000)}".encode()
        html = f"Content-Type: text/html; charset=utf-8\n\n{self._html(3500)}"
        data = base64.encodebytes(self._number().encode() * 100).decode()
        attached = (
            'Content-Type: application/pdf; name="a.pdf"\nContent-Transfer-Encoding: base64\n'
            f'Content-Disposition: attachment; filename="a.pdf"\n\n{data}'
        )
        subtype, second = ("alternative", html) if kind < 4 else ("mixed", attached)
        return (
            f'{head}Content-Type: multipart/{subtype}; boundary="b{number}"\n\n'
            f"--b{number}\n{plain}{self.text(2000)}\n--b{number}\n{second}\n--b{number}--\n"
        ).encode()

    def _html(self, octets: int) -> str:
        rows = "".join(
            f'<tr><td style="color:#333"><a href="https://example.net/{self._number()}">'
            f"{line}</a></td></tr>\n"
            for line in self.text(octets // 2).splitlines()
        )
        return f"<html><body><table>\n{rows}</table></body></html>\n"

    def _number(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _digest(self, size: int) -> str:
        return base64.b64encode(self._random.randbytes(size)).decode()


def write(folder: Path, count: int = COUNT) -> list[Path]:
    """Write that many messages into the folder; return the files."""
    writer, files = Writer(), []
    for number in range(count):
        files.append(folder / f"{number:04}.eml")
        files[-1].write_bytes(writer.message(number))
    return files
