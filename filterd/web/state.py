"""What all requests share: settings, review actions, accounts, sessions, history."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from filterd.chain.descriptions import Descriptions
from filterd.chain.marks import load_key
from filterd.config.assembly import open_history
from filterd.config.descriptions import descriptions
from filterd.config.load import Settings
from filterd.dmarc.received import ReceivedReports
from filterd.filters.bayes.settings import BayesSettings
from filterd.history import History
from filterd.maillog.log import MailLog
from filterd.review.accounts import Accounts
from filterd.review.actions import ReviewActions
from filterd.review.greylist import WaitingMail
from filterd.review.imap_login import ImapLogin
from filterd.review.ldap_login import LdapLogin
from filterd.review.locallists import SiteLists
from filterd.review.oidc_login import OidcLogin
from filterd.review.outside_login import LoginUnavailableError, OutsideLogin
from filterd.review.principals import Principal, accounts_path, tokens_path
from filterd.review.rates import HeldParties
from filterd.review.second_factor import UsedCodes
from filterd.review.senders import SiteSenders
from filterd.review.tokens import TokenFile
from filterd.review.user_limits import UserLimits
from filterd.web.languages import Languages
from filterd.web.readiness import ReadinessCache
from filterd.web.sessions import WebSessions
from filterd.web.summaries import SummaryCache
from filterd.web.throttle import Devices, LoginThrottle

if TYPE_CHECKING:
    from starlette.requests import Request

    from filterd.filters.bayes.filter import Bayes


log = logging.getLogger(__name__)


HALF_SECONDS = 300.0
"""From the password until the code of the second factor."""


class WebState:
    """One process's state; `request.app.state.filterd`."""

    def __init__(self, settings: Settings) -> None:
        web = settings.web
        self.settings = settings
        self.actions = ReviewActions(settings, web.release_socket)
        self.accounts = Accounts(accounts_path(settings))
        self.tokens = TokenFile(tokens_path(settings))
        self.sessions = WebSessions(web.idle_minutes * 60, web.session_hours * 3600)
        self.half_sessions = WebSessions(HALF_SECONDS, HALF_SECONDS)
        self.used_codes = UsedCodes()
        self.throttle = LoginThrottle(web.login_attempts, web.login_minutes * 60)
        self.explaining = threading.Lock()
        self.readiness = ReadinessCache(settings, self.actions.store)
        self.streams: dict[str, int] = {}
        """Live pages by the name of who looks at them; changed in the event loop only."""
        self.is_stopping: Callable[[], bool] = lambda: False
        """True once the process is to end, for which it waits for all answers."""

    @cached_property
    def devices(self) -> Devices:
        """The browsers that were logged in before, also by another process."""
        try:
            key = load_key(self.settings.quarantine.folder)
        except OSError as error:
            log.warning("browsers are not known again after a restart: %s", error)
            key = secrets.token_bytes(32)
        return Devices(key)

    @cached_property
    def descriptions(self) -> Descriptions:
        """What symbols mean."""
        return descriptions(self.settings)

    @cached_property
    def history(self) -> History:
        """The records of all messages."""
        return open_history(self.settings)

    @cached_property
    def summaries(self) -> SummaryCache:
        """What came, summed up for the dashboard."""
        return SummaryCache(lambda: self.history)

    @cached_property
    def maillog(self) -> MailLog:
        """What the MTA's log says."""
        return MailLog(self.settings.maillog)

    @cached_property
    def waiting(self) -> WaitingMail:
        """What greylisting delays."""
        return WaitingMail(self.settings, self.actions.store)

    @cached_property
    def lists(self) -> SiteLists:
        """The local lists."""
        return SiteLists(self.settings, self.actions.store)

    @cached_property
    def senders(self) -> SiteSenders:
        """Allowed and blocked senders."""
        return SiteSenders(self.settings, self.actions.store)

    @cached_property
    def languages(self) -> Languages:
        """The languages of users' pages."""
        return Languages(self.settings.users)

    @cached_property
    def outside_logins(self) -> tuple[OutsideLogin, ...]:
        """Servers that know people's passwords, in the order in which they are asked."""
        found: tuple[OutsideLogin, ...] = (
            LdapLogin(self.settings.ldap, users=self.settings.users.enabled),
            ImapLogin(self.settings.users),
        )
        return tuple(one for one in found if one.is_used)

    @cached_property
    def oidc_login(self) -> OidcLogin:
        """The OpenID Provider."""
        return OidcLogin(
            self.settings.oidc,
            users=self.settings.users.enabled,
            redirect_uri=f"{self.settings.web.base}/login/oidc/callback",
        )

    def verified_outside(self, name: str, password: str) -> Principal | None:
        """Who that is by one of these servers. Raises LoginUnavailableError where none of them
        knows the person, and one could not be asked."""
        trouble: LoginUnavailableError | None = None
        for one in self.outside_logins:
            try:
                person = one.verify(name, password)
            except LoginUnavailableError as error:
                trouble = error
                continue
            # Names of accounts of filterd's own belong to these alone.
            if person is not None and self.accounts.get(person.name) is None:
                return person
        if trouble is not None:
            raise trouble
        return None

    @cached_property
    def user_limits(self) -> UserLimits:
        """How much a user may do."""
        return UserLimits(self.settings)

    @cached_property
    def held_parties(self) -> HeldParties:
        """Whose mail is held for its share of refused messages."""
        return HeldParties(self.settings, self.actions.store)

    @cached_property
    def reports(self) -> ReceivedReports | None:
        """The DMARC reports of others, None where no setting says where they are."""
        path = self.settings.dmarc.received
        return ReceivedReports(path) if path is not None else None

    @cached_property
    def bayes(self) -> Bayes | None:
        """A classifier for explanations, None if the chain has none; use it under `explaining`."""
        if not self.settings.in_chain(BayesSettings):
            return None
        from filterd.filters.bayes.filter import Bayes  # noqa: PLC0415  (loads numpy)

        return Bayes(self.settings.of_filter(BayesSettings))

    def close(self) -> None:
        """Close what was opened."""
        self.actions.store.close()


def state_of(request: Request) -> WebState:
    """The state of the process that serves the request."""
    state = request.app.state.filterd
    assert isinstance(state, WebState)
    return state
