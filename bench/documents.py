"""Symbols of the parts filter on ordinary documents: `python -m bench.documents [--keep FOLDER]`.

Makes some hundreds of documents as people send them, mails each, and counts what is found. To be
run by hand; nothing of this is needed by filterd itself:

    pip install python-docx openpyxl pikepdf
    apt-get install libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui

Without LibreOffice or one of the packages what it would make is left out, and the output says so.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import html
import importlib.util
import io
import itertools
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message

WORDS = (
    "minutes order invoice of Monday Müller agreed on a price for delivery in May see page "
    "three, total: 1.250,00 € (net); please sign and return by 12.11.2026 -- thank you! +49 30 123 "
    "draft #2 https://client.example/a?b=c @home = - 50% A&B <c> \"quoted\" 'single'"
).split()

WRITER = ("odt", "fodt", "docx", "doc", "rtf", "pdf", "html", "txt", "epub", "xhtml")
CALC = ("ods", "fods", "xlsx", "xls", "csv", "pdf", "html", "dif", "slk")
IMPRESS = ("odp", "fodp", "pptx", "ppt", "pdf", "svg", "png")

COUNT = 12
"""Documents of each way to make them."""


def text(chance: random.Random, words: int = 60) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def table(chance: random.Random) -> list[list[object]]:
    head: list[object] = ["date", "name", "phone", "sum", "note"]
    rows: list[list[object]] = [
        [
            f"2026-11-{chance.randrange(1, 29):02}",
            chance.choice(("Ann", "Jürgen", "O'Hara", "-", "Smith, J.")),
            f"+49 30 {chance.randrange(10**6, 10**7)}",
            chance.randrange(-500, 5000) / 4,
            text(chance, 4),
        ]
        for _ in range(chance.randrange(5, 60))
    ]
    return [head, *rows]


def texts(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """What needs no program: tables, pages, archives, mail."""
    for separator in ",;\t|":
        file = io.StringIO()
        csv.writer(file, delimiter=separator).writerows(table(chance))
        yield (
            "table.csv",
            file.getvalue().encode(chance.choice(("utf-8-sig", "cp1252", "utf-16")), "replace"),
        )
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>"
        for row in table(chance)
    )
    page = f"<!DOCTYPE html><html><head><title>Table</title></head><body>{rows}</body></html>"
    yield "page.html", page.encode()
    yield "data.xml", f'<?xml version="1.0"?><data onhand="3">{rows}</data>'.encode()
    yield "notes.txt", text(chance, 300).encode()
    yield "log.gz", gzip.compress(text(chance, 3000).encode())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(chance.randrange(1, 40)):
            archive.writestr(f"project/{number}.c", text(chance))
        archive.writestr("project/page.html", page)
    yield "project.zip", packed.getvalue()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("project/README.md")
        member.size = 200
        tar.addfile(member, io.BytesIO(text(chance, 200).encode()[:200].ljust(200)))
    yield "project.tar.gz", packed.getvalue()
    inner = EmailMessage(policy=SMTP)
    inner["From"], inner["Subject"] = "Ann <ann@client.example>", text(chance, 5)
    inner.set_content(text(chance))
    inner.add_attachment(page.encode(), "text", "html", filename="page.html")
    yield "forwarded.eml", inner.as_bytes()


def word(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    import docx  # noqa: PLC0415  # not a part of the product

    document = docx.Document()
    document.add_heading(text(chance, 4), 1)
    for _ in range(chance.randrange(1, 12)):
        document.add_paragraph(text(chance))
    rows = table(chance)
    grid = document.add_table(len(rows), len(rows[0]))
    for row, cells in enumerate(rows):
        for column, value in enumerate(cells):
            grid.cell(row, column).text = str(value)
    file = io.BytesIO()
    document.save(file)
    yield "letter.docx", file.getvalue()


def workbook(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    import openpyxl  # noqa: PLC0415
    from openpyxl.chart import BarChart, Reference  # noqa: PLC0415

    book = openpyxl.Workbook()
    sheet = book.active
    for row in table(chance):
        sheet.append([str(value) if str(value)[:1] in "=+-@" else value for value in row])
    sheet["F2"] = "=SUM(D2:D9)"
    sheet["F3"] = '=HYPERLINK("https://client.example/","more")'
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=4, min_row=1, max_row=9), titles_from_data=True)
    sheet.add_chart(chart, "H2")
    file = io.BytesIO()
    book.save(file)
    yield "table.xlsx", file.getvalue()


def portable(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    import pikepdf  # noqa: PLC0415

    ways: list[tuple[str, dict[str, object]]] = [
        ("plain", {}),
        ("packed", {"object_stream_mode": pikepdf.ObjectStreamMode.generate}),
        ("for the web", {"linearize": True}),
    ]
    nobody = pikepdf.Permissions(modify_other=False, extract=False)
    for revision in (3, 4, 6):
        ways.append(
            (
                f"no changes, R{revision}",
                {
                    "encryption": pikepdf.Encryption(
                        owner=str(chance.random()),
                        R=revision,
                        allow=nobody,
                        aes=revision > 3,
                        metadata=revision > 3,
                    )
                },
            )
        )
    for _name, options in ways:
        document = pikepdf.new()
        for _ in range(chance.randrange(1, 5)):
            page = document.add_blank_page()
            link = pikepdf.Dictionary(
                Type=pikepdf.Name.Annot,
                Subtype=pikepdf.Name.Link,
                Rect=[0, 0, 9, 9],
                A=pikepdf.Dictionary(
                    S=pikepdf.Name.URI, URI=pikepdf.String("https://client.example/JS/a.html")
                ),
            )
            page.Annots = pikepdf.Array([document.make_indirect(link)])
            noise = document.make_stream(chance.randbytes(50_000))
            noise.Type, noise.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=noise))
        document.docinfo["/Title"] = text(chance, 6)
        file = io.BytesIO()
        document.save(file, **options)
        yield "scan.pdf", file.getvalue()


def office(folder: Path, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """What LibreOffice makes of texts, tables and presentations, in all its formats."""
    soffice = shutil.which("soffice") or shutil.which("libreoffice")
    if soffice is None:
        return
    sources: dict[str, tuple[str, ...]] = {}
    for number in range(COUNT):
        paragraphs = "".join(
            f"<p>{html.escape(text(chance))}</p><h2>{number}</h2>" for _ in range(8)
        )
        (folder / f"text{number}.html").write_text(
            f'<html><body>{paragraphs}<a href="https://client.example/">more</a></body></html>'
        )
        sources[f"text{number}.html"] = WRITER
        with (folder / f"table{number}.csv").open("w", encoding="utf-8") as file:
            csv.writer(file).writerows(table(chance))
        sources[f"table{number}.csv"] = CALC
        (folder / f"slides{number}.fodp").write_text(
            SLIDES.format(html.escape(text(chance)), html.escape(text(chance)))
        )
        sources[f"slides{number}.fodp"] = IMPRESS
    for ways in (WRITER, CALC, IMPRESS):
        names = [str(folder / name) for name, made in sources.items() if made == ways]
        for ending in ways:
            out = folder / f"made-{ending}-{len(names)}-{ways[0]}"
            command = [soffice, f"-env:UserInstallation=file://{folder}/profile", "--headless"]
            if ways == WRITER:
                command += ["--infilter=HTML (StarWriter)"]
            command += ["--convert-to", ending, "--outdir", str(out), *names]
            subprocess.run(command, capture_output=True, timeout=600, check=False)
            for path in sorted(out.glob("*")) if out.is_dir() else ():
                yield f"{path.stem}.{ending}", path.read_bytes()


SLIDES = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 office:mimetype="application/vnd.oasis.opendocument.presentation" office:version="1.2">
<office:body><office:presentation><draw:page draw:name="1"><draw:frame svg:width="20cm"
 svg:height="3cm" svg:x="2cm" svg:y="2cm"><draw:text-box><text:p>{0}</text:p></draw:text-box>
</draw:frame></draw:page><draw:page draw:name="2"><draw:frame svg:width="20cm" svg:height="3cm"
 svg:x="2cm" svg:y="2cm"><draw:text-box><text:p>{1}</text:p></draw:text-box></draw:frame>
</draw:page></office:presentation></office:body></office:document>"""


