"""Suggested commands get the caller's profile and region, so that they work as shown."""

from argparse import Namespace

import pytest

from dt_logs_cfn.cli.aws_options import Here


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Do `aws sns x --a b`.", "Do `aws sns x --a b --profile 'my own' --region eu-west-1`."),
        (
            "`dt-logs-cfn status --region us-east-1`, `dt-logs-cfn explain`",
            "`dt-logs-cfn status --region us-east-1 --profile 'my own'`, `dt-logs-cfn explain`",
        ),
        ("a --profile that `aws configure list-profiles` has", None),
        ("an aws s3 command without ticks, `another`", None),
    ],
)
def test_a_command_gets_what_this_one_was_given(text: str, told: str | None) -> None:
    assert Here("my own", "eu-west-1").text(text) == (told or text)
    assert Here().text(text) == text


def test_a_command_that_takes_neither_has_nothing_to_add() -> None:
    assert Here.of(Namespace()) == Here()
    assert Here.of(Namespace(profile="p", region=None)) == Here("p")
