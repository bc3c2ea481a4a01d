"""Logging in at an OpenID Provider: the authorization code flow with PKCE, a role by group.

Sources: OpenID Connect Core 1.0 §3.1, RFC 7636 (PKCE), RFC 9207 (`iss` in the answer), RFC 9700
(best current practice). The person's password is typed at the provider; filterd gets a code through
the browser and fetches the ID token for it itself, which is checked all the same.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from filterd.config.oidc import OidcRoleSettings, OidcSettings
from filterd.message.address import AddressPatternError, checked_mailbox, readable
from filterd.review.oidc_provider import MISSING, OidcProvider
from filterd.review.outside_login import (
    LoginRefusedError,
    LoginUnavailableError,
    secret_line,
)
from filterd.review.principals import Principal

if TYPE_CHECKING:
    from joserfc.jwk import GuestProtocol, KeySet

log = logging.getLogger(__name__)

LOGINS_LIMIT = 8
"""Logins that talk to the provider at a time; others wait for a turn, as long as for an answer."""

TOKEN_OCTETS = 64 << 10
"""Of an ID token."""

GROUPS_LIMIT = 1000
"""Groups of one person that are looked at."""

FRESH_SECONDS = 300.0
"""A person who has typed the password so lately need not prove that it is still the same."""

ALGORITHMS = (
    "RS256",
    "PS256",
    "ES256",
    "EdDSA",
    "RS384",
    "PS384",
    "ES384",
    "RS512",
    "PS512",
    "ES512",
)
"""Signatures of ID tokens; none with a shared secret, and never none at all."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,62}[A-Za-z0-9])?")
"""Names that a person may have here."""


