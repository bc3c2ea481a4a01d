"""How far filterd reads mail as other parsers' test suites expect: `python -m bench.agreement DIR`.

DIR holds `perl-mime-tools` (`NAME.ref` beside `NAME.msg`: type, decoded size and file name of each
part), `james-mime4j` (`NAME.xml` beside `NAME.msg`: the tree with the octets of each body, and
`NAME_decoded_1_2.txt`: the decoded content of a part) and `gmime` (files beside what they are
encoded as). One line a suite, then each disagreement with what was expected and what came.
"""

from __future__ import annotations

import argparse
import glob
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from filterd.message import Entity, Message
from filterd.message.decoding import decode_transfer

Row = tuple[str, str, str]
"""Where in the message, what the suite expects, what filterd sees."""

_PART = re.compile(r'"(Msg|Part_[\d_]+)" => \{(.*?)\n  \}', re.DOTALL)
_KEY = re.compile(r'"(\w+)" => (?:"((?:[^"\\]|\\.)*)"|(\d+))')
_DECODED = re.compile(r"_decoded_1((?:_\d+)*)\.(?:txt|bin)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\uffff]")


def entity_at(root: Entity, path: str) -> Entity | None:
    """The entity that `Part_2_1` names: children counted from 1."""
    entity = root
    for number in re.findall(r"\d+", path):
        if int(number) > len(entity.children):
            return None
        entity = entity.children[int(number) - 1]
    return entity


def perl_mime_tools(folder: Path) -> Iterator[tuple[str, int, list[Row]]]:
    """Name, number of facts and disagreements of each `.ref`."""
    for reference in sorted(folder.rglob("*.ref")):
        text = reference.read_text("utf-8", "replace")
        named = re.search(r'"Message" => "(?:testmsgs/)?([^"]+)"', text)
        path = reference.with_name(named[1]) if named else reference.with_suffix(".msg")
        if not path.is_file():
            continue
        root = Message(path.read_bytes()).root
        facts, rows = 0, []
        for part, block in _PART.findall(text):
            entity = entity_at(root, part)
            for key, quoted, number in _KEY.findall(block):
                expected = re.sub(r"\\(.)", r"\1", quoted) or number
                if key not in ("Type", "Size", "Filename", "Disposition"):
                    continue
                facts += 1
                found = "no such part"
                if entity is not None:
                    found = {
                        "Type": entity.content_type,
                        "Size": str(len(entity.content)),
                        "Filename": next(iter(entity.filenames), ""),
                        "Disposition": entity.disposition,
                    }[key]
                if found.lower() != expected.lower():
                    rows.append((f"{part} {key}", expected, found))
        yield reference.name, facts, rows


def plain(text: str) -> str:
    """A body as both sides can be compared: no line ends at its edges, no octets XML cannot say."""
    return _CONTROL.sub("?", text.replace("\r\n", "\n")).strip("\n")


def described(element: ElementTree.Element, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, body) of each leaf below a `message` or `bodypart` element."""
    for child in element:
        if child.tag == "body":
            yield path, plain(child.text or "")
        elif child.tag == "message":
            yield from described(child, path + ".1")
        elif child.tag == "multipart":
            parts = [part for part in child if part.tag == "body-part"]
            for number, part in enumerate(parts, start=1):
                yield from described(part, f"{path}.{number}")


def seen(entity: Entity, path: str = "") -> Iterator[tuple[str, str]]:
    """The same of our tree."""
    if entity.is_leaf:
        yield path, plain(entity.body.decode("latin-1"))
    for number, child in enumerate(entity.children, start=1):
        yield from seen(child, f"{path}.{number}")


def james_mime4j(folder: Path) -> Iterator[tuple[str, int, list[Row]]]:
    """The same for each `.xml`; those that describe decoded bodies are left out."""
    for reference in sorted(folder.rglob("*.xml")):
        path = reference.with_suffix(".msg")
        if not path.is_file():
            continue
        try:
            tree = ElementTree.parse(reference).getroot()
        except ElementTree.ParseError:
            continue
        expected = dict(described(tree))
        found = dict(seen(Message(path.read_bytes()).root))
        rows = [
            (where or "root", body[:60], found.get(where, "no such part")[:60])
            for where, body in expected.items()
            if found.get(where) != body
        ]
        rows += [(w, "no such part", body[:60]) for w, body in found.items() if w not in expected]
        yield reference.name, len(expected), rows


def james_mime4j_contents(folder: Path) -> Iterator[tuple[str, int, list[Row]]]:
    """The decoded content of each part; line ends at its edges and those of texts do not count."""
    for path in sorted(folder.rglob("*.msg")):
        root = Message(path.read_bytes()).root
        rows, facts = [], 0
        for reference in sorted(path.parent.glob(f"{glob.escape(path.stem)}_decoded_*")):
            match = _DECODED.fullmatch(reference.name.removeprefix(path.stem))
            if match is None:
                continue
            facts += 1
            expected = reference.read_bytes().replace(b"\r\n", b"\n").strip(b"\n")
            entity = entity_at(root, match[1])
            found = "no such part"
            if entity is not None and entity.is_leaf:
                octets = entity.content.replace(b"\r\n", b"\n").strip(b"\n")
                text = entity.text.replace("\r\n", "\n").strip("\n")
                if octets == expected or text.encode("utf-8", "replace") == expected:
                    continue
                found = repr(octets[:60])
            rows.append((f"part{match[1]}", repr(expected[:60]), found))
        if facts:
            yield path.name, facts, rows


def gmime(folder: Path) -> Iterator[tuple[str, int, list[Row]]]:
    """Files of GMime's tests beside their encoded forms."""
    encodings = folder / "encodings"
    for coded, plain_file, encoding in (
        ("photo.b64", "photo.jpg", "base64"),
        ("photo.uu", "photo.jpg", "x-uuencode"),
        ("wikipedia.qp", "wikipedia.txt", "quoted-printable"),
    ):
        expected = (encodings / plain_file).read_bytes()
        found = decode_transfer((encodings / coded).read_bytes(), encoding)
        differs = found.replace(b"\r\n", b"\n") != expected.replace(b"\r\n", b"\n")
        yield coded, 1, [("file", str(len(expected)), str(len(found)))] if differs else []


SUITES: dict[str, tuple[str, Callable[[Path], Iterator[tuple[str, int, list[Row]]]]]] = {
    "MIME-tools": ("perl-mime-tools", perl_mime_tools),
    "Mime4J, trees": ("james-mime4j", james_mime4j),
    "Mime4J, contents": ("james-mime4j", james_mime4j_contents),
    "GMime, encodings": ("gmime", gmime),
}
"""Name → folder, and what compares."""


def main() -> int:
    """Print the table; the exit status is always 0: a disagreement is no failure by itself."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    details = []
    print(f"{'suite':20} {'messages':>8} {'agree':>6} {'facts':>6} {'agree':>6}")
    for name, (place, suite) in SUITES.items():
        results = list(suite(folder / place))
        facts = sum(count for _name, count, _rows in results)
        wrong = sum(len(rows) for _name, _count, rows in results)
        whole = sum(not rows for _name, _count, rows in results)
        print(f"{name:20} {len(results):8} {whole:6} {facts:6} {facts - wrong:6}")
        details += [(name, message, row) for message, _facts, rows in results for row in rows]
    for name, message, (where, expected, found) in details:
        print(f"{name}/{message} {where}: expected {expected!r}, filterd sees {found!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
