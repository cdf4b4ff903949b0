"""The changes that an update makes to a stack, and the differences that count as changes."""

import json
from typing import Any

import pytest
from operating.account import template, values
from operating.looking import HERE

from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.operate.templates import Template

GIVEN = values("*", ResourceTags="a=b")
EXISTING = Existing(
    StackDescription("arn:stack", "s", "CREATE_COMPLETE", "", GIVEN, {}, {}), template()
)


def change(to: object, given: dict[str, str]) -> PlannedChange | None:
    """Return the change of the stack to a template and to parameters."""
    return Deployment("s", HERE, Template(json.dumps(to)), given, before=EXISTING).as_change()


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
    assert (change(changed(*path, to=to), {}) is not None) is counts


def test_space_in_a_list_is_no_change() -> None:
    assert change(template(), {"ResourceTags": " a=b "}) is None
    found = change(template(), {"ResourceTags": "a=b, c=d"})
    assert found is not None
    assert found.diff == ("~ parameter ResourceTags: a=b -> a=b,c=d",)
