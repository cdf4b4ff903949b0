"""Emulate an AWS account in memory, strictly and fast, for tests that make many calls.

    account = Account(region="eu-west-1")
    balancer = account.add_load_balancer("web")
    account.s3.create_bucket(Bucket="logs", CreateBucketConfiguration={...})

The account refuses the calls that AWS refuses, with AWS's error codes and messages. Most rules in
the code cite their source. An operation or a parameter that is not emulated fails at once.
"""

from dt_logs_rehearsal.account.account import Account, Clock, Snapshot
from dt_logs_rehearsal.account.client import Hook
from dt_logs_rehearsal.account.errors import Refused, client_error
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, Request, evaluate
from dt_logs_rehearsal.account.world import Caller, Consistency, LogDelivery

__all__ = [
    "Account",
    "Caller",
    "Clock",
    "Consistency",
    "Decision",
    "Hook",
    "LogDelivery",
    "Principal",
    "Refused",
    "Request",
    "Snapshot",
    "client_error",
    "evaluate",
]
