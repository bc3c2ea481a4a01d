"""Links of a digest: what was signed comes back, anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.digest.links import LinkError, ReleaseLink, Signer

NOW = 1_800_000_000.0
LINK = ReleaseLink("1m83eby0tr9rk0th", "joe@mx.example", NOW + 100)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("q"))


def test_a_link_comes_back(signer: Signer) -> None:
    assert signer.link(signer.token(LINK), NOW) == LINK


def test_it_expires(signer: Signer) -> None:
    token = signer.token(LINK)
    assert signer.link(token, NOW + 99) == LINK
    with pytest.raises(LinkError, match="expired"):
        signer.link(token, NOW + 100)


def test_another_sites_key_is_worth_nothing(signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="not valid"):
        Signer(tmp_path).link(signer.token(LINK), NOW)


@given(st.integers(0, 10_000), st.integers(1, 63))
def test_one_changed_letter_is_found(signer: Signer, place: int, shift: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = signer.token(LINK)
    at = place % (len(token) - 1)  # the last one's low bits may mean nothing
    other = letters[(letters.index(token[at]) + shift) % 64]
    with pytest.raises(LinkError):
        signer.link(token[:at] + other + token[at + 1 :], NOW)


@given(st.text(max_size=300))
def test_anything_else_is_refused(signer: Signer, token: str) -> None:
    with pytest.raises(LinkError):
        signer.link(token, NOW)


def test_a_very_long_one_is_refused(signer: Signer) -> None:
    with pytest.raises(LinkError):
        signer.link("A" * 1_000_000, NOW)
