"""`rehearse` reports its results as text and as JSON, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dt_logs_cfn import Settings, build_release, write_release


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that contains only a folder for temporary files."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "tmp").mkdir()
    return folder


def environment(here: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(here / "tmp"), "HOME": str(here / "tmp")}


def rehearse(here: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run `rehearse` in a new process, after the code in `before`."""
    code = f"{before}\nfrom dt_logs_cfn.__main__ import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, "rehearse", *arguments],
        cwd=here,
        env=environment(here),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def left_behind(here: Path) -> list[str]:
    """Return the files in the temporary folder, and the command lines that name the folder."""
    files = [str(each) for each in (here / "tmp").iterdir()]
    listed = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True)
    return files + [line for line in listed.stdout.splitlines() if str(here / "tmp") in line]


def test_it_tells_a_person_what_happened(here: Path) -> None:
    done, verbose = rehearse(here), rehearse(here, "--verbose")
    assert done.returncode == verbose.returncode == 0, done.stderr + verbose.stderr
    assert done.stderr.splitlines() == [
        "The AWS account is emulated on this machine: nothing was changed in AWS.",
        "[1/1] fresh: A load balancer that does not log yet.",
        "Use --verbose, or --report FILE for a page, to see events, changes and API calls.",
    ]
    heading, fresh, summary, *notice = done.stdout.splitlines()
    columns = ["Scenario", "Result", "Account", "API calls", "Denied by IAM"]
    assert re.split("  +", heading) == columns
    assert re.split("  +", fresh)[:3] == ["fresh", "as expected", "restored"]
    assert summary == "  A load balancer that does not log yet."
    assert notice[1].startswith("The AWS account is emulated on this machine")
    for part in (
        "CREATE_COMPLETE     InvokeLambdaFunction",
        "    What changed in the account:",
        "          ~ access_logs.s3.enabled: false -> true\n",
        "      + S3 bucket dt-logs-analysis-",
        "allowed s3:CreateBucket on arn:aws:s3:::dt-logs-analysis-",
        ", statement: OwnBucket\n",
        '"GET https://web.example.com:443/visit/1 HTTP/1.1"',
        "refused: delete ",
    ):
        assert part in verbose.stdout
    assert "['" not in verbose.stdout
    assert "\x1b[" not in done.stdout + done.stderr + verbose.stdout
    assert left_behind(here) == []


def test_it_tells_a_program(here: Path) -> None:
    done = rehearse(here, "--json", "--scenario", "delete", "--report", "page.html")
    report = json.loads(done.stdout)
    assert {"calls", "diff", "vendor_received"} <= report.keys()
    assert (report["stack_status"], report["denied"]) == ("DELETE_COMPLETE", [])
    assert report["restored"] is True
    page = (here / "page.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "https://" not in page.replace("https://logs.example.com", "")


def test_the_documented_service_role_cannot_run_the_stack(here: Path) -> None:
    done = rehearse(here, "--service-role", "documented")
    assert done.returncode == 1
    assert "is not authorized to perform: iam:PassRole" in done.stdout
    lacks = "  The service role lacks .*iam:PassRole, .*lambda:InvokeFunction"
    assert re.search(lacks, done.stdout)
    assert "ROLLBACK_FAILED" in done.stdout


def test_what_cannot_be_rehearsed_is_told_in_a_line(here: Path, tmp_path: Path) -> None:
    folder = write_release(build_release(Settings()), tmp_path)
    path = folder / "dt-logs-analysis.template.json"
    path.write_text(path.read_text().replace("s3:GetBucketTagging", "s3:GetBucketAcl"))
    missing = "import sys; sys.modules['awslambdaric'] = None"
    install = (
        "dt-logs-cfn: A rehearsal needs awslambdaric, which is not installed. Install it with:"
    )
    for arguments, before, told in (
        (("--release", str(folder)), "", "is not what this release builds: "),
        (("--release", "nowhere"), "", "nowhere"),
        (("--scenario", "delete", "--report", "nowhere/page.html"), "", "nowhere"),
        ((), missing, f"{install} pip install 'dt-logs-cfn[rehearse]'"),
    ):
        done = rehearse(here, *arguments, before=before)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
        assert told in done.stderr
    path.write_text("{}")
    assert rehearse(here, "--release", str(folder)).returncode == 3


# A process that a shell starts in the background ignores SIGINT, and so do its children.
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from dt_logs_cfn.__main__ import run
run()
"""


def test_ctrl_c_leaves_nothing(here: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "rehearse", "--scenario", "all"],
        cwd=here,
        env=environment(here),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        until = time.monotonic() + 60
        while not any(" " in each for each in left_behind(here)):  # only command lines have spaces
            assert time.monotonic() < until, "no function was run"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.splitlines()[-1] == "dt-logs-cfn: interrupted"
    assert "Traceback" not in said
    assert left_behind(here) == []
