"""Values, places and a shell for the tests of the launch page, with and without a browser."""

import re
import subprocess

# The index of a partition in `PARTITIONS`, one of its regions, and the console's host there.
PLACES = [
    (0, "us-east-1", "us-east-1.console.aws.amazon.com"),
    (1, "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    (2, "cn-north-1", "cn-north-1.console.amazonaws.cn"),
    (3, "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
]
ENDPOINT = "https://logs.example.com/in?a='$(touch+x)`id`${b}%{c}\"\\!*&<i>;|,#"
# Values that careless quoting would break.
ODD_VALUES = (
    ENDPOINT,
    "plain",
    "",
    "it's",
    "'; touch x; '",
    '"quoted" \\ and $HOME `id` $(id) !x',
    "${path.module} $${x} $$${c} %{if true} %%{x} $ %",
    "line\nfeed\ttab\r\b\f\x1b[201~\x7f",
    "grün 漢字 \U0001f600 \u2028",
)


def arguments(command: str) -> list[str]:
    """Return the arguments that a real shell passes to `aws`, or to our own program."""
    shell = "passed() { printf '%s\\0' \"$@\"; }\n"
    shell += re.sub(r"^(aws|dt-logs-cfn)\b", "passed", command, flags=re.MULTILINE)
    ran = subprocess.run(
        ["/bin/sh", "-c", shell], capture_output=True, check=True, env={"PATH": "/nowhere"}
    )
    assert ran.stderr == b""
    return ran.stdout.decode().split("\0")[:-1]
