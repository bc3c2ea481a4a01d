"""What an OpenID Provider is asked over HTTPS: its metadata and keys, tokens for a code, claims.

Sources: OpenID Connect Discovery 1.0 §4 (metadata), RFC 7517 (keys), RFC 6749 §4.1.3 and RFC 7636
§4.5 (tokens), OpenID Connect Core 1.0 §5.3 (UserInfo). No redirect is followed, certificates are
checked, and each answer has limits in octets and in time.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from filterd.config.oidc import OidcSettings, is_safe_url
from filterd.review.outside_login import (
    LoginRefusedError,
    LoginUnavailableError,
    secret_line,
)
from filterd.system.bounded import json_value

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import KeySet

log = logging.getLogger(__name__)

ANSWER_OCTETS = 256 << 10
"""Of one answer of the provider."""

KEYS_LIMIT = 100
MEMBER_LIMIT = 2000
"""Keys of a provider, and characters of one number in a key: RSA with 12,000 bits."""

KEEP_SECONDS = 3600.0
"""For which metadata and keys are not asked for again."""

FAILED_SECONDS = 5.0
"""For which a provider that could not be asked for its metadata is not asked again."""

AGAIN_SECONDS = 60.0
"""Between two questions for keys because a token names one that is not known."""


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a provider says of itself. secret_in_body: the client's secret is a field of the form
    (`client_secret_post`), not HTTP Basic. tells_issuer: answers carry `iss` (RFC 9207)."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    secret_in_body: bool
    tells_issuer: bool


class OidcProvider:
    """One provider. For several threads. transport: in place of the network, for tests. Every
    question raises LoginUnavailableError, one with a code that is not known LoginRefusedError."""

    def __init__(
        self,
        settings: OidcSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._failed: tuple[float, str] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._tls: ssl.SSLContext | None = None

    def metadata(self) -> ProviderMetadata:
        """What it says of itself, asked once an hour; a failure is remembered for a moment, since
        anybody may ask for a login."""
        with self._lock:
            known, failed, now = self._metadata, self._failed, self._clock()
        if known is not None and now - known[0] < KEEP_SECONDS:
            return known[1]
        if failed is not None and now - failed[0] < FAILED_SECONDS:
            raise LoginUnavailableError(failed[1])
        try:
            found = self._discovered()
        except LoginUnavailableError as error:
            with self._lock:
                self._failed = (self._clock(), str(error))
            raise
        with self._lock:
            self._metadata = (self._clock(), found)
        return found

    def keys(self, kid: str | None) -> KeySet:
        """Its keys, asked once an hour; asked again, once a minute, where none is called `kid`."""
        with self._lock:
            known, now = self._keys, self._clock()
        if known is not None:
            age = now - known[0]
            is_known = kid is None or any(key.kid == kid for key in known[1])
            if age < KEEP_SECONDS and (is_known or age < AGAIN_SECONDS):
                return known[1]
        found = self._asked_keys()
        with self._lock:
            self._keys = (self._clock(), found)
        return found

    def tokens(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """The tokens that the code stands for."""
        own, metadata = self._settings, self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret = "" if own.secret_file is None else secret_line(own.secret_file)
        login: tuple[str, str] | None = None
        if not secret:
            form["client_id"] = own.client_id
        elif metadata.secret_in_body:
            form |= {"client_id": own.client_id, "client_secret": secret}
        else:
            # RFC 6749 §2.3.1: both are form-encoded before they become name and password.
            login = (quote(own.client_id, safe=""), quote(secret, safe=""))
        return self._json("POST", metadata.token, "tokens", data=form, auth=login)

    def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """The claims of a person, empty where the provider has no such place."""
        url = self.metadata().userinfo
        if not url:
            return {}
        if not access_token.isascii() or not access_token.isprintable():
            raise LoginUnavailableError(f"{self._where}: the access token is malformed")
        bearer = {"Authorization": f"Bearer {access_token}"}
        return self._json("GET", url, "claims (UserInfo)", headers=bearer)

    def _discovered(self) -> ProviderMetadata:
        issuer = self._settings.issuer
        url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        told = self._json("GET", url, "discovery")
        if told.get("issuer") != issuer:
            raise LoginUnavailableError(
                f"{self._where}: names itself {str(told.get('issuer'))[:200]!r}; "
                "expected what [oidc] issuer has, to the letter"
            )

        def endpoint(name: str, *, needed: bool = True) -> str:
            value = told.get(name, "")
            if not value and not needed:
                return ""
            if not isinstance(value, str) or not is_safe_url(value):
                raise LoginUnavailableError(
                    f"{self._where}: {name} is {str(value)[:200]!r}; expected an address with https"
                )
            return value

        methods = told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        methods = methods if isinstance(methods, list) else []
        return ProviderMetadata(
            endpoint("authorization_endpoint"),
            endpoint("token_endpoint"),
            endpoint("jwks_uri"),
            endpoint("userinfo_endpoint", needed=False),
            "client_secret_basic" not in methods and "client_secret_post" in methods,
            told.get("authorization_response_iss_parameter_supported") is True,
        )

    def _asked_keys(self) -> KeySet:
        from joserfc.errors import JoseError  # noqa: PLC0415  (an extra)
        from joserfc.jwk import KeySet, import_key  # noqa: PLC0415

        told = self._json("GET", self.metadata().keys, "keys").get("keys")
        found = []
        for one in (told if isinstance(told, list) else [])[:KEYS_LIMIT]:
            # A key of a kind that is not known is not an error (RFC 7517 §5).
            if not isinstance(one, dict) or one.get("use", "sig") != "sig":
                continue
            if one.get("kty") == "oct" or any(len(str(v)) > MEMBER_LIMIT for v in one.values()):
                continue
            try:
                found.append(import_key(one))
            except (JoseError, ValueError, TypeError, KeyError) as error:
                log.debug("%s: a key cannot be used: %s", self._where, error)
        if not found:
            raise LoginUnavailableError(f"{self._where}: has no key that can be used")
        return KeySet(found)

    def _json(self, method: str, url: str, what: str, **more: Any) -> Mapping[str, Any]:
        """An object. Raises LoginUnavailableError, which says what was asked for."""
        try:
            import httpx  # noqa: PLC0415  (an extra)
        except ImportError:
            raise LoginUnavailableError(MISSING) from None
        try:
            status, body = asyncio.run(self._answer(method, url, **more))
        except TimeoutError:
            told = f"no answer within {self._settings.timeout:g} s"
            raise LoginUnavailableError(f"{self._where}: {what}: {told}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            told = str(error) or type(error).__name__
            raise LoginUnavailableError(f"{self._where}: {what}: {told}") from None
        try:
            value = json_value(body)
        except ValueError:
            value = None
        if status != 200:
            # RFC 6749 §5.2; the description is for developers.
            known = value if isinstance(value, dict) else {}
            if status == 400 and known.get("error") == "invalid_grant":
                raise LoginRefusedError("the OpenID Provider does not know the code")
            told = " ".join(str(known.get(key, ""))[:200] for key in ("error", "error_description"))
            raise LoginUnavailableError(f"{self._where}: {what}: HTTP {status} {told!r}")
        if not isinstance(value, dict):
            raise LoginUnavailableError(f"{self._where}: {what}: the answer is not a JSON object")
        return value

    async def _answer(self, method: str, url: str, **more: Any) -> tuple[int, bytes]:
        """Status and body. Raises httpx.HTTPError, TimeoutError, OSError, LoginUnavailableError."""
        import httpx  # noqa: PLC0415

        # What is not compressed cannot be larger than it looks.
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            **more.pop("headers", {}),
        }
        client = httpx.AsyncClient(
            verify=self._context(),
            transport=self._transport,
            trust_env=False,
            timeout=self._settings.timeout,
        )
        async with asyncio.timeout(self._settings.timeout), client:
            asked = client.stream(method, url, headers=headers, follow_redirects=False, **more)
            async with asked as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise LoginUnavailableError(f"{self._where}: a compressed answer")
                body = b""
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > ANSWER_OCTETS:
                        raise LoginUnavailableError(
                            f"{self._where}: an answer of more than {ANSWER_OCTETS >> 10} KiB"
                        )
                return response.status_code, body

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            ca = self._settings.ca
            self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        return self._tls

    @property
    def _where(self) -> str:
        return f"OpenID Provider {self._settings.issuer}"


MISSING = "the packages httpx and joserfc are missing (extra oidc)"
