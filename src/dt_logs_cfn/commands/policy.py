"""`policy`: print an IAM policy of the release, with an account's own values."""

import argparse
import re
import sys

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.parsing import REGION, matching
from dt_logs_cfn.cli.terminal import tell
from dt_logs_cfn.settings import partition_of
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_handler.names import ACCOUNT_ID

# For each value in a policy: its pattern, the pattern in words, and the option's help.
_FUNCTION = r"[A-Za-z0-9_-]{1,64}\*?", "up to 64 letters, digits, hyphens and underscores"
_VALUES = {
    "account": (ACCOUNT_ID, "12 digits", "the stack's account ID, 12 digits"),
    "region": (*REGION, "the stack's region; it also decides the partition"),
    "role_name": (
        r"/?(?:[A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}\*?",
        "a name that IAM accepts",
        "the Lambda's role, with its path; may end in *",
    ),
    "function_name": (*_FUNCTION, "the Lambda function; may end in *"),
    "log_group_name": (
        r"[A-Za-z0-9_./#-]{1,512}\*?",
        "a name that CloudWatch Logs accepts",
        "the function's log group; may end in *",
    ),
    "rule_name": (*_FUNCTION, "the rule of the RefreshSchedule; may end in *"),
    "stack_name": (
        r"[A-Za-z][A-Za-z0-9-]{0,127}\*?",
        "letters, digits and hyphens",
        "the stack; may end in *",
    ),
    "notification_endpoint": (
        r"(?:https://|arn:aws)[!-#%-~]+",
        "an https URL or an ARN",
        "the vendor's endpoint",
    ),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `policy`."""
    parser.add_argument(
        "name",
        nargs="?",
        choices=POLICY_NAMES,
        metavar="NAME",
        help=f"one of {', '.join(POLICY_NAMES)} (default: list them)",
    )
    for name, (pattern, rule, what) in _VALUES.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=matching(pattern, rule), metavar="VALUE", help=what)


def run(arguments: argparse.Namespace) -> int:
    """Print a policy, with a placeholder for each missing value, or the names of all policies."""
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
