"""PDFInfo: names, pictures, properties and checksums of attached PDF files.

Source: Mail::SpamAssassin::Plugin::PDFInfo(3). Addresses in the files are not among the message's.
"""

from __future__ import annotations

import re

from filterd.rules.evals.arguments import is_within, pattern
from filterd.rules.evals.pdf_file import PdfFile, read_pdf
from filterd.rules.evals.pictures import is_any_matched, is_named, is_ratio_within, is_size_within
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::PDFInfo")

_TYPE = re.compile(r"(?:image|application)/(pdf|octet-stream)")
_NAME = re.compile(rb"\.[fp]df$", re.IGNORECASE)


class PdfFiles:
    """The PDF files of a message: those that are attached as such, and what is in them.

    count: how many are attached. names: of those that are PDF files. pixels: the pictures of the
    last one that has any.
    """

    def __init__(self, view: View) -> None:
        self.count = 0
        self.names: set[bytes] = set()
        self.files: list[PdfFile] = []
        self.pixels = 0
        for part in view.parts.leaves():
            kind = _TYPE.fullmatch(part.type)
            name = part.name or b""
            if kind is None or not (kind[1] == "pdf" or _NAME.search(name)):
                continue
            self.count += 1
            found = read_pdf(part.content)
            if found.is_pdf:
                self.files.append(found)
                self.names |= {name} if name else set()
                self.pixels = found.area or self.pixels

    @property
    def sizes(self) -> set[tuple[int, int]]:
        """(height, width) of all pictures."""
        return {size for file in self.files for size in file.sizes}


def pdf_files(view: View) -> PdfFiles:
    """The PDF files of a message, looked for once."""
    found = view.notes.get("pdf_info")
    if not isinstance(found, PdfFiles):
        found = view.notes["pdf_info"] = PdfFiles(view)
    return found


@PLUGIN.test("pdf_count")
def pdf_count(view: View, least: str, most: str | None = None) -> bool:
    """How many PDF files are attached."""
    return is_within(pdf_files(view).count, least, most)


@PLUGIN.test("pdf_image_count")
def pdf_image_count(view: View, least: str, most: str | None = None) -> bool:
    """How many pictures are seen in them."""
    return is_within(sum(file.images for file in pdf_files(view).files), least, most)


@PLUGIN.test("pdf_pixel_coverage")
def pdf_pixel_coverage(view: View, least: str, most: str | None = None) -> bool:
    """The area of their pictures, in pixels."""
    pixels = pdf_files(view).pixels
    return pixels > 0 and is_within(pixels, least, most)


@PLUGIN.test("pdf_image_to_text_ratio")
def pdf_image_to_text_ratio(view: View, least: str, below: str) -> bool:
    """Octets of the message's text to pixels."""
    return is_ratio_within(view, pdf_files(view).pixels, least, below)


@PLUGIN.test("pdf_image_size_exact")
def pdf_image_size_exact(view: View, height: str, width: str) -> bool:
    """A picture of that height and width in pixels."""
    return (int(height), int(width)) in pdf_files(view).sizes


@PLUGIN.test("pdf_image_size_range")
def pdf_image_size_range(
    view: View,
    least_height: str,
    least_width: str,
    most_height: str | None = None,
    most_width: str | None = None,
) -> bool:
    """A picture whose height and width, in pixels, are within bounds."""
    sizes = pdf_files(view).sizes
    return is_size_within(sizes, least_height, least_width, most_height, most_width)


@PLUGIN.test("pdf_named")
def pdf_named(view: View, name: str) -> bool:
    """A file of that name."""
    return is_named(pdf_files(view).names, name)


@PLUGIN.test("pdf_name_regex")
def pdf_name_regex(view: View, regexp: str) -> bool:
    """A file whose name matches."""
    return is_any_matched(pdf_files(view).names, regexp)


@PLUGIN.test("pdf_match_details")
def pdf_match_details(view: View, detail: str, regexp: str) -> bool:
    """`author`, `creator`, `created`, `modified`, `producer` or `title` matches."""
    compiled = pattern(regexp)
    return any(
        compiled.search(value) is not None
        for file in pdf_files(view).files
        for value in file.details.get(detail, ())
    )


@PLUGIN.test("pdf_match_md5")
def pdf_match_md5(view: View, checksum: str) -> bool:
    """A file with that MD5."""
    return any(checksum.upper() in file.checksums for file in pdf_files(view).files)


@PLUGIN.test("pdf_match_fuzzy_md5")
def pdf_match_fuzzy_md5(view: View, checksum: str) -> bool:
    """A file with that MD5 of its first lines or of its keys."""
    return any(checksum.upper() in file.fuzzy for file in pdf_files(view).files)


@PLUGIN.test("pdf_is_encrypted")
def pdf_is_encrypted(view: View) -> bool:
    """A file is encrypted."""
    return any(file.is_encrypted for file in pdf_files(view).files)


@PLUGIN.test("pdf_is_empty_body")
def pdf_is_empty_body(view: View, most: str = "0") -> bool:
    """A file is attached, and the message has no more text than so many octets."""
    if not pdf_files(view).count:
        return False
    text = sum(len(line) for line in view.body[1:] if line.strip())
    return text <= float(most)
