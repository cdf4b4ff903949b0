"""`policy`: print an IAM policy of the release with an account's own values in it."""

import argparse
import re
import sys

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.argument_types import matching
from dt_logs_cfn.cli.terminal import tell
from dt_logs_cfn.settings import partition_of
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_handler.names import ACCOUNT_ID

# The values of IAM and Lambda; a role's name comes with its path.
_REGION = "[a-z]{2,4}(?:-[a-z]+)+-[0-9]+"
_ROLE = r"/?(?:[A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}\*?"
_LOG_GROUP = r"[A-Za-z0-9_./#-]{1,512}\*?"
_ENDPOINT = r"(?:https://|arn:aws)[!-#%-~]+"
_VALUES = (
    "account",
    "region",
    "role_name",
    "function_name",
    "log_group_name",
    "notification_endpoint",
)
_FUNCTION = r"[A-Za-z0-9_-]{1,64}\*?"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `policy`."""
    parser.add_argument(
        "name",
        nargs="?",
        choices=POLICY_NAMES,
        metavar="NAME",
        help=f"one of {', '.join(POLICY_NAMES)} (default: list them)",
    )
    for option, pattern, rule, what in (
        ("--account", ACCOUNT_ID, "12 digits", "the account of the stack, 12 digits"),
        (
            "--region",
            _REGION,
            "a region like eu-west-1",
            "the region of the stack; it decides the partition, too",
        ),
        ("--role-name", _ROLE, "a role name", "the Lambda's role, with its path; may end in *"),
        ("--function-name", _FUNCTION, "a function name", "the Lambda's function; may end in *"),
        (
            "--log-group-name",
            _LOG_GROUP,
            "a log group name",
            "the function's log group; may end in *",
        ),
        ("--notification-endpoint", _ENDPOINT, "an https URL or an ARN", "the vendor's endpoint"),
    ):
        parser.add_argument(option, type=matching(pattern, rule), metavar="VALUE", help=what)


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
