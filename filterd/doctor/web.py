"""The review pages: whether their proxy is known to them, and their OpenID Provider answers."""

from __future__ import annotations

import time
from collections.abc import Iterator

from filterd.config.load import Settings
from filterd.doctor.findings import Finding, Level


def proxies(settings: Settings) -> Iterator[Finding]:
    """A proxy that `web.trusted_proxies` does not name: by its requests, or by the settings."""
    from filterd.web.forwarded import seen  # noqa: PLC0415  (the daemon does without starlette)

    found = seen(settings, time.time())
    if found is not None:
        mask = 128 if ":" in found.address else 32
        yield Finding(
            Level.WARN,
            "web",
            f"requests with X-Forwarded-For came from {found.address}, which is not trusted: all "
            "people behind that proxy count as one address, and failed logins of one block others",
            f'if it is your proxy, set web.trusted_proxies = ["{found.address}/{mask}"]',
        )
    elif settings.web.url.startswith("https:") and not settings.web.trusted_proxies:
        yield Finding(
            Level.WARN,
            "web",
            "web.url is https, so a proxy is in front of the pages, but web.trusted_proxies is "
            "empty: all people behind it count as one address",
            'set web.trusted_proxies to the proxy, e.g. ["127.0.0.1/32"]',
        )


def provider(settings: Settings) -> Iterator[Finding]:
    """Whether the OpenID Provider says what it is; nothing where there is none."""
    if not settings.oidc.issuer:
        return
    from filterd.review.oidc_login import OidcLogin  # noqa: PLC0415  (loads the store)
    from filterd.review.outside_login import LoginUnavailableError  # noqa: PLC0415

    login = OidcLogin(settings.oidc, users=settings.users.enabled, redirect_uri="")
    try:
        login.check()
        login.ask()
    except LoginUnavailableError as error:
        yield Finding(
            Level.WARN,
            "login",
            str(error),
            "nobody can log in there; accounts of filterd's own can. Correct [oidc]",
        )
    else:
        yield Finding(Level.OK, "login", f"{settings.oidc.issuer} answers")
