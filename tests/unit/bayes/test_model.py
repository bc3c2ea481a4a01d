"""The scikit-learn face of the classifier."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.utils import estimator_checks

from filterd.bayes.lab.estimator import SpamClassifier
from tests.helpers.training_mail import mail

# scikit-learn takes as long to import as a third of all other modules that tests use.
pytestmark = pytest.mark.slow

X = [mail(n, spam=n % 2 == 0) for n in range(80)]
Y = np.array(["spam" if n % 2 == 0 else "ham" for n in range(80)])


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
    ids=lambda check: check.__name__,
)
def test_it_keeps_an_estimators_manners(check) -> None:  # type: ignore[no-untyped-def]
    """The checks that do not feed tables of numbers, which are no mail."""
    check("SpamClassifier", SpamClassifier())


def test_cross_validation_separates_the_classes() -> None:
    predicted = cross_val_predict(SpamClassifier(), X, Y, cv=4)
    assert np.mean(predicted == Y) > 0.95


def test_grid_search_tries_parameters() -> None:
    search = GridSearchCV(SpamClassifier(), {"threshold": [0.2, 0.8], "passes": [1, 2]}, cv=2)
    search.fit(X, Y)
    assert search.best_score_ > 0.9


def test_probabilities_and_decisions_agree() -> None:
    model = SpamClassifier().fit(X, Y)
    p = model.predict_proba(X)
    assert np.allclose(p.sum(axis=1), 1.0)
    assert np.array_equal(p[:, 1] >= 0.5, model.decision_function(X) >= 0.0)
    assert model.classes_.tolist() == ["ham", "spam"]
    assert set(model.predict(X)) <= {"ham", "spam"}


def test_fit_starts_anew_and_is_repeatable() -> None:
    model = SpamClassifier().fit(X, Y)
    again = clone(model).fit(X, Y)
    assert np.array_equal(model.decision_function(X), again.decision_function(X))
    assert np.array_equal(model.fit(X, Y).decision_function(X), again.decision_function(X))


def test_partial_fit_goes_on() -> None:
    model = SpamClassifier().partial_fit(X[:1], Y[:1], classes=["ham", "spam"])
    model.partial_fit(X[1:], Y[1:])
    assert np.mean(model.predict(X) == Y) > 0.95
    with pytest.raises(ValueError, match="junk"):
        model.partial_fit(X[:1], ["junk"])


@pytest.mark.parametrize(
    ("given", "labels", "what"),
    [
        (X[0], Y[:1], "one message"),
        (X[:2], ["spam", "spam"], "two classes"),
        (X[:3], ["spam", "ham"], "3 messages have 2 labels"),
        ([1, 2], ["spam", "ham"], "bytes or str"),
        (np.zeros((2, 2)), ["spam", "ham"], "dimensions"),
    ],
)
def test_mistakes_are_named(given, labels, what) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=what):
        SpamClassifier().fit(given, labels)


def test_unfitted_it_says_so() -> None:
    with pytest.raises(NotFittedError):
        SpamClassifier().predict(X)


def test_workers_do_not_load_scikit_learn() -> None:
    heavy = ("sklearn", "scipy", "sqlite3", "pydantic")
    code = (
        f"import sys, filterd.filters.bayes.filter; print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
