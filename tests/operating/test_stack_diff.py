"""The changes that an update makes to a stack, and the differences that count as changes."""

from typing import Any

import pytest
from operating.account import template, values

from dt_logs_cfn.operate.stacks.review import stack_change
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription

GIVEN = values(
    "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/1", ResourceTags="a=b"
)
EXISTING = Existing(
    StackDescription("arn:stack", "s", "CREATE_COMPLETE", "", GIVEN, {}, {}), template()
)


def changed(*path: str, to: Any) -> dict[str, Any]:
    """Return the template with another value at a path."""
    found = place = template()
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return found


@pytest.mark.parametrize(
    ("path", "to", "counts"),
    [
        (("Description",), "other words", False),
        (("Metadata", "DTLogsAnalysis", "Settings"), {"aws": {"base_url": "https://x/"}}, False),
        (("Parameters", "RunToken", "Description"), "other words", False),
        (("Conditions", "More"), {"Fn::Equals": ["a", "a"]}, False),
        (("Conditions", "HasLogBucketName"), {"Fn::Equals": ["a", "a"]}, True),
        (("Outputs", "More"), {"Value": "7"}, True),
        (("Resources", "DTLogsAnalysisLambdaFunction", "Properties", "Timeout"), 60, True),
    ],
)
def test_words_alone_are_no_change(path: tuple[str, ...], to: Any, counts: bool) -> None:
    found = stack_change("s", EXISTING, changed(*path, to=to), GIVEN)
    assert (found is not None) is counts


def test_space_in_a_list_is_no_change() -> None:
    spaced = {**GIVEN, "ResourceTags": " a=b "}
    assert stack_change("s", EXISTING, template(), spaced) is None
    found = stack_change("s", EXISTING, template(), {**GIVEN, "ResourceTags": "a=b, c=d"})
    assert found is not None
    assert found.diff == ("~ parameter ResourceTags: a=b -> a=b,c=d",)
