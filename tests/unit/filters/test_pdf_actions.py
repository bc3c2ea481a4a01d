"""PDF: what is done on opening, wherever the action stands, and objects that are hard to reach."""

from __future__ import annotations

import pytest

from filterd.filters.parts.filter import Parts
from filterd.filters.parts.settings import PartsSettings
from filterd.message import Message
from tests.hostile.tricks.archives import mailed
from tests.hostile.tricks.documents import object_stream, pdf, pdf_stream

pytestmark = pytest.mark.slow

LAUNCH = b"1 0 <</S/Launch/F(cmd.exe)>>"


def symbols(content: bytes) -> set[str]:
    verdict = Parts(PartsSettings()).examine(Message(mailed("a.pdf", content), id="X1"))
    return {symbol.name for symbol in verdict.symbols}


ASKING = {
    "elsewhere": pdf(b"<</OpenAction 2 0 R>>", b"<</S/URI/URI(http://x.example/)>>"),
    "of a page": pdf(b"<</AA 2 0 R>>", b"<</O 3 0 R>>", b"<</S/SubmitForm/F(http://x.example)>>"),
    "the address first": pdf(b"<</OpenAction<</URI(http://x.example/)/S/URI>>>>"),
    "behind much": pdf(b"<</OpenAction<</A(%s)/S/URI/URI(http://x.example)>>>>" % (b"x" * 900)),
    "behind a text with brackets": pdf(b"<</OpenAction<</A(>>>>)/S/URI/URI(http://x.example)>>>>"),
    "data": pdf(b"<</OpenAction<</S/ImportData/F(http://x.example/a.fdf)>>>>"),
    "a share": pdf(b"<</AA<</PO<</S/GoToR/F(//203.0.113.5/a)/D[0]>>>>>>"),
    "in an object stream": object_stream(b"1 0 <</OpenAction<</S/URI/URI(http://x.example)>>>>"),
}


@pytest.mark.parametrize("content", ASKING.values(), ids=ASKING)
def test_what_asks_others_on_opening(content: bytes) -> None:
    assert symbols(content) == {"DOC_REMOTE"}


BY_HAND = {
    "a link": pdf(b"<</Subtype/Link/A<</S/URI/URI(https://client.example)>>>>"),
    "a button": pdf(b"<</Subtype/Widget/AA<</U<</S/SubmitForm/F(https://bank.example)>>>>>>"),
    "a button, elsewhere": pdf(
        b"<</AA<</U 2 0 R/D 2 0 R>>>>", b"<</S/SubmitForm/F(https://bank.example)>>"
    ),
    "a place": pdf(b"<</OpenAction 2 0 R>>", b"<</S/GoTo/D[3 0 R/Fit]>>", b"<</S/URI>>"),
    "no object of that number": pdf(b"<</OpenAction 9 0 R>>", b"<</S/URI/URI(https://a.example)>>"),
}


@pytest.mark.parametrize("content", BY_HAND.values(), ids=BY_HAND)
def test_what_a_person_clicks_on(content: bytes) -> None:
    assert symbols(content) == set()


def test_a_link_to_a_share() -> None:
    link = b"<</Subtype/Link/A<</S/GoToR/F(\\\\\\\\%s\\\\docs\\\\a.pdf)>>>>"
    assert symbols(pdf(link % b"fs01")) == {"DOC_SHARE"}
    assert symbols(pdf(link % b"x.example")) == {"DOC_REMOTE"}


LAUNCHING = {
    "behind a mebibyte": object_stream(b"1 0 <</A(%s)>>" % (b"x" * (1 << 20)) + LAUNCH),
    "a long dictionary": pdf(
        b"<<>>", pdf_stream(b"/Type/ObjStm/N 1/First 4/A(%s)" % (b"y" * 5000), LAUNCH)
    ),
    "behind 2000 streams": pdf(
        *[pdf_stream(b"", b"x")] * 2001, pdf_stream(b"/Type/ObjStm/N 1/First 4", LAUNCH)
    ),
    "a line end of another kind": object_stream(LAUNCH).replace(b"stream\n", b"stream\r", 1),
    "a blank before it": object_stream(LAUNCH).replace(b"stream\n", b"stream \r\n", 1),
}


@pytest.mark.parametrize("content", LAUNCHING.values(), ids=LAUNCHING)
def test_objects_that_are_hard_to_reach(content: bytes) -> None:
    assert symbols(content) == {"DOC_LAUNCH"}


@pytest.mark.parametrize(
    "packing",
    [b"/Filter/LZWDecode", b"/Filter[/RunLengthDecode]", b"/DecodeParms<</Predictor 12>>"],
)
def test_objects_that_are_packed_oddly_are_told(packing: bytes) -> None:
    stream = b"<<%s%s>>\nstream\nabc\nendstream"
    assert symbols(pdf(stream % (b"/Type/ObjStm", packing))) == {"ARCHIVE_UNREADABLE"}
    assert symbols(pdf(stream % (b"/Subtype/Image", packing))) == set()
    assert symbols(pdf(stream % (b"/Type/XRef", packing))) == set()
