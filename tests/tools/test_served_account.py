"""`python -m cloudformation_api`: an emulated account for a shell."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join(str(ROOT / each) for each in ("src", "handler", "tools"))


@pytest.mark.slow
def test_the_printed_lines_let_a_shell_deploy_into_the_account(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dt_logs_cfn", "deploy", "--yes", "--load-balancer"]
    environment = {**os.environ, "PYTHONPATH": PATHS}
    with subprocess.Popen(
        [sys.executable, "-m", "cloudformation_api"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        try:
            assert served.stdout is not None
            lines = [served.stdout.readline() for _ in range(13)]
            named = [line.split()[-1] for line in lines if line.startswith("# load balancer")]
            options = [
                word for each in lines if each.startswith("# --") for word in each[1:].split()
            ]
            (tmp_path / "lines").write_text("".join(lines))
            deployed = subprocess.run(
                ["sh", "-c", '. ./lines; exec "$@"', "sh", *command, named[0], *options],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
        finally:
            served.send_signal(signal.SIGINT)
    assert "dt-logs-analysis: created, CREATE_COMPLETE" in deployed.stdout, deployed.stderr
    assert served.returncode == 130
