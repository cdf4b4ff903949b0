"""The state of one run: clients, ledger and findings.

`Run` also runs our commands, and polls for results.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from aws_check.ledger import Ledger
from aws_check.plan import TAG, Names, Thing
from aws_check.transcript import Transcript
from dt_logs_cfn.cli.main import main as dt_logs_cfn
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import OperatingError
from dt_logs_handler.aws import code

T = TypeVar("T")
MINUTES = 60.0
_LONGEST_PAUSE = 15.0  # seconds between two calls of `look` in `until`
# Each service's errors for a resource that does not exist.
_ABSENT = frozenset(
    (
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidGroup.NotFound",
        "LoadBalancerNotFound",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFound",
    )
)


@dataclass(frozen=True)
class Run:
    """One run of the check.

    `client` returns boto3's client of a service; `findings` describes every difference from what
    was expected.
    """

    ledger: Ledger
    client: Callable[[str], Any]
    operator: Operator
    transcript: Transcript
    findings: list[str] = field(default_factory=list)

    @property
    def names(self) -> Names:
        """The names of the run's resources."""
        return self.ledger.names

    @property
    def account(self) -> str:
        """The account ID."""
        return self.ledger.account

    @property
    def region(self) -> str:
        """The region's name."""
        return self.ledger.region

    @property
    def partition(self) -> str:
        """The region's partition."""
        return str(self.client("s3").meta.partition)

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tag for everything that the run creates, in the form that most services accept."""
        return [{"Key": TAG, "Value": self.names.run}]

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of a resource in the account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"

    def make(self, thing: Thing, make: Callable[[], T]) -> T:
        """Record a resource, then call `make` to create it; return the answer."""
        self.operator.tell(f"making {thing.kind} {thing.name}")
        self.ledger.making(thing)
        return make()

    def expect(self, holds: bool, otherwise: str) -> None:
        """Record and print `otherwise` as a finding unless the expectation holds."""
        if not holds:
            self.findings.append(otherwise)
            self.operator.tell(f"NOT AS EXPECTED: {otherwise}")

    def until(self, look: Callable[[], T | None], seconds: float, what: str) -> T:
        """Call `look` until it returns a value. Raises OperatingError if that takes too long."""
        pause, end = 1.0, self.operator.clock() + seconds
        while (found := look()) is None:
            if self.operator.clock() >= end:
                raise OperatingError(
                    f"{what} did not end within {seconds / MINUTES:.0f} minutes.",
                    "Look at the transcript and the console, and run it again.",
                )
            self.operator.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        return found

    def command(self, *words: str) -> tuple[int, Any]:
        """Run a command of dt-logs-cfn with `--json`; return its exit code and parsed output."""
        self.operator.tell(f"dt-logs-cfn {words[0]}")
        answer = io.StringIO()
        with redirect_stdout(answer):
            code = dt_logs_cfn([*words, "--json", "--region", self.region])
        found = json.loads(answer.getvalue() or "{}")
        self.transcript.write({"command": words[0], "code": code, "answer": found})
        return code, found

    def stack(self, name: str) -> dict[str, Any] | None:
        """Return a stack as CloudFormation describes it, or None if it does not exist."""
        describe = self.client("cloudformation").describe_stacks
        found = absent(lambda: describe(StackName=name)["Stacks"])
        return found[0] if found else None

    def logging(self, load_balancer: str) -> dict[str, str]:
        """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
        read = self.client("elbv2").describe_load_balancer_attributes
        found = read(LoadBalancerArn=load_balancer)["Attributes"]
        logs = "access_logs.s3."
        return {e["Key"][len(logs) :]: e["Value"] for e in found if e["Key"].startswith(logs)}


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    """Return a stack's outputs by name."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def absent(call: Callable[[], T]) -> T | None:
    """Return a call's answer, or None if AWS says that the resource does not exist."""
    try:
        return call()
    except ClientError as error:
        # CloudFormation uses one error code for every invalid call, so compare the message too.
        if code(error) in _ABSENT or str(error).endswith("does not exist"):
            return None
        raise
