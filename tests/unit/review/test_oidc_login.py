"""What an OpenID Provider could say that must let nobody in."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from filterd.config.oidc import OidcRoleSettings, OidcSettings
from filterd.review.oidc_login import OidcLogin
from filterd.review.oidc_provider import AGAIN_SECONDS, ANSWER_OCTETS, OidcProvider
from filterd.review.outside_login import LoginRefusedError, LoginUnavailableError

ISSUER = "https://login.mx.example"
NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
STRANGE = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
LATER = ECKey.generate_key("P-256", {"kid": "two"})

SETTINGS = OidcSettings(
    issuer=ISSUER,
    client_id="filterd",
    roles=(OidcRoleSettings("postmasters", "admin"),),
    others="user",
)
CLAIMS = {
    "iss": ISSUER,
    "aud": "filterd",
    "sub": "4711",
    "iat": NOW - 2,
    "exp": NOW + 300,
    "nonce": "nonce",
    "preferred_username": "Ida",
    "email": "ida@mx.example",
    "email_verified": True,
    "groups": ["staff", "postmasters"],
}


class Body(httpx.AsyncByteStream):
    """A body that comes in pieces, as from a network."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._data), 50_000):
            yield self._data[start : start + 50_000]


class Provider:
    """What is served: metadata, keys, the claims of the ID token, UserInfo; `asked` has the paths,
    `form` the last form."""

    def __init__(self) -> None:
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/userinfo",
        }
        self.keys: list[Any] = [KEY.as_dict(private=False)]
        self.signing: Any = KEY
        self.header = {"alg": "RS256", "kid": "one"}
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.userinfo: Any = {}
        self.token: str | None = None
        self.answers: dict[str, httpx.Response] = {}
        self.asked: list[str] = []
        self.form: dict[str, list[str]] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        found = self._answer(request)
        fields = {name: value for name, value in found.headers.items() if name == "location"}
        return httpx.Response(found.status_code, headers=fields, stream=Body(found.content))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/token":
            self.form = parse_qs(request.content.decode())
            token = self.token
            if token is None:
                token = jwt.encode(self.header, self.claims, self.signing)
            return httpx.Response(200, json={"id_token": token, "access_token": "abc"})
        return httpx.Response(
            200,
            json={
                "/.well-known/openid-configuration": self.metadata,
                "/keys": {"keys": self.keys},
                "/userinfo": self.userinfo,
            }[path],
        )


@pytest.fixture
def provider() -> Provider:
    return Provider()


def login(
    provider: Provider, settings: OidcSettings = SETTINGS, *, users: bool = True
) -> OidcLogin:
    return OidcLogin(
        settings,
        users=users,
        redirect_uri="https://filter.mx.example/login/oidc/callback",
        provider=OidcProvider(settings, httpx.MockTransport(provider.answer), lambda: 0.0),
        clock=lambda: NOW,
    )


def authenticated(provider: Provider, settings: OidcSettings = SETTINGS, iss: str = "") -> Any:
    person, _ = login(provider, settings).authenticate("code", iss, "nonce", "verifier")
    return person


def test_a_good_token(provider: Provider) -> None:
    ida = authenticated(provider)
    assert (ida.name, ida.role) == ("ida", "admin")
    assert provider.form["code_verifier"] == ["verifier"]
    assert provider.form["client_id"] == ["filterd"]
    assert "/userinfo" not in provider.asked, "the ID token has all"


def test_the_request(provider: Provider) -> None:
    address = login(provider).authentication_request("s", "n", "v" * 64, again=False)
    asked = {name: one for name, (one,) in parse_qs(urlsplit(address).query).items()}
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code",
        "client_id": "filterd",
        "redirect_uri": "https://filter.mx.example/login/oidc/callback",
        "scope": "openid email profile",
        "state": "s",
        "nonce": "n",
        "code_challenge_method": "S256",
    }


