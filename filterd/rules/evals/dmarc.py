"""DMARC (RFC 9989), as filter `auth` found it.

Source: Mail::SpamAssassin::Plugin::DMARC(3).
"""

from __future__ import annotations

from filterd.message.authentication import AuthResult, DmarcPolicy
from filterd.rules.evals.authentication import known
from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::DMARC")


@PLUGIN.test("check_dmarc_pass")
def check_dmarc_pass(view: View) -> bool:
    """The message passes."""
    dmarc = known(view).dmarc
    return dmarc is not None and dmarc.result is AuthResult.PASS


def _fails(view: View, policy: DmarcPolicy) -> bool:
    dmarc = known(view).dmarc
    return dmarc is not None and dmarc.result is AuthResult.FAIL and dmarc.asked is policy


@PLUGIN.test("check_dmarc_reject")
def check_dmarc_reject(view: View) -> bool:
    """It fails, and the domain asks to reject such mail."""
    return _fails(view, DmarcPolicy.REJECT)


@PLUGIN.test("check_dmarc_quarantine")
def check_dmarc_quarantine(view: View) -> bool:
    """It fails, and the domain asks to quarantine such mail."""
    return _fails(view, DmarcPolicy.QUARANTINE)


@PLUGIN.test("check_dmarc_none")
def check_dmarc_none(view: View) -> bool:
    """It fails, and the domain asks for nothing."""
    return _fails(view, DmarcPolicy.NONE)


@PLUGIN.test("check_dmarc_missing")
def check_dmarc_missing(view: View) -> bool:
    """The domain has no record."""
    dmarc = known(view).dmarc
    return dmarc is not None and dmarc.result is AuthResult.NONE
