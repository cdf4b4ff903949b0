"""`policy`: print an IAM policy of the release with an account's own values in it."""

import argparse
import re
import sys

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.parsing import matching
from dt_logs_cfn.cli.terminal import tell
from dt_logs_cfn.settings import partition_of
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_handler.names import ACCOUNT_ID

# The values of IAM and Lambda; a role's name comes with its path.
_ACCOUNT = matching(ACCOUNT_ID, "12 digits")
_REGION = matching("[a-z]{2,4}(?:-[a-z]+)+-[0-9]+", "a region like eu-west-1")
_ROLE = matching(r"/?(?:[A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}\*?", "a name that IAM takes")
_LOG_GROUP = matching(r"[A-Za-z0-9_./#-]{1,512}\*?", "a name that CloudWatch Logs takes")
_ENDPOINT = matching(r"(?:https://|arn:aws)[!-#%-~]+", "an https URL or an ARN")
_STACK = matching(r"[A-Za-z][A-Za-z0-9-]{0,127}\*?", "letters, digits and hyphens")
_FUNCTION = matching(r"[A-Za-z0-9_-]{1,64}\*?", "up to 64 letters, digits, hyphens and underscores")
_VALUES = (
    "account",
    "region",
    "role_name",
    "function_name",
    "log_group_name",
    "rule_name",
    "stack_name",
    "notification_endpoint",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `policy`."""
    parser.add_argument(
        "name",
        nargs="?",
        choices=POLICY_NAMES,
        metavar="NAME",
        help=f"one of {', '.join(POLICY_NAMES)} (default: list them)",
    )
    for option, kind, what in (
        ("--account", _ACCOUNT, "the account of the stack, 12 digits"),
        ("--region", _REGION, "the region of the stack; it decides the partition, too"),
        ("--role-name", _ROLE, "the Lambda's role, with its path; may end in *"),
        ("--function-name", _FUNCTION, "the Lambda's function; may end in *"),
        ("--log-group-name", _LOG_GROUP, "the function's log group; may end in *"),
        ("--rule-name", _FUNCTION, "the rule of its RefreshSchedule; may end in *"),
        ("--stack-name", _STACK, "the stack; may end in *"),
        ("--notification-endpoint", _ENDPOINT, "the vendor's endpoint"),
    ):
        parser.add_argument(option, type=kind, metavar="VALUE", help=what)


def run(arguments: argparse.Namespace) -> int:
    """Print one policy, or the names of all; placeholders stand for what was not given."""
    if arguments.name is None:
        print("\n".join(POLICY_NAMES))
        return 0
    values = {name: value for name in _VALUES if (value := getattr(arguments, name)) is not None}
    if "region" in values:
        values["partition"] = partition_of(values["region"])
    if "role_name" in values:
        values["role_name"] = values["role_name"].removeprefix("/")
    text = canonical.dumps(policy_document(arguments.name, **values))
    sys.stdout.write(text)
    if missing := sorted(set(re.findall(r"\$\{[A-Za-z]+\}", text))):
        tell(f"Fill in before you use it: {', '.join(missing)}")
    return 0
