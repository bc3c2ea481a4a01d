"""The checks of one message: the questions that can be asked ahead, and the results.

A sender's own records can lead to a hundred questions and to name servers that never answer. So
SPF, signatures and DMARC have questions and time of their own: nobody can use up those with which
the domain that he claims would be found out.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from filterd.auth.arc.verify import begin_arc, verify_arc
from filterd.auth.dkim.body import CanonicalBody
from filterd.auth.dkim.limits import DkimLimits
from filterd.auth.dkim.verify import begin_dkim, verify_dkim
from filterd.auth.dkim2.verify import begin_dkim2, verify_dkim2
from filterd.auth.dmarc import author_domains, begin_dmarc, check_dmarc
from filterd.auth.results import ResultsError, parse
from filterd.auth.spf import begin_spf, check_spf
from filterd.auth.statements import authentication_of
from filterd.chain.headers import LabelSettings, results_of_this_host
from filterd.filters.auth.settings import AuthSettings
from filterd.message import Message
from filterd.message.authentication import (
    ArcCheck,
    Authentication,
    AuthResult,
    Dkim2Check,
    DkimCheck,
    DmarcCheck,
    SpfCheck,
)
from filterd.message.received import Hop
from filterd.resolver.lookups import DnsLookups
from filterd.resolver.resolver import Resolver

log = logging.getLogger(__name__)

_NOTHING_TOLD = Authentication()


class AuthChecks:
    """The checks of one message.

    client: whose mail it is, which may be a relay's client. address: of this client.
    """

    def __init__(
        self,
        message: Message,
        client: Hop,
        address: IPv4Address | IPv6Address,
        resolver: Resolver,
        settings: AuthSettings,
        labels: LabelSettings,
    ) -> None:
        self._message = message
        self._client = client
        self._address = address
        self._settings = settings
        self._labels = labels
        # DMARC waits for the results of the others.
        half = settings.wait / 2
        self._of_spf = DnsLookups(resolver, seconds=half)
        self._of_keys = DnsLookups(resolver, seconds=half)
        self._of_dmarc = DnsLookups(resolver, seconds=half)
        self._of_dkim2 = DnsLookups(resolver, seconds=half)
        self._body = CanonicalBody.of(message)
        self._limits = DkimLimits(
            signatures=settings.signatures_limit, partly_signed=AuthResult(settings.partly_signed)
        )
        self._told = self._of_earlier_filters() if settings.use_results else _NOTHING_TOLD

    def begin(self) -> None:
        """Ask what is sure to be needed, and wait for nothing."""
        if self._checks_dmarc:
            begin_dmarc(self._message, self._of_dmarc)
        if self._checks_dkim:
            begin_dkim(self._message, self._of_keys, self._limits, body=self._body)
        if self._checks_arc:
            begin_arc(self._message, self._of_keys, self._limits, body=self._body)
        if self._settings.dkim2:
            begin_dkim2(self._message, self._of_dkim2, body=self._body)
        if self._checks_spf:
            begin_spf(self._of_spf, self._client.helo, self._message.envelope.sender)

    def results(self) -> Authentication:
        """All results. Waits for the answers, at most as long as the settings say from now on."""
        self._of_spf.restart()
        self._of_keys.restart()
        self._of_dkim2.restart()
        told = self._told
        spf, helo = self._spf() if self._checks_spf else (told.spf, told.helo)
        dkim = self._dkim() if self._checks_dkim else told.dkim
        arc = self._arc() if self._checks_arc else told.arc
        dkim2 = self._dkim2() if self._settings.dkim2 else None
        self._of_dmarc.restart()
        dmarc = self._dmarc(spf, dkim) if self._checks_dmarc else told.dmarc
        return Authentication(spf, helo, dkim, dmarc, arc, client=str(self._address), dkim2=dkim2)

    @property
    def _checks_spf(self) -> bool:
        return self._settings.spf and self._told.spf is None

    @property
    def _checks_dkim(self) -> bool:
        return self._settings.dkim and not self._told.dkim

    @property
    def _checks_arc(self) -> bool:
        return self._settings.arc and self._told.arc is None

    @property
    def _checks_dmarc(self) -> bool:
        """What others found does not say what the domain asks for, so only a pass will do."""
        told = self._told.dmarc
        return self._settings.dmarc and (told is None or told.result is not AuthResult.PASS)

    def _spf(self) -> tuple[SpfCheck, SpfCheck]:
        envelope = self._message.envelope
        return check_spf(
            self._of_spf,
            self._address,
            self._client.helo,
            envelope.sender,
            host=self._labels.host(envelope),
        )

    def _dkim(self) -> tuple[DkimCheck, ...]:
        return verify_dkim(self._message, self._of_keys, self._limits, body=self._body)

    def _arc(self) -> ArcCheck:
        return verify_arc(self._message, self._of_keys, self._limits, body=self._body)

    def _dkim2(self) -> Dkim2Check:
        return verify_dkim2(self._message, self._of_dkim2, body=self._body)

    def _dmarc(self, spf: SpfCheck | None, dkim: tuple[DkimCheck, ...]) -> DmarcCheck:
        return check_dmarc(self._message, spf, dkim, self._of_dmarc)

    def _of_earlier_filters(self) -> Authentication:
        """What the filters before filterd found, as far as the settings trust them."""
        fields = []
        for field in results_of_this_host(self._message, self._labels):
            try:
                fields.append(parse(field.raw_value))
            except ResultsError as error:
                log.warning(
                    "id=%s Authentication-Results of an earlier filter: %s", self._message.id, error
                )
        told = authentication_of(fields)
        if told.dmarc is not None:
            # Some look at the first address only: such a pass says nothing of the others in From.
            authors = author_domains(self._message)
            if not authors.is_whole or authors.domains != (told.dmarc.domain,):
                told = replace(told, dmarc=None)
        return told
