"""`policy` prints our published policies with the customer's own values, ready to paste."""

import json

from cli.running import Run

from dt_logs_cfn.template.policies import POLICY_NAMES


def test_values_take_the_place_of_placeholders(run: Run) -> None:
    ran = run(
        *("policy", "cloudformation-role-documented", "--account", "111122223333"),
        *("--region", "cn-north-1", "--role-name", "/teams/logs/dt-*", "--function-name", "dt-*"),
    )

    assert (ran.code, ran.err) == (0, "")
    assert [statement["Resource"] for statement in json.loads(ran.out)["Statement"]] == [
        "arn:aws-cn:iam::111122223333:role/teams/logs/dt-*",
        "arn:aws-cn:lambda:cn-north-1:111122223333:function:dt-*",
    ]


def test_the_region_decides_the_partition(run: Run) -> None:
    for region, partition in {
        "us-east-1": "aws",
        "us-gov-west-1": "aws-us-gov",
        "cn-northwest-1": "aws-cn",
        "eusc-de-east-1": "aws-eusc",
    }.items():
        ran = run("policy", "lambda-execution-documented", "--region", region)
        assert json.loads(ran.out)["Statement"][0]["Resource"] == f"arn:{partition}:logs:*:*:*"


def test_the_policies_are_listed_and_what_is_left_to_fill_in_is_said_beside_one(run: Run) -> None:
    assert run("policy").out.split() == [*POLICY_NAMES]
    assert run("policy", "lambda-execution-documented").err == ""
    ran = run("policy", "cloudformation-role-documented", "--account", "111122223333")

    assert "${Account}" not in ran.out
    assert ran.err == (
        "Fill in before you use it: ${FunctionName}, ${Region}, ${RoleNameWithPath}\n"
    )
