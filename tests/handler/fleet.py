"""An account with many load balancers and one stack, for tests of `*` and of long lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lifecycle.cloudformation import Properties
from lifecycle.faults import error, on
from lifecycle.scenarios import Case

from dt_logs_rehearsal.account import Hook
from dt_logs_rehearsal.account.client import no_hook

MODIFY = "ModifyLoadBalancerAttributes"


class Fleet(Case):
    """The account, which also has a network load balancer, to which `*` does not extend."""

    def __init__(self, count: int, workers: int = 1, **more: Any) -> None:
        names = [f"web{each}" for each in range(count)]
        super().__init__(lambda account: [account.add_load_balancer(e) for e in names], **more)
        self.stack.workers = workers
        self.customer(lambda account: account.add_load_balancer("net", "network"))

    def succeed(
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> dict[str, str]:
        """Send an event that must succeed; return the outputs' values."""
        data: dict[str, str] = self.sent(kind, given, old, *seconds)["Data"]
        return data

    def fail(self, given: Properties, *seconds: float) -> str:
        """Send a Create that must fail, and the Delete that follows; return the Create's reason."""
        answer = self.send("Create", given, None, *seconds)
        assert answer["Status"] == "FAILED"
        self.leave(given, *seconds)
        return str(answer["Reason"])

    def leave(self, given: Properties, *seconds: float) -> None:
        """Send a Delete without faults; the account must then be as if no stack had existed."""
        self.before = self.after = no_hook
        self.ends(given, *seconds)

    @property
    def new_boto3(self) -> bool:
        """Return whether boto3 knows the account-regional namespace, and tags at creation."""
        known: Any = self.account.s3.meta.service_model.shape_for("CreateBucketRequest")
        return "BucketNamespace" in known.members

    def logs(self) -> list[bool]:
        """Return whether each load balancer logs."""
        found = self.account.world.load_balancers
        return [found[arn].attributes["access_logs.s3.enabled"] == "true" for arn in self.arns]

    def location(self, number: int) -> tuple[str, str]:
        """Return the bucket and the prefix that are set for a load balancer."""
        found = self.account.world.load_balancers[self.arns[number]].attributes
        return found["access_logs.s3.bucket"], found["access_logs.s3.prefix"]

    def set(self, number: int, bucket: str, prefix: str, enabled: bool) -> None:
        """Set a load balancer's logging, as the customer does."""
        for account in (self.account, self.untouched):
            account.world.load_balancers[self.arns[number]].attributes |= {
                "access_logs.s3.enabled": str(enabled).lower(),
                "access_logs.s3.bucket": bucket,
                "access_logs.s3.prefix": prefix,
            }


def refused(
    fleet: Fleet, *numbers: int, code: str = "OperationNotPermitted", text: str = "for bucket: x"
) -> Hook:
    """Return a hook that makes ELB refuse to change some load balancers."""

    def refuse(params: Mapping[str, Any]) -> None:
        arn = params["LoadBalancerArn"]
        if arn in [fleet.arns[each] for each in numbers]:
            raise error(code, MODIFY, f"Access Denied {text}: {arn}")

    return on(MODIFY, refuse)
