"""Bayes: what the site's classifier says, as the filter `bayes` found it.

The filter gives its symbol before the rules are asked; without it no test hits. Source:
Mail::SpamAssassin::Plugin::Bayes(3).
"""

from __future__ import annotations

from filterd.rules.evals.registry import Plugin
from filterd.rules.view.view import View

PLUGIN = Plugin("Mail::SpamAssassin::Plugin::Bayes")

# Symbol of the classifier → a probability for which it stands.
_PROBABILITY = {
    "BAYES_00": 0.005,
    "BAYES_05": 0.03,
    "BAYES_20": 0.125,
    "BAYES_40": 0.3,
    "BAYES_50": 0.5,
    "BAYES_60": 0.7,
    "BAYES_80": 0.875,
    "BAYES_95": 0.97,
    "BAYES_99": 0.9945,
    "BAYES_999": 0.9995,
}


@PLUGIN.test("check_bayes")
def check_bayes(view: View, above: str, most: str) -> bool:
    """The probability of spam is above the one, 0 included, and at most the other (`undef`: 1)."""
    least, end = float(above), 1.0 if most == "undef" else float(most)
    return any(
        (least == 0 or least < probability) and probability <= end
        for symbol in view.message.symbols
        if (probability := _PROBABILITY.get(symbol.name)) is not None
    )