def test_the_challenge_of_rfc_7636_appendix_b(provider: Provider) -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    address = login(provider).authentication_request("s", "n", verifier, again=True)
    asked = parse_qs(urlsplit(address).query)
    assert asked["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
    assert asked["prompt"] == ["login"]
    assert asked["max_age"] == ["0"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iss": "https://evil.example"}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": ["other", "third"]}, "aud"),
        ({"aud": ["filterd", "other"]}, "another client"),
        ({"aud": ["filterd", "other"], "azp": "other"}, "another client"),
        ({"azp": "other"}, "another client"),
        ({"nonce": "of another login"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": None}, "sub"),
        ({"sub": 7}, "sub"),
        ({"exp": NOW - 61}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": NOW + 3600, "exp": NOW + 4000}, "3600 s ahead of this host's clock"),
        ({"iat": NOW - 7200, "exp": NOW - 7000}, "7200 s behind this host's clock"),
        ({"nbf": NOW + 3600}, "not yet valid"),
    ],
)
def test_claims_that_are_not_for_us(
    provider: Provider, changes: dict[str, Any], words: str
) -> None:
    merged = {**CLAIMS, **changes}
    provider.claims = {name: value for name, value in merged.items() if value is not None}
    with pytest.raises(LoginUnavailableError, match=words):
        authenticated(provider)


def test_two_audiences_with_our_azp(provider: Provider) -> None:
    provider.claims |= {"aud": ["filterd", "other"], "azp": "filterd"}
    assert authenticated(provider).name == "ida"


def test_the_clocks_may_differ_by_the_leeway(provider: Provider) -> None:
    provider.claims |= {"iat": NOW + 59, "exp": NOW + 300}
    assert authenticated(provider).name == "ida"
    provider.claims |= {"iat": NOW - 200, "exp": NOW - 59}
    assert authenticated(provider).name == "ida"


NONE, HS256 = b'{"alg":"none"}', b'{"alg":"HS256","kid":"one"}'


def part(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def unsigned() -> str:
    return f"{part(NONE)}.{part(json.dumps(CLAIMS).encode())}."


def by_public_key() -> str:
    """As if the public key, which everybody has, were a shared secret."""
    told = f"{part(HS256)}.{part(json.dumps(CLAIMS).encode())}"
    return f"{told}.{part(hmac.digest(KEY.as_pem(private=False), told.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "a" * 70_000,
        "\u00e4.b.c",
        unsigned(),
        jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, STRANGE),
        by_public_key(),
        jwt.encode({"alg": "HS256"}, CLAIMS, OctKey.import_key("filterd's secret, known to both")),
        jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, KEY)[:-6] + "AAAAAA",
        jwt.encode({"alg": "RS256", "kid": "three"}, CLAIMS, KEY),
    ],
)
def test_tokens_that_prove_nothing(provider: Provider, token: str) -> None:
    provider.token = token
    with pytest.raises(LoginUnavailableError):
        authenticated(provider)


def test_new_keys_are_asked_for_once_a_minute(provider: Provider) -> None:
    now = [0.0]
    asked = OidcProvider(SETTINGS, httpx.MockTransport(provider.answer), lambda: now[0])
    asked.keys("one")
    provider.keys.append(LATER.as_dict(private=False))
    for _ in range(3):
        assert all(key.kid != "two" for key in asked.keys("two"))
    now[0] = AGAIN_SECONDS
    assert any(key.kid == "two" for key in asked.keys("two"))
    assert provider.asked.count("/keys") == 2


def test_keys_that_cannot_be_used_are_left_out(provider: Provider) -> None:
    provider.keys = [
        None,
        "x",
        {},
        {"kty": "PQ", "kid": "one"},
        {"kty": "RSA", "kid": "one", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "one", "n": "A" * 3000, "e": "AQAB"},
        {"kty": "oct", "kid": "one", "k": "c2VjcmV0"},
        {**KEY.as_dict(private=False), "use": "enc"},
    ]
    with pytest.raises(LoginUnavailableError, match="no key that can be used"):
        authenticated(provider)
    provider.keys.append(KEY.as_dict(private=False))
    assert authenticated(provider).name == "ida"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": f"{ISSUER}/"}, "names itself"),
        ({"issuer": None}, "names itself"),
        ({"token_endpoint": "http://login.mx.example/token"}, "token_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "authorization_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"userinfo_endpoint": 7}, "userinfo_endpoint"),
        ({"token_endpoint": None}, "token_endpoint"),
    ],
)
def test_metadata_that_is_not_believed(
    provider: Provider, changes: dict[str, Any], words: str
) -> None:
    provider.metadata |= changes
    with pytest.raises(LoginUnavailableError, match=words):
        authenticated(provider)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(404), "HTTP 404"),
        (httpx.Response(302, headers={"location": "https://evil.example/"}), "HTTP 302"),
        (httpx.Response(200, content=b"<html>"), "not a JSON object"),
        (httpx.Response(200, content=b"[" * 100_000), "not a JSON object"),
        # Not even where it is valid: C code would need as much of a thread's stack.
        (httpx.Response(200, content=b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"), "not a JSON"),
        (httpx.Response(200, content=b"[]"), "not a JSON object"),
        (httpx.Response(200, content=b" " * (ANSWER_OCTETS + 1)), "more than 256 KiB"),
    ],
)
def test_answers_that_are_none(provider: Provider, response: httpx.Response, words: str) -> None:
    provider.answers["/.well-known/openid-configuration"] = response
    with pytest.raises(LoginUnavailableError, match=words):
        authenticated(provider)


