"""The wheel as a customer uses it, in an empty folder and without a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.emulated import emulated

from dt_logs_cfn import Settings, __version__, build_release, compare

NAME = "dt-logs-analysis"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its extra as a uv tool, and return the program."""
    place = tmp_path_factory.mktemp("uv")
    words = ("tool", "install", "--python", sys.executable)
    places = {f"UV_{name}_DIR": str(place / name) for name in ("CACHE", "TOOL", "TOOL_BIN")}
    subprocess.run(
        [sys.executable, "-m", "uv", *words, f"dt-logs-cfn[rehearse] @ {wheel.as_uri()}"],
        env={**os.environ, **places},
        check=True,
        capture_output=True,
    )
    return place / "TOOL_BIN" / "dt-logs-cfn"


def run(
    program: Path, folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], cwd=folder, env=env, capture_output=True, text=True)


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    places = {f"PIPX_{name}": str(tmp_path / name) for name in ("HOME", "BIN_DIR", "MAN_DIR")}
    subprocess.run(
        [sys.executable, "-m", "pipx", "install", "--python", sys.executable, str(wheel)],
        env={**os.environ, **places},
        check=True,
        capture_output=True,
    )

    done = run(tmp_path / "BIN_DIR" / "dt-logs-cfn", tmp_path, "--version")

    assert done.stdout == f"dt-logs-cfn {__version__}\n"


def test_it_builds_checks_and_rehearses_a_release(program: Path, folder: Path) -> None:
    built = run(program, folder, "build", "--out", "out")

    assert built.returncode == 0, built.stderr
    assert compare(build_release(Settings()), folder / "out" / __version__) == ()
    template = f"out/{__version__}/{NAME}.template.json"
    for words, told in (
        (("verify", template), f"{template}: identical to release {__version__}, least-privilege"),
        (("diff", f"out/{__version__}"), "identical"),
        (("explain",), "The Lambda's least-privilege role: "),
        (("lint", "--json"), "[]"),
        (("rehearse", "--scenario", "update"), ""),
    ):
        done = run(program, folder, *words)
        assert (done.returncode, told in done.stdout) == (0, True), (words, done)


def test_it_operates_a_stack(program: Path, folder: Path, tmp_path: Path) -> None:
    with emulated(tmp_path, None) as account:
        (folder / "dt-logs-cfn.cfg").write_text(
            f"[options]\nrole_arn = {account.role}\n\n[parameters]\n"
            "DataTheoremAccountId = 999988887777\n"
            "NotificationEndpoint = https://logs.example.com/in\n"
            f"LoadBalancerArns =\n    {account.load_balancers[0]}\n"
        )
        codes = {}
        for line in ("plan", "deploy --yes", "status", f"verify --stack {NAME}", "remove --yes"):
            words = line.split()
            done = run(program, folder, *words, env=account.environment)
            codes[words[0]] = done.returncode
            assert "Traceback" not in done.stderr
            for each in account.sandbox.account.world.subscriptions.values():
                each.confirmed = True  # as the vendor does
        left = account.client("cloudformation").describe_stacks()["Stacks"]

    assert codes == {"plan": 1, "deploy": 0, "status": 0, "verify": 0, "remove": 0}
    assert [each["StackName"] for each in left] == ["service-role"]
