"""A program that uses the REST interface of a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from httpx import Response

from filterd.review.principals import tokens_path
from filterd.review.tokens import TokenFile
from tests.helpers.site import Site


@dataclass
class Program:
    """Somebody with a token. secret: empty for none."""

    site: Site
    secret: str

    def get(self, path: str, **conditions: Any) -> Response:
        """Ask for something under /api."""
        # Without any, parameters that the path has would be taken away.
        return self.site.browser.get(f"/api{path}", params=conditions or None, headers=self.headers)

    def post(self, path: str, wish: Any = None, **more: Any) -> Response:
        """Have something done."""
        return self.site.browser.post(f"/api{path}", json=wish, headers=self.headers, **more)

    @property
    def headers(self) -> dict[str, str]:
        """What shows the token."""
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}


def tokens_of(site: Site) -> TokenFile:
    """The tokens of a site."""
    return TokenFile(tokens_path(site.state.settings))