def mailed(name: str, content: bytes) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Ann <ann@client.example>", "Joe <joe@mx.example>"
    message["Subject"] = "Minutes"
    message.set_content("Hello Joe,\n\nthe file is attached.\n\nAnn\n")
    message.add_attachment(content, "application", "octet-stream", filename=name)
    return message.as_bytes()


def documents(folder: Path, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    makers: dict[str, Callable[[random.Random], Iterator[tuple[str, bytes]]]] = {
        "docx": word,
        "openpyxl": workbook,
        "pikepdf": portable,
    }
    for _ in range(COUNT):
        yield from texts(chance)
    for package, make in makers.items():
        if importlib.util.find_spec(package) is None:
            sys.stderr.write(f"left out, as {package} is not installed\n")
            continue
        for _ in range(COUNT):
            yield from make(chance)
    if not shutil.which("soffice") and not shutil.which("libreoffice"):
        sys.stderr.write("left out, as LibreOffice is not installed\n")
    yield from office(folder, chance)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="put what has a symbol into this folder")
    arguments = parser.parse_args()
    parts, chance = Parts(PartsSettings(verify_dkim=False)), random.Random(4711)
    made: Counter[str] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    numbers = itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in documents(Path(folder), chance):
            ending = name.partition(".")[2]
            made[ending] += 1
            verdict = parts.examine(Message(mailed(name, content), id="X1"))
            for symbol in verdict.symbols:
                found[symbol.name, ending] += 1
                print(f"{symbol.name} {name}: {symbol.detail}")
            if arguments.keep and verdict.symbols:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{next(numbers)}-{name}").write_bytes(content)
    print(f"{made.total()} documents: {', '.join(f'{n} {ending}' for ending, n in made.items())}")
    for (symbol, ending), count in found.items():
        print(f"{symbol}: {count} of {made[ending]} {ending} ({count / made[ending]:.1%})")
    if not found:
        print("no symbol in any")
    return 0


if __name__ == "__main__":
    sys.exit(main())
