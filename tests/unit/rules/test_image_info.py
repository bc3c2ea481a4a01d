"""ImageInfo: pictures are counted and measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.rules.evals.image_info import gif_size, jpeg_size, png_size
from tests.unit.rules.eval_mail import attached, gif, jpeg, message, png, says

DATA = message(
    "Content-Type: text/plain\n\n" + "otter " * 20,
    attached("image/png", png(400, 300), "banner.png"),
    attached("image/gif", gif(10, 20), "dot.gif"),
    attached("image/jpg", jpeg(100, 50)),
    "Content-Type: image/gif\n\nGIF89a and not base64",
)


@pytest.mark.parametrize("size", [(1, 1), (30, 20), (1200, 800)])
def test_sizes(size: tuple[int, int]) -> None:
    width, height = size
    assert png_size(png(width, height)) == (height, width)
    assert gif_size(gif(width, height)) == (height, width)
    assert jpeg_size(jpeg(width, height)) == (height, width)


@pytest.mark.parametrize(
    ("test", "arguments", "expected"),
    [
        ("image_count", ("all", "3", "3"), True),
        ("image_count", ("all", "4"), False),
        ("image_count", ("jpeg", "1", "1"), True),
        ("image_count", ("gif", "0", "0"), False),
        ("image_count", ("tiff", "0"), False),
        ("pixel_coverage", ("png", "120000", "120000"), True),
        ("pixel_coverage", ("all", "125200", "125200"), True),
        ("pixel_coverage", ("gif", "201"), False),
        ("image_size_exact", ("png", "300", "400"), True),
        ("image_size_exact", ("png", "400", "300"), False),
        ("image_size_range", ("all", "40", "90", "60", "110"), True),
        ("image_size_range", ("all", "310", "10"), False),
        ("image_to_text_ratio", ("all", "0.001", "0.002"), True),
        ("image_to_text_ratio", ("all", "0.1", "9"), False),
        ("image_named", ("dot.gif",), True),
        ("image_named", ("otter.gif",), False),
        ("image_name_regex", ("/^BANN/i",), True),
        ("image_name_regex", ("/^otter/",), False),
    ],
)
def test_tests(test: str, arguments: tuple[str, ...], expected: bool) -> None:
    assert says(DATA, test, *arguments) is expected


def test_no_pictures() -> None:
    data = message("Content-Type: text/plain\n\notter")
    assert says(data, "image_count", "all", "0", "0") is True
    assert says(data, "pixel_coverage", "all", "1") is False
    assert says(data, "image_to_text_ratio", "all", "0", "9") is False


@given(st.binary(max_size=300))
def test_any_octets_have_a_size(data: bytes) -> None:
    for start, size in (
        (b"\x89PNG\r\n\x1a\n", png_size),
        (b"\xff\xd8", jpeg_size),
        (b"GIF89a", gif_size),
        (b"", gif_size),
    ):
        height, width = size(start + data)
        assert height >= 0
        assert width >= 0
