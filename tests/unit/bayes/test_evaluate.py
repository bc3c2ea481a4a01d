"""Measures, checked against plain definitions, and the protocols of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from filterd.bayes.lab import measures
from filterd.bayes.lab.baselines import NAMES, Baseline
from filterd.bayes.lab.evaluate import EvaluationPlan, Ours, run, suggest
from filterd.bayes.model.online import OnlineModel
from filterd.mailfiles.items import MailItem
from tests.helpers.training_mail import mail

pytestmark = pytest.mark.slow


ITEMS = [MailItem(n % 2 == 0, str(n), lambda n=n: mail(n, spam=n % 2 == 0)) for n in range(120)]  # type: ignore[misc]


def ours() -> Ours:
    return Ours(OnlineModel.empty(), b"a test's own salt")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60))
def test_roca_is_one_minus_the_area_under_the_curve(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([s for s, _ in pairs], float)
    labels = np.array([label for _, label in pairs])
    if labels.all() or not labels.any():
        with pytest.raises(ValueError, match="both"):
            measures.measure(scores, labels)
        return
    found = measures.roca(scores, labels, resamples=20)
    assert found.value == pytest.approx(100 * (1 - roc_auc_score(labels, scores)), abs=1e-9)
    assert found.low <= found.high
    hm, sm = measures.tradeoff(scores, labels)
    for cut in scores:
        lost = 100 * np.mean(scores[~labels] >= cut)
        passed = 100 * np.mean(scores[labels] < cut)
        assert any(np.isclose(hm, lost) & np.isclose(sm, passed))


def test_measures_of_a_perfect_and_of_a_useless_classifier() -> None:
    labels = np.array([True] * 50 + [False] * 50)
    perfect = measures.measure(np.where(labels, 5.0, -5.0), labels)
    assert perfect.roca.value == 0.0
    assert perfect.hm_at_sm[0.1] == perfect.sm_at_hm == 0.0
    assert perfect.lam == pytest.approx(100 * 0.5 / 51)
    useless = measures.measure(np.zeros(100), labels)
    assert useless.roca.value == pytest.approx(50.0)
    assert useless.hm_at_sm[0.1] == useless.sm_at_hm == 100.0
    assert (useless.brier, useless.ece) == (0.25, 0.0)


def test_brier_and_calibration() -> None:
    chance = np.random.default_rng(1)
    p = chance.random(20_000)
    labels = chance.random(20_000) < p
    assert measures.calibration_error(p, labels) < 0.02
    scores = np.log(p / (1 - p))
    found = measures.measure(scores, labels)
    assert found.brier == pytest.approx(brier_score_loss(labels, p))
    at = found.thresholds[0]
    assert at.hm == pytest.approx(100 * np.mean(p[~labels] >= 0.5))
    assert at.spam_passed == int((p[labels] < 0.5).sum())


def test_immediate_feedback_scores_before_it_learns() -> None:
    found = run(ITEMS, EvaluationPlan("immediate"), ours())
    assert found.scores[0] == 0.0
    assert found.learned == list(range(120))
    assert found.total_learned == 120
    assert found.measures().roca.value < 5.0


def test_delayed_feedback_arrives_late() -> None:
    found = run(ITEMS, EvaluationPlan("delayed", lag=30), ours())
    assert set(found.scores[:31]) == {0.0}
    assert found.total_learned == 90


def test_batch_measures_what_it_did_not_learn() -> None:
    found = run(ITEMS, EvaluationPlan("batch"), ours())
    assert len(found.scores) == found.total_learned == 60
    found = run(ITEMS, EvaluationPlan("immediate", train_first=20), ours())
    assert (len(found.scores), found.total_learned) == (100, 20)


def test_fixed_learns_nothing() -> None:
    examined = ours()
    examined.learn(examined.read(mail(1, spam=True)), True)
    found = run(ITEMS, EvaluationPlan("fixed"), examined)
    assert (found.total_learned, examined.model.spam) == (0, 1)
    again = run(ITEMS, EvaluationPlan("fixed"), examined)
    assert found.scores == again.scores


def test_suggested_thresholds_keep_what_they_promise() -> None:
    found = run(ITEMS, EvaluationPlan("immediate"), ours())
    scores, labels = found.arrays
    for _action, probability, hm, sm in suggest(found, [("label", 5.0), ("quarantine", 0.0)]):
        p = measures.probabilities(scores)
        assert hm <= 5.0
        assert 100 * np.mean(p[~labels] > probability) <= hm + 1e-9
        assert 0.0 <= sm <= 100.0


@pytest.mark.parametrize("name", NAMES)
def test_baselines_learn_too(name: str) -> None:
    found = run(ITEMS, EvaluationPlan("immediate"), Baseline(name))
    assert found.scores[0] == 0.0
    assert found.measures().roca.value < 10.0


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra filterd[plot] is not installed")
    from filterd.bayes.lab.plot import plot

    found = run(ITEMS, EvaluationPlan("immediate"), ours())
    plot({"filterd": found, "same": found}, tmp_path / "p.png", "a test")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
