"""What filterd sees in a message beside what another project's tests expect of theirs.

MIME-tools, Apache James Mime4J and GMime ship what their parser makes of a message: part trees,
types, sizes, file names, contents. Where we differ, the reason stands here, by file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.agreement import SUITES
from tests.hostile.corpus import unpacked

_UU = "files in uuencode are another reading here, not parts of the tree"
_WHOLE = "a message encoded as a whole is opened as another reading, not in place"
_BLANKS = "the boundary ends in blanks, which RFC 2046 §5.1.1 forbids and gateways drop"
_CUT = "the header ends at the line that is no field, as in sendmail; going on is another reading"
_EMPTY = "a multipart without a part shows its octets as one body"
_LAST = "base64 that breaks off: what is left of the last quantum is decoded"

EXPLAINED: dict[str, dict[str, str]] = {
    "MIME-tools": {
        "ak-0696-replace": "nested messages were replaced by the test's own request",
        "multi-digest": "its type is `text` there, what such a type means here",
        "multi-nested2": "one line end less before a boundary",
        "multi-weirdspace": "one line end more before a boundary",
        "russian": "the name is kept as escapes there",
        "uu-junk-extracted": _UU,
        "uu-zeegee": _UU,
    },
    "Mime4J, trees": {
        "badbound": _EMPTY,
        "hdr-fakeout": _CUT,
        "multi-2gifs-base64": _WHOLE,
        "bad-newlines-multiple-parts-base64": _WHOLE,
        "base64encoded-rfc822message-nested": _WHOLE,
        "base64encoded-rfc822message": _WHOLE,
        "basic-plain-with-bad-header-separator": _CUT,
        "ending-boundaries": "the boundary with text behind it is another reading",
        "malformedHeader-nocrlfcrlf": _CUT,
        "malformedHeader-noheader": _CUT,
        "malformedHeaderStartsBody-nocrlfcrlf": _CUT,
        "malformedHeaderStartsBody-noheader": _CUT,
        "missing-boundary": _EMPTY,
        "missing-inner-boundary": _EMPTY,
        "missing-inner-start-boundary": _EMPTY,
        "multipartnopart": _EMPTY,
        "obsolete": _CUT,
        "very-long-boundary": _BLANKS,
        "very-very-long-boundary": _BLANKS,
        "weird-boundary": _BLANKS,
    },
    "Mime4J, contents": {
        "frag": _LAST,
        "multi-frag": _LAST,
        "hdr-fakeout": _CUT,
        "multi-2gifs-base64": _WHOLE,
        "bad-newlines-multiple-parts-base64": _WHOLE,
        "base64encoded-rfc822message-nested": _WHOLE,
        "base64encoded-rfc822message": _WHOLE,
        "basic-plain-with-bad-header-separator": _CUT,
        "ending-boundaries": "the boundary with text behind it is another reading",
        "malformedHeader-nocrlfcrlf": _CUT,
        "malformedHeader-noheader": _CUT,
        "malformedHeaderStartsBody-nocrlfcrlf": _CUT,
        "malformedHeaderStartsBody-noheader": _CUT,
        "missing-inner-boundary": _EMPTY,
        "multipartemptypart": "empty parts are numbered otherwise there; the trees agree",
        "multipartnestedemptyparts": "empty parts are numbered otherwise there; the trees agree",
        "obsolete": _CUT,
        "very-long-boundary": _BLANKS,
        "very-very-long-boundary": _BLANKS,
        "weird-boundary": _BLANKS,
    },
    "GMime, encodings": {},
}
"""Suite → file → why we see something else."""

MESSAGES = {"MIME-tools": 25, "Mime4J, trees": 78, "Mime4J, contents": 77, "GMime, encodings": 3}
"""How many there are to compare, lest a comparison of nothing passes."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("mime-torture", tmp_path_factory.mktemp("torture"))


@pytest.mark.parametrize("suite", SUITES)
def test_filterd_agrees_but_for_what_is_explained(suite: str, samples: Path) -> None:
    place, compare = SUITES[suite]
    results = list(compare(samples / place))
    different = {Path(name).stem for name, _facts, rows in results if rows}

    assert len(results) == MESSAGES[suite]
    assert different == set(EXPLAINED[suite])
