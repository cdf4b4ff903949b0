"""Quote a stack's life as an operator sees it, from real commands against an emulated account.

cog calls `sessions` as it calls the functions of `generate`. IDs and times, which differ from run
to run, are replaced.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dt_logs_cfn import __version__
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox
from dt_logs_rehearsal.scenarios.released import load

ROOT = Path(__file__).resolve().parents[1]
RELEASE = ROOT / "build" / __version__

Run = Callable[..., str]
_ALIKE = (
    (r"(?m)^[0-9:]{5,}  ", "…      "),
    (r"\b[0-9a-f]{64}\b", "…"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "…"),
    (r"(?<=-)[0-9a-f]{24}\b", "…"),
    (r"(?<=-)[0-9a-f]{12}$", "…"),
    (r"(?<=-)[0-9a-f]{12}(?=[ \n])", "…"),
    (r"(?<=[-/])(?!123456789012)[0-9a-f]{12}(?=[-\n])", "4d5e6f708192"),
    (r"[0-9,]+ answers from AWS so far\n", ""),  # shown only on a slow machine
)


def sessions() -> str:
    """Return the commands' output from `plan` to `remove`, in Markdown.

    Raises RuntimeError if a command exits with an unexpected code.
    """
    with _account() as (run, role, load_balancer):
        given = (
            *("--load-balancer", load_balancer),
            *("--parameter", "DataTheoremAccountId=999988887777"),
            *("--parameter", "NotificationEndpoint=https://logs.example.com/alb"),
        )
        return "\n".join(
            (
                "See what the stack would change:\n",
                run(1, "plan", *given),
                "Launch the stack. Without `--yes`, `deploy` shows this and then asks:\n",
                run(0, "deploy", "--role-arn", role, *given, "--yes"),
                "Check whether logs flow. The endpoint has not confirmed its subscription yet:\n",
                run(0, "status"),
                "Deploy again. Parameters that you leave out keep their values:\n",
                run(0, "deploy", "--yes"),
                "See what a second run would change:\n",
                run(1, "plan", "--parameter", "RunToken=2"),
                "Check that the stack runs this release, including the function's code and role:\n",
                run(0, "verify", "--stack", "dt-logs-analysis"),
                "Remove the stack:\n",
                run(0, "remove", "--yes"),
            )
        )


@contextmanager
def _account() -> Iterator[tuple[Run, str, str]]:
    """Start an emulated account; yield a command runner, a service role and a load balancer."""
    sys.path.append(str(ROOT / "tools"))
    from cloudformation_api.api import environment, serve

    with TemporaryDirectory() as folder, Sandbox(Path(folder)) as sandbox:
        serve(sandbox)
        role = load(RELEASE, Privileges.LEAST_PRIVILEGE, "lifecycle").service_role(sandbox)
        variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            **environment(sandbox, sandbox.endpoint.session(ADMINISTRATOR)),
        }

        def run(code: int, *arguments: str) -> str:
            return _ran(variables, code, arguments)

        yield run, role, sandbox.account.add_load_balancer("web")


def _ran(environment: Mapping[str, str], code: int, arguments: tuple[str, ...]) -> str:
    done = subprocess.run(
        (sys.executable, "-m", "dt_logs_cfn", *arguments),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != code:
        raise RuntimeError(f"{arguments[0]} exited with {done.returncode}:\n{done.stdout}")
    command = " ".join(("$ dt-logs-cfn", *arguments))
    text = f"{command}\n{done.stdout}"
    for pattern, alike in _ALIKE:
        text = re.sub(pattern, alike, text)
    return f"```console\n{text.rstrip()}\n```\n"
