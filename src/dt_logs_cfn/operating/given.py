"""Values for the template's parameters, from options and a file of the caller's."""

import argparse
import json
from pathlib import Path

from dt_logs_cfn.errors import OperatingError
from dt_logs_handler.documents import Json
from dt_logs_handler.request import ReadScope

_LIMIT = 1_000_000
# Options for what is asked for most; a list is given by repeating its option.
_OPTIONS = (
    ("--load-balancer", "LoadBalancerArns", "ARN", "the ARN of a load balancer, or * for all"),
    ("--data-theorem-account-id", "DataTheoremAccountId", "ID", "the account that may read"),
    ("--notification-endpoint", "NotificationEndpoint", "ENDPOINT", "an https URL or a queue"),
    ("--log-bucket-name", "LogBucketName", "BUCKET", "for load balancers that do not log yet"),
    ("--vendor-read-scope", "VendorReadScope", "SCOPE", "LoadBalancer or Location"),
    (
        "--existing-log-bucket-name",
        "ExistingLogBucketNames",
        "BUCKET",
        "of your buckets, the only ones that the Lambda may touch",
    ),
)
_LISTS = ("LoadBalancerArns", "ExistingLogBucketNames")
_FORMS = (
    '{"NAME": "VALUE"}, or a list of {"ParameterKey": …, "ParameterValue": …} as in the AWS CLI'
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that give values to parameters."""
    for option, name, metavar, what in _OPTIONS:
        several = name in _LISTS
        parser.add_argument(
            option,
            dest=name,
            action="append" if several else "store",
            metavar=metavar,
            help=f"{what}; repeat it for more" if several else what,
            choices=[each.value for each in ReadScope] if name == "VendorReadScope" else None,
        )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any parameter of the template, by its name there; repeat it for more",
    )
    parser.add_argument(
        "--parameters", type=Path, metavar="FILE", help=f"the same as a JSON file: {_FORMS}"
    )


def values(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what was given: options before `--parameter` before `--parameters`.

    Raises OperatingError.
    """
    found = _of_file(arguments.parameters) if arguments.parameters else {}
    for each in arguments.parameter:
        name, equals, value = each.partition("=")
        if not equals:
            raise OperatingError(
                f"--parameter {name[:80]!r} has no value.", "Give --parameter NAME=VALUE."
            )
        found[name] = value
    for _, name, _, _ in _OPTIONS:
        value = getattr(arguments, name)
        if value is not None:
            found[name] = ",".join(value) if name in _LISTS else value
    return found


def _of_file(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
        if len(content) > _LIMIT:
            raise OperatingError(f"{path} has more than {_LIMIT:,} bytes.", "Name another file.")
        found: Json = json.loads(content)
    except OSError as error:
        raise OperatingError(
            f"{path} cannot be read: {error.strerror or error}.", "Name a file of parameters."
        ) from error
    except (ValueError, RecursionError) as error:
        raise OperatingError(f"{path} is no JSON.", f"Write {_FORMS}.") from error
    match found:
        case {"Parameters": dict() as inner}:
            items: list[tuple[Json, Json]] = [*inner.items()]
        case dict():
            items = [*found.items()]
        case list() if all(isinstance(each, dict) for each in found):
            items = [
                (each.get("ParameterKey"), each.get("ParameterValue"))
                for each in found
                if isinstance(each, dict)
            ]
        case _:
            items = [(None, None)]
    result = {
        name: str(value)
        for name, value in items
        if isinstance(name, str) and isinstance(value, str | int) and not isinstance(value, bool)
    }
    if len(result) != len(items):
        raise OperatingError(
            f"{path} has something that is no parameter, or the same one twice.",
            f"Write {_FORMS}.",
        )
    return result
