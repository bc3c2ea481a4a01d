"""What a directory's answer does to a login, without the directory."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from filterd.config.ldap import LdapSettings
from filterd.review.ldap_login import LdapLogin


class Answering(LdapLogin):
    """A directory that finds one entry, and to which any bind succeeds, an anonymous one too."""

    dn = ""

    @contextmanager
    def _bound(self, dn: str, password: str) -> Iterator[Any]:
        yield object()

    def _search(self, *_: object) -> list[tuple[str, dict[str, list[str]]]]:
        return [(self.dn, {"mail": ["ida@mx.example"]})]

    def _password(self) -> str:
        return "secret"


@pytest.mark.parametrize(("dn", "is_in"), [("uid=ida,dc=mx", True), ("", False)])
def test_an_entry_without_a_name_lets_nobody_in(
    dn: str, is_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Answering(
        LdapSettings(url="ldaps://localhost", base="dc=mx", others="user"), users=True
    )
    directory.dn = dn
    with caplog.at_level(logging.ERROR):
        assert (directory.verify("ida", "any password") is not None) == is_in
    assert ("has no name" in caplog.text) == (not is_in)