class OidcLogin:
    """The people of one provider. redirect_uri: where it sends browsers back to. clock: the time
    of day."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        users: bool,
        redirect_uri: str,
        provider: OidcProvider | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._users = users
        self._redirect_uri = redirect_uri
        self._provider = provider or OidcProvider(settings)
        self._clock = clock
        self._turn = threading.BoundedSemaphore(LOGINS_LIMIT)

    @property
    def is_used(self) -> bool:
        """True if there is a provider."""
        return bool(self._settings.issuer)

    def check(self) -> None:
        """Raises LoginUnavailableError for what can be known to be wrong without the provider."""
        if any(importlib.util.find_spec(name) is None for name in ("httpx", "joserfc")):
            raise LoginUnavailableError(MISSING)
        path = self._settings.secret_file
        if path is not None and not secret_line(path):
            raise LoginUnavailableError(f"{path}: the first line is empty; expected the secret")

    def ask(self) -> None:
        """Raises LoginUnavailableError if the provider cannot be asked what it is."""
        self._provider.metadata()
        self._provider.keys(None)

    def authentication_request(self, state: str, nonce: str, verifier: str, *, again: bool) -> str:
        """The address to which the browser goes. again: the password shall be typed, even where the
        provider knows the browser. Raises LoginUnavailableError."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(["openid", *self._settings.scopes]),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if again:
            asked |= {"prompt": "login", "max_age": "0"}
        with self._one_of_few():
            address = self._provider.metadata().authorization
        return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"

    def authenticate(
        self, code: str, issuer: str, nonce: str, verifier: str
    ) -> tuple[Principal, bool]:
        """Who came back with that code, and whether this person has just typed the password.
        issuer: `iss` of the answer, empty if there was none. Raises LoginRefusedError and
        LoginUnavailableError."""
        with self._one_of_few():
            metadata = self._provider.metadata()
            if (issuer or metadata.tells_issuer) and issuer != self._settings.issuer:
                raise LoginUnavailableError(
                    f"an answer of {issuer[:200]!r}; expected {self._settings.issuer!r}"
                )
            tokens = self._provider.tokens(code, verifier, self._redirect_uri)
            claims = self._checked(tokens.get("id_token"), nonce)
            claims = {**self._more(claims, tokens.get("access_token")), **claims}
        return self._principal(claims), self._is_fresh(claims)

    def _one_of_few(self) -> _Turn:
        return _Turn(self._turn, self._settings.timeout)

    def _checked(self, token: object, nonce: str) -> dict[str, Any]:
        """The claims of an ID token, checked as OpenID Connect Core 1.0 §3.1.3.7 says."""
        from joserfc import errors, jwt  # noqa: PLC0415  (an extra)

        own, now = self._settings, self._clock()
        if not isinstance(token, str) or not token.isascii() or len(token) > TOKEN_OCTETS:
            raise LoginUnavailableError(f"{self._where}: no ID token, or one of too many octets")
        registry = jwt.JWTClaimsRegistry(
            now=int(now),
            leeway=math.ceil(own.leeway),
            iss={"essential": True, "value": own.issuer},
            aud={"essential": True, "value": own.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        claims: dict[str, Any] = {}
        try:
            claims = jwt.decode(token, self._key_set, algorithms=ALGORITHMS).claims
            registry.validate(claims)
        except (errors.JoseError, ValueError, TypeError, RecursionError) as error:
            told = f"{self._where}: the ID token is not accepted: {str(error)[:300]}"
            raise LoginUnavailableError(told + self._skew(claims, now)) from None
        is_shared = len(_texts(claims["aud"])) > 1 or "azp" in claims
        if is_shared and claims.get("azp") != own.client_id:
            raise LoginUnavailableError(f"{self._where}: the ID token is for another client")
        return claims

    def _key_set(self, token: GuestProtocol) -> KeySet:
        kid = token.headers().get("kid")
        return self._provider.keys(kid if isinstance(kid, str) else None)

    def _skew(self, claims: Mapping[str, Any], now: float) -> str:
        """What the clocks say, where they differ by more than is allowed."""
        issued, leeway = claims.get("iat"), self._settings.leeway
        if not isinstance(issued, int | float) or not math.isfinite(issued):
            return ""
        if abs(now - issued) <= leeway:
            return ""
        way = "ahead of" if issued > now else "behind"
        seconds = min(round(abs(now - issued)), 10**9)
        return f" (it was made {seconds} s {way} this host's clock; leeway is {leeway:g} s)"

    def _more(self, claims: Mapping[str, Any], access_token: object) -> Mapping[str, Any]:
        """Claims that the ID token lacks and UserInfo has."""
        own = self._settings
        wanted = {"email", "email_verified", own.name_claim}
        if own.roles:
            wanted.add(own.groups_claim)
        if wanted <= claims.keys() or not isinstance(access_token, str) or not access_token:
            return {}
        found = self._provider.userinfo(access_token)
        if found and found.get("sub") != claims["sub"]:
            # OpenID Connect Core 1.0 §5.3.2.
            raise LoginUnavailableError(f"{self._where}: UserInfo is about another person")
        return {name: found[name] for name in wanted & found.keys()}

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        who = f"{str(claims['sub'])[:100]!r}"
        found = self._role(claims)
        if found is None and not self._settings.others:
            raise LoginRefusedError(f"{who} is in no group that has a role")
        if found is not None and found.role != "user":
            return Principal(self._name(claims, who), found.role, "", domains=found.domains)
        if not self._users:
            raise LoginRefusedError(f"{who} has the role user, and [users] is not enabled")
        address = self._address(claims, who)
        return Principal(address, "user", "", recipients=(address,))

    def _role(self, claims: Mapping[str, Any]) -> OidcRoleSettings | None:
        groups = set(_texts(claims.get(self._settings.groups_claim))[:GROUPS_LIMIT])
        return next((one for one in self._settings.roles if one.group in groups), None)

    def _name(self, claims: Mapping[str, Any], who: str) -> str:
        key = self._settings.name_claim
        name = claims.get(key)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise LoginRefusedError(
                f"{who} has {str(name)[:100]!r} as {key}; expected up to 64 letters, digits, ._@+-"
            )
        return name.lower()

    def _address(self, claims: Mapping[str, Any], who: str) -> str:
        """Whose mail a user has. An address that nobody has verified may be anybody's."""
        address = claims.get("email")
        if claims.get("email_verified") is not True:
            raise LoginRefusedError(f"{who}: the provider does not say that email is verified")
        address = address if isinstance(address, str) else ""
        try:
            checked_mailbox(address)
        except AddressPatternError:
            told = f"{who} has {address[:100]!r} as email; expected an address"
            raise LoginRefusedError(told) from None
        return readable(address)

    def _is_fresh(self, claims: Mapping[str, Any]) -> bool:
        told = claims.get("auth_time")
        if not isinstance(told, int | float) or not math.isfinite(told):
            return False
        return abs(self._clock() - told) <= FRESH_SECONDS

    @property
    def _where(self) -> str:
        return f"OpenID Provider {self._settings.issuer}"


class _Turn:
    """One of the logins that may talk to the provider."""

    def __init__(self, turn: threading.BoundedSemaphore, timeout: float) -> None:
        self._turn, self._timeout = turn, timeout

    def __enter__(self) -> None:
        if not self._turn.acquire(timeout=self._timeout):
            raise LoginUnavailableError("too many logins wait for the OpenID Provider")

    def __exit__(self, *_: object) -> None:
        self._turn.release()


def _texts(value: object) -> list[str]:
    """A text, or those of a list."""
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
