"""Serve an emulated AWS account to a shell until Ctrl-C: `python -m cloudformation_api`.

Prints the shell commands that point the AWS CLI, boto3 and `dt-logs-cfn` at the account, and the
values for `plan` and `deploy`. The vendor confirms subscriptions. Each load balancer that logs
writes a log file every five minutes of the account's time, which passes 20 times as fast as real
time.
"""

import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cloudformation_api.api import environment, serve
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account.elbv2 import Visit, log_file
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox
from dt_logs_rehearsal.scenarios.released import load
from dt_logs_rehearsal.vendor import ENDPOINT, VENDOR

LOG_SECONDS = 300.0  # ELB writes a log file every five minutes
_ABOUT = """\
Serving an emulated AWS account until Ctrl-C. Run the lines above in another shell, which then calls
this account as its root user. The service role exists already. The endpoint confirms subscriptions
at once, load balancers write logs by themselves, and time passes 20 times as fast."""


def main() -> int:
    """Serve until Ctrl-C; return the exit code."""
    folder = tempfile.TemporaryDirectory(prefix="dt-logs-account-")
    with folder as name, Sandbox(Path(name)) as sandbox:
        serve(sandbox)
        print("\n".join(_settings(sandbox)), flush=True)
        print(_ABOUT, file=sys.stderr)
        with suppress(KeyboardInterrupt):
            _live(sandbox)
    return 130


def _settings(sandbox: Sandbox) -> Iterator[str]:
    """Yield lines for a shell: the account's address and keys, then values as comments."""
    variables = environment(sandbox, sandbox.endpoint.session(ADMINISTRATOR))
    released = load(None, Privileges.LEAST_PRIVILEGE, "lifecycle")
    yield from (f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    yield "unset AWS_PROFILE AWS_REGION"
    yield f"# load balancer without logs: {sandbox.account.add_load_balancer('web')}"
    yield f"# load balancer without logs: {sandbox.account.add_load_balancer('api')}"
    yield f"# --role-arn {released.service_role(sandbox)}"
    yield f"# --parameter DataTheoremAccountId={VENDOR}"
    yield f"# --parameter NotificationEndpoint={ENDPOINT}"


def _live(sandbox: Sandbox) -> None:
    """Let the vendor receive messages, and the load balancers write logs, until Ctrl-C."""
    written = sandbox.pace()
    while True:
        time.sleep(0.5)
        sandbox.vendor.receive()
        if sandbox.pace() < written + LOG_SECONDS:
            continue
        written = sandbox.pace()
        for arn in list(sandbox.account.world.load_balancers):
            sandbox.account.write_log(arn, log_file(arn, [Visit("192.0.2.7", "/")], written))


if __name__ == "__main__":
    sys.exit(main())
