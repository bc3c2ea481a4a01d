"""An OpenID Provider, oidc-provider for Node.js, as unpacked by scripts/setup-system.sh; and the
browser of somebody who logs in there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from tests.helpers.certificates import server_context
from tests.helpers.process import Program, free_port, require, unpacked

SCRIPT = Path(__file__).parent / "oidc_provider" / "provider.mjs"

CLIENT, SECRET = "filterd", "a secret: with (everything)% and +"


class OidcServer:
    """The provider at `issuer`, proven by `ca`. people: name → claims; any password will do.
    redirect_uri: of filterd, which is the client `CLIENT`, and `public` without a secret."""

    def __init__(
        self, folder: Path, people: Mapping[str, Mapping[str, Any]], redirect_uri: str
    ) -> None:
        node = require("node", "nodejs")
        package = unpacked("oidc-provider") / "node_modules" / "oidc-provider"
        if not (package / "package.json").exists():
            require(package, "npm")
        _, self.ca = server_context(folder)
        port = free_port()
        self.issuer = f"https://localhost:{port}"
        common = {"redirect_uris": [redirect_uri], "response_types": ["code"]}
        settings = folder / "settings.json"
        settings.write_text(
            json.dumps(
                {
                    "module": str(package / "lib" / "index.js"),
                    "port": port,
                    "key": str(folder / "key.pem"),
                    "certificate": str(self.ca),
                    "clients": [
                        {"client_id": CLIENT, "client_secret": SECRET, **common},
                        {
                            "client_id": "public",
                            "token_endpoint_auth_method": "none",
                            **common,
                        },
                    ],
                    "people": people,
                }
            )
        )
        self.secret = folder / "secret"
        self.secret.touch(0o600)
        self.secret.write_text(SECRET + "\n")
        self.process = Program([node, SCRIPT, settings], folder, patience=5)

    def start(self) -> None:
        self.process.start(lambda: "listening" in self.process.output)

    def stop(self) -> None:
        self.process.stop()

    def browser(self) -> httpx.Client:
        """A browser that the provider does not know yet."""
        import ssl

        context = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(verify=context, timeout=60, trust_env=False)

    def logged_in(self, browser: httpx.Client, address: str, name: str) -> str:
        """What somebody does who is sent there: the address to which the provider sends back."""
        answer = browser.get(address)
        for _ in range(20):
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                if not target.startswith(self.issuer):
                    return target
                answer = browser.get(target)
                continue
            assert answer.status_code == 200, f"{answer.status_code} {answer.text[:3000]}"
            form = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
            assert form, answer.text[:3000]
            fields = dict(re.findall(r'<input[^>]*name="(\w+)" value="([^"]*)"', answer.text))
            if fields["prompt"] == "login":
                fields |= {"login": name, "password": "any"}
            answer = browser.post(unescape(form[1]), data=fields)
        raise AssertionError("the provider sends the browser in circles")
