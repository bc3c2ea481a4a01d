"""Coverage-guided fuzzing of the message model and the parts filter: `make fuzz FUZZ_SECONDS=60`.

libFuzzer, through atheris, makes the mail; what must hold is what the property tests say: nothing
raises, offsets tile, and stripping leaves every octet outside of the stripped parts alone. A find
is left as `crash-...` in the working folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["filterd.message", "filterd.filters"]):
    from filterd.filters.parts.filter import Parts
    from filterd.filters.parts.settings import PartsSettings
    from filterd.message import Message

from filterd.chain.outgoing import spliced
from filterd.chain.verdict import Splice
from filterd.lab.samples import samples
from tests.helpers.mime import FRAGMENTS
from tests.helpers.readings import HONEST, TRICKS, everything, tiles
from tests.hostile.tricks import encodings, names, structure, wrappings

INPUT_LIMIT = 8192
"""Octets of one input: small ones are tried more often, and every branch fits in."""

PARTS = Parts(PartsSettings())


def one_input(data: bytes) -> None:
    """What must hold for any octets."""
    message = Message(data, id="fuzz")
    everything(message)
    assert tiles(message.root, data) == data
    edits = PARTS.examine(message).edits
    splices = sorted((e for e in edits if isinstance(e, Splice)), key=lambda e: e.start)
    body = spliced(data, edits, message.body_start)
    position = message.body_start
    expected = b""
    for splice in splices:
        assert position <= splice.start <= splice.end <= len(data)
        expected += data[position : splice.start] + splice.replacement
        position = splice.end
    assert body == expected + data[position:]
    everything(Message(data[: message.body_start] + body))


def main() -> None:
    """Arguments are libFuzzer's. Seeds and a dictionary are added."""
    with tempfile.TemporaryDirectory(prefix="filterd-fuzz-") as folder:
        seeds = Path(folder) / "seeds"
        seeds.mkdir()
        mail = [*TRICKS.values(), *HONEST.values(), *(sample.data for sample in samples())]
        for make in (names.tricks, structure.tricks, encodings.tricks, wrappings.tricks):
            mail += [trick.data for trick in make() if len(trick.data) <= INPUT_LIMIT]
        for number, data in enumerate(mail):
            (seeds / str(number)).write_bytes(data)
        words = Path(folder) / "words"
        words.write_text(
            "".join(
                '"' + "".join(f"\\x{octet:02x}" for octet in word) + '"\n'
                for word in FRAGMENTS
                if word
            )
        )
        options = [f"-dict={words}", f"-max_len={INPUT_LIMIT}", "-timeout=20"]
        atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(seeds)], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
