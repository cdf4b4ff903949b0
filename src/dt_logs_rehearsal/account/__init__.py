"""A strict, fast AWS account in memory, for tests of many histories.

    account = Account(region="eu-west-1")
    balancer = account.add_load_balancer("web")
    account.s3.create_bucket(Bucket="logs", CreateBucketConfiguration={...})

It refuses what AWS refuses, with AWS's codes and texts; each strict rule names its source. What it
does not know (an operation, a paging style) fails at once rather than passing quietly.
"""

from .account import Account, Clock
from .client import Hook
from .conditions import UnknownOperator
from .errors import Refused, client_error
from .policy import Decision, Principal, Request, evaluate
from .snapshot import Snapshot, diff
from .spreading import Consistency
from .world import Caller

__all__ = [
    "Account",
    "Caller",
    "Clock",
    "Consistency",
    "Decision",
    "Hook",
    "Principal",
    "Refused",
    "Request",
    "Snapshot",
    "UnknownOperator",
    "client_error",
    "diff",
    "evaluate",
]
