"""The scheduled refresh: restore the setup that the stack asks for, and nothing else.

Anyone who may invoke the function can send a refresh event, at any time and repeatedly. So the
event contains only a stack and a time; CloudFormation provides the stack's parameters and status.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import failure
from .errors import Overtaken, Refused
from .request import refreshing
from .run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

    from .apply import Log
    from .aws import Aws
    from .names import Stack
    from .run import Outcome

    Parameters = Mapping[str, str]

SECONDS = 300.0  # the longest time that a refresh may take
_AT_REST = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)


def refresh(
    stack: Stack,
    time: int,
    cloudformation: CloudFormationClient,
    aws: Aws,
    log: Log,
    learn: Callable[[Parameters], None],
) -> Outcome:
    """Restore the setup that a stack asks for, as long as the stack is at rest.

    Reads the stack again before each step; stops if the stack changes, and does not undo anything.
    Calls `learn` with the stack's parameters, which may contain a token, before any message can
    repeat them. Repeatable. Raises Overtaken if the stack is being changed, Refused if the
    stack is otherwise not at rest, and other HandlerErrors.
    """

    def look() -> tuple[str, object, Parameters]:
        try:
            answer = aws.call(lambda: cloudformation.describe_stacks(StackName=stack.id))
        except ClientError as error:
            raise failure(error) from error
        (found,) = answer["Stacks"]
        given = {
            each["ParameterKey"]: each.get("ParameterValue", "")
            for each in found.get("Parameters", ())
        }
        return found["StackStatus"], found.get("LastUpdatedTime"), given

    first = look()
    learn(first[2])

    def proceed(now: object = None) -> None:
        if first[0].endswith("_IN_PROGRESS") or (now or look()) != first:
            raise Overtaken("The stack is being changed.", "No action is needed.")
        if first[0] not in _AT_REST:
            raise Refused(f"The stack is in {first[0]}.", "Correct what its events show.")

    proceed(first)
    return run(refreshing(stack, time, first[2]), replace(aws, proceed=proceed), log)
