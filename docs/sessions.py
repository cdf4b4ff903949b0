"""Quote the output of `status` from an account that is emulated in memory.

cog calls `status` as it calls the functions of `generate`.
"""

import json
from random import Random
from typing import Any

from dt_logs_cfn.commands.status import told
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.status.checks import checks
from dt_logs_cfn.operate.status.look import Reach, look
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import complete
from dt_logs_cfn.template.templates import stack_template
from dt_logs_cfn.verify import fetching
from dt_logs_handler.aws import Aws
from dt_logs_handler.run import run
from dt_logs_rehearsal.account import Account

_HERE = new_stack("aws", "us-east-1", "123456789012")
_STACK = (
    "arn:aws:cloudformation:us-east-1:123456789012:stack/dt-logs-analysis/"
    "6f1b2c34-5d67-48e9-a0b1-c2d3e4f50617"
)
_BUCKET = "logs-of-web"
_DELIVERY: dict[str, Any] = {
    "Sid": "LoadBalancersWrite",
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{_BUCKET}/*",
}
_OURS_ALONE: dict[str, Any] = {
    "Sid": "OurOrganisationAlone",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{_BUCKET}/*",
    "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-example"}},
}


class _Stacks:
    """A CloudFormation client that knows one stack."""

    def list_stacks(self) -> dict[str, object]:
        stack = {
            "StackName": "dt-logs-analysis",
            "StackId": _STACK,
            "StackStatus": "CREATE_COMPLETE",
        }
        return {"StackSummaries": [stack]}


def status() -> str:
    """Return the output of `status` when the bucket policy denies the vendor access to the logs."""
    account = Account(_HERE.account, _HERE.region)
    account.add_bucket(_BUCKET, policy={"Version": "2012-10-17", "Statement": [_DELIVERY]})
    arn = account.add_load_balancer("web", bucket=_BUCKET)
    _onboard(account, arn)
    account.write_log(arn)
    policy = json.loads(account.s3.get_bucket_policy(Bucket=_BUCKET)["Policy"])
    policy["Statement"].append(_OURS_ALONE)
    account.s3.put_bucket_policy(Bucket=_BUCKET, Policy=json.dumps(policy))
    stacks: Any = _Stacks()
    clients = account.elbv2, account.s3, account.sns
    control, logs, cloudwatch = map(account.client, ("s3control", "logs", "cloudwatch"))
    reach = Reach(clients, control, logs, cloudwatch, stacks, fetching.fetch, account.clock)
    seen = look(reach, _HERE, [], [arn])
    text = told([*checks(seen, "", "")], f"account {_HERE.account}, {_HERE.region}")
    return f"```console\n$ dt-logs-cfn status --load-balancer {arn}\n{text}\n```\n"


def _onboard(account: Account, arn: str) -> None:
    template = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    given = {
        "LoadBalancerArns": arn,
        "DataTheoremAccountId": "999988887777",
        "NotificationEndpoint": "https://logs.example.com/alb",
    }
    wanted = complete(template, given, {})
    request = asked.creation(template, wanted, _STACK, account.clock())
    clients = account.elbv2, account.s3, account.sns
    clock = account.clock
    aws = Aws(*clients, clock, clock.sleep, Random(0), clock() + 800)
    run(request, aws, lambda step, result: None)
