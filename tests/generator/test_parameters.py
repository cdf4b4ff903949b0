"""The template refuses wrong parameter values, but no value that the handler accepts."""

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import ENDPOINT, OWN_BUCKET, QUEUE, STACK, VENDOR, alb_arn, properties
from support.strategies import STEADY

from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.intrinsics import accepts
from dt_logs_cfn.template.parameters import service_role_parameters, stack_parameters
from dt_logs_handler.errors import InvalidRequest
from dt_logs_handler.names import Stack as HandlerStack
from dt_logs_handler.request import properties_of

HERE = HandlerStack(STACK, "aws", "us-east-1", "123456789012")
WEB, API = alb_arn("web", 1), alb_arn("api", 2)
LEAST = Privileges.LEAST_PRIVILEGE
PARAMETERS: dict[str, Any] = {each.title: each.to_dict() for each in stack_parameters(None, LEAST)}

GOOD = {
    "DataTheoremAccountId": [VENDOR],
    "NotificationEndpoint": [ENDPOINT, QUEUE, QUEUE.replace("arn:aws:", "arn:aws-cn:")],
    "LoadBalancerArns": ["*", WEB, f"{WEB}, {API}", WEB.replace("arn:aws:", "arn:aws-us-gov:")],
    "LogBucketName": ["", "logs", "my.logs-1", OWN_BUCKET],
    "ExistingLogBucketNames": ["", "logs, other.logs", f"my_logs,My.Logs,{'x' * 255}"],
    "ResourceTags": ["", "team=web,cost centre=a=b,empty="],
    "LambdaExecutionRoleName": ["team+web=logs@x,y"],
    "LambdaExecutionRolePath": ["/", "/team/logs/"],
    "LambdaFunctionName": ["dt_logs-1"],
    "LogRetentionDays": ["1", "36500"],
    "PermissionsBoundaryArn": [
        "",
        "arn:aws:iam::123456789012:policy/team/bounds",
        "arn:aws-cn:iam::aws:policy/PowerUserAccess",
    ],
}
# test_request.py has more values that the patterns shared with the handler refuse.
BAD = {
    "DataTheoremAccountId": ["", VENDOR[1:]],
    "NotificationEndpoint": ["", f"{QUEUE}.fifo", f"https://logs.example.com/{'x' * 2048}"],
    "LoadBalancerArns": ["", f"{WEB},{API[:-1]}", WEB.replace("/app/", "/net/")],
    "LogBucketName": ["ab", "x" * 64, "logs-s3alias", "arn:aws:s3:::logs"],
    "ExistingLogBucketNames": ["logs,arn:aws:s3:::logs", "logs/*", "*", "x" * 256],
    "ResourceTags": ["team", "=web", "aws:team=web"],
    "LambdaExecutionRoleName": ["a/b", "x" * 65],
    "LambdaExecutionRolePath": ["", "team/", "/team", "/" + "x" * 511 + "/"],
    "LambdaFunctionName": ["a.b"],
    "PermissionsBoundaryArn": ["bounds", "arn:aws:iam::123456789012:role/bounds"],
}
NAMED_IN_THE_HANDLER = (
    "DataTheoremAccountId",
    "NotificationEndpoint",
    "LoadBalancerArns",
    "LogBucketName",
    "ResourceTags",
)


@pytest.mark.parametrize("name", GOOD)
def test_what_can_work_is_taken_and_what_cannot_is_refused(name: str) -> None:
    tried = [*GOOD[name], *BAD.get(name, [])]

    assert [value for value in tried if accepts(PARAMETERS[name], value)] == GOOD[name]


def near_misses(name: str) -> st.SearchStrategy[str]:
    """Draw a parameter's good values, edited variants of them, and short random strings."""
    good = GOOD[name]
    pieces = st.sampled_from([*string.printable[:95], *good, "é", "\n", "--", "..", "-an", "s3"])
    edited = st.builds(
        lambda value, start, length, piece: value[:start] + piece + value[start + length :],
        st.sampled_from(good),
        st.integers(0, 80),
        st.integers(0, 4),
        pieces | st.just(""),
    )
    return st.sampled_from(good) | edited | st.text(string.ascii_lowercase + ".-", max_size=8)


@STEADY
@given(st.data(), st.sampled_from(NAMED_IN_THE_HANDLER))
def test_the_template_never_refuses_what_the_handler_takes(data: st.DataObject, name: str) -> None:
    value = data.draw(near_misses(name))
    listed = PARAMETERS[name]["Type"] == "CommaDelimitedList"
    changed: Any = [item.strip() for item in value.split(",")] if listed else value
    if name == "LoadBalancerArns" and "" in changed:
        return  # the handler ignores a superfluous comma, but the template refuses it
    try:
        properties_of({**properties(WEB), name: changed}, HERE)
    except InvalidRequest:
        return
    assert accepts(PARAMETERS[name], value)


@pytest.mark.parametrize("days", [1, 30, 36500])
def test_the_handler_takes_every_number_of_days(days: int) -> None:
    given = {**properties(WEB), "LogRetentionDays": str(days)}
    declared = PARAMETERS["LogRetentionDays"]

    assert declared["MinValue"] <= days <= declared["MaxValue"]
    assert properties_of(given, HERE).retention_days == days


@pytest.mark.parametrize("parameters", [stack_parameters(None, LEAST), service_role_parameters()])
def test_each_parameter_says_what_it_is_and_takes_its_default(parameters: list[Any]) -> None:
    for parameter in parameters:
        declared = parameter.to_dict()
        pattern = declared.get("AllowedPattern", "^$")
        assert (pattern[0], pattern[-1], pattern.isascii()) == ("^", "$", True)
        # Python and Java differ in Unicode classes, intersections, named groups and flags.
        assert not re.search(r"\\[wdWDbB]|&&|\(\?[P<a-z]|\[\[", pattern)
        assert declared["Description"].endswith(".")
        assert ("AllowedPattern" in declared) == ("ConstraintDescription" in declared)
        if "Default" in declared:
            assert accepts(declared, str(declared["Default"]))


@pytest.mark.parametrize(
    ("prefix", "taken"), [("logs", True), ("dt-logs-analysis", True), ("log", False), ("d", False)]
)
def test_a_prefix_of_stack_names_is_not_too_short(prefix: str, taken: bool) -> None:
    """The service role may change every role whose name begins with the prefix."""
    (declared, *_) = (each.to_dict() for each in service_role_parameters())
    assert accepts(declared, prefix) == taken