def test_a_provider_that_never_ends_is_left_in_time() -> None:
    async def slow(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    settings = replace(SETTINGS, timeout=0.05)
    asked = OidcProvider(settings, httpx.MockTransport(slow))
    with pytest.raises(LoginUnavailableError, match=r"no answer within 0\.05 s"):
        asked.metadata()


def test_a_failure_is_remembered_for_a_moment(provider: Provider) -> None:
    now = [0.0]
    asked = OidcProvider(SETTINGS, httpx.MockTransport(provider.answer), lambda: now[0])
    provider.answers["/.well-known/openid-configuration"] = httpx.Response(500)
    for _ in range(3):
        with pytest.raises(LoginUnavailableError, match="HTTP 500"):
            asked.metadata()
    assert len(provider.asked) == 1
    provider.answers.clear()
    now[0] = 5.0
    assert asked.metadata().token == f"{ISSUER}/token"


def test_a_code_that_is_not_known_is_no_failure_of_the_provider(provider: Provider) -> None:
    provider.answers["/token"] = httpx.Response(400, json={"error": "invalid_grant"})
    with pytest.raises(LoginRefusedError):
        authenticated(provider)


@pytest.mark.parametrize("iss", ["https://evil.example", f"{ISSUER}/"])
def test_an_answer_of_another_provider(provider: Provider, iss: str) -> None:
    with pytest.raises(LoginUnavailableError, match="an answer of"):
        authenticated(provider, iss=iss)
    assert "/token" not in provider.asked, "the code went nowhere"


def test_a_provider_that_tells_its_name_must_do_so(provider: Provider) -> None:
    provider.metadata["authorization_response_iss_parameter_supported"] = True
    with pytest.raises(LoginUnavailableError, match="an answer of ''"):
        authenticated(provider)
    assert authenticated(provider, iss=ISSUER).name == "ida"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"groups": ["staff"], "email_verified": False}, "verified"),
        ({"groups": ["staff"], "email_verified": "true"}, "verified"),
        ({"groups": [], "email": "ida"}, "expected an address"),
        ({"groups": [], "email": ["ida@mx.example"]}, "expected an address"),
        ({"preferred_username": "x\u0456da"}, "preferred_username"),
        ({"preferred_username": "a b"}, "preferred_username"),
        ({"preferred_username": 7}, "preferred_username"),
    ],
)
def test_people_who_may_not(provider: Provider, changes: dict[str, Any], words: str) -> None:
    provider.claims |= changes
    with pytest.raises(LoginRefusedError, match=words):
        authenticated(provider)


def test_others(provider: Provider) -> None:
    provider.claims["groups"] = "staff"
    ida = authenticated(provider)
    assert (ida.name, ida.role, ida.recipients) == (
        "ida@mx.example",
        "user",
        ("ida@mx.example",),
    )
    with pytest.raises(LoginRefusedError, match="no group"):
        authenticated(provider, replace(SETTINGS, others=""))
    with pytest.raises(LoginRefusedError, match="not enabled"):
        login(provider, users=False).authenticate("code", "", "nonce", "verifier")


def test_claims_of_userinfo(provider: Provider) -> None:
    del provider.claims["groups"]
    provider.userinfo = {"sub": "4711", "groups": ["postmasters"], "preferred_username": "eve"}
    ida = authenticated(provider)
    assert (ida.name, ida.role) == ("ida", "admin"), "the ID token goes first"
    provider.userinfo["sub"] = "4712"
    with pytest.raises(LoginUnavailableError, match="another person"):
        authenticated(provider)


def test_whether_the_password_was_typed_just_now(provider: Provider) -> None:
    for auth_time, wanted in ((None, False), (NOW - 10, True), (NOW - 900, False), ("x", False)):
        provider.claims["auth_time"] = auth_time
        _, fresh = login(provider).authenticate("code", "", "nonce", "verifier")
        assert fresh == wanted
