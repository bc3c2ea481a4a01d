"""Who may log in, and which programs may use the REST interface; for admins."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, HTTPException
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from filterd.review.access import Access
from filterd.review.actions import ActionResult
from filterd.review.principals import Kind, PrincipalError
from filterd.review.reviewer import ROLES, Reviewer, Role
from filterd.review.site_accounts import SiteAccounts
from filterd.system.display import without_folders
from filterd.web.forms import text_of
from filterd.web.identity import Asking, Posted
from filterd.web.proof import unproven, wanted_proof
from filterd.web.state import state_of
from filterd.web.views import back, page

router = APIRouter()

NAME_LIMIT = 100
LIMITS_LENGTH = 10_000
"""Characters of a name, and of all domains and addresses, that are looked at."""

ROLE_WORDS: dict[Role, str] = {
    "helpdesk": "helpdesk: searches and releases",
    "reviewer": "reviewer: searches, releases, learns, deletes",
    "admin": "admin: sees and does everything",
    "auditor": "auditor: sees everything, changes nothing",
    "user": "user: its own mail, on pages of its own",
}

FIELDS = ("kind", "name", "role", "limits")

ONCE = "shown only this once"


@router.get("/accounts")
def show(request: Request, asking: Asking) -> Response:
    """All accounts and tokens, and the forms. Raises ActionError for others than admins."""
    return _shown(request, asking)


@router.post("/accounts/add")
def add(request: Request, asking: Asking, form: Posted) -> Response:
    """One more account or token; its secret is shown once."""

    def made(accounts: SiteAccounts, access: Access) -> str:
        kind, name = _kind(form), text_of(form, "name", NAME_LIMIT)
        secret = accounts.add(access, kind, name, _role(form), _limits(form))
        if kind == "token":
            return f"token {secret} ({ONCE})"
        return f"password {secret} ({ONCE})"

    return _changed(request, asking, form, made, again=True)


@router.post("/accounts/change")
def change(request: Request, asking: Asking, form: Posted) -> Response:
    """Another role, or other limits."""

    def made(accounts: SiteAccounts, access: Access) -> str:
        name = text_of(form, "name", NAME_LIMIT)
        return accounts.change(access, name, _role(form), _limits(form))

    return _changed(request, asking, form, made)


@router.post("/accounts/password")
def password(request: Request, asking: Asking, form: Posted) -> Response:
    """A new password for somebody who has lost it."""

    def made(accounts: SiteAccounts, access: Access) -> str:
        secret = accounts.new_password(access, text_of(form, "name", NAME_LIMIT))
        return f"password {secret} ({ONCE})"

    return _changed(request, asking, form, made)


@router.post("/accounts/factor")
def factor(request: Request, asking: Asking, form: Posted) -> Response:
    """No second factor any more, for somebody whose phone is lost."""

    def made(accounts: SiteAccounts, access: Access) -> str:
        accounts.factor_off(access, text_of(form, "name", NAME_LIMIT))
        return "no code is asked for any more"

    return _changed(request, asking, form, made)


@router.post("/accounts/remove")
def remove(request: Request, asking: Asking, form: Posted) -> Response:
    """One account or token less, at once."""

    def made(accounts: SiteAccounts, access: Access) -> str:
        accounts.remove(access, _kind(form), text_of(form, "name", NAME_LIMIT))
        return "removed"

    return _changed(request, asking, form, made)


def _changed(
    request: Request,
    asking: Reviewer,
    form: FormData,
    made: Callable[[SiteAccounts, Access], str],
    *,
    again: bool = False,
) -> Response:
    """Make a change, after the admin's own password, and show the list. again: what was typed
    stands in the form where that is refused."""
    access = _access(request, asking)
    access.require("accounts")
    typed = {name: text_of(form, name, LIMITS_LENGTH) for name in FIELDS} if again else {}
    refused = unproven(request, asking.name, form)
    if refused is not None:
        response = _shown(request, asking, refused.status, refused.words, typed)
        response.headers.update(refused.headers)
        return response
    try:
        words = made(_accounts(request), access)
    except PrincipalError as error:
        told = f"Not done: {without_folders(str(error))}."
        return _shown(request, asking, 422, told, typed)
    name = text_of(form, "name", NAME_LIMIT)
    return back(request, "/accounts", [ActionResult(name, True, words)])


def _shown(
    request: Request,
    asking: Reviewer,
    status: int = 200,
    error: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    accounts, access = _accounts(request), _access(request, asking)
    return page(
        request,
        "accounts.html",
        asking,
        status,
        error=error,
        typed=dict.fromkeys(FIELDS, "") | (typed or {}),
        accounts=accounts.all(access, "account"),
        tokens=accounts.all(access, "token"),
        roles=ROLE_WORDS,
        noun="change",
        proof=wanted_proof(request),
    )


def _kind(form: FormData) -> Kind:
    return "token" if text_of(form, "kind", 20) == "token" else "account"


def _role(form: FormData) -> Role:
    word = text_of(form, "role", 20)
    for role in ROLES:
        if role == word:
            return role
    raise HTTPException(400, f"Expected a role: {', '.join(ROLES)}.")


def _limits(form: FormData) -> list[str]:
    """Domains and addresses, with blanks, commas or line ends between them."""
    return text_of(form, "limits", LIMITS_LENGTH).replace(",", " ").split()


def _access(request: Request, asking: Reviewer) -> Access:
    return Access(state_of(request).actions, asking, "web")


def _accounts(request: Request) -> SiteAccounts:
    state = state_of(request)
    return SiteAccounts(state.accounts, state.tokens, state.actions.store)
