"""The SPF community's suite (suites/README.md): every case, and nothing left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.spf_suite import Case, cases

CASES = list(cases(Path(__file__).with_name("suites") / "rfc7208-tests.yml"))


def test_it_is_all_there() -> None:
    assert len(CASES) == 203


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_result_is_the_one_that_rfc_7208_asks_for(case: Case) -> None:
    assert case.differs() == ""
