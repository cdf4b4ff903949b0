"""The evaluator decides as AWS documents it. To add a case, add an entry to cases/*.json."""

from typing import Any

import pytest

from .cases import allowed, cases


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['file']}: {case['name']}")
def test_the_decision_is_the_documented_one(case: dict[str, Any]) -> None:
    assert case["source"].startswith("https://docs.aws.amazon.com/")
    assert allowed(case) == case["allowed"]
