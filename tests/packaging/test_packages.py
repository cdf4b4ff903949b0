"""The packages hold exactly the listed files, and a customer can use them without a checkout.

The packages are built once, without warnings, from a copy of the source.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from email.parser import Parser
from pathlib import Path

import pytest
from support.emulated import emulated

from dt_logs_cfn import Settings, __version__, build_release, compare
from dt_logs_cfn.template import embedding

ROOT = Path(__file__).parents[2]
NAME = "dt-logs-analysis"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the files that git does not ignore; setuptools would package its own leftovers, too."""
    folder = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def dist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, without warnings; return their folder."""
    releases = set((source / "build").rglob("*"))
    folder = tmp_path_factory.mktemp("dist")
    done = python("-m", "build", "--outdir", folder, source, PYTHONDONTWRITEBYTECODE="")
    told = [line for line in (done.stdout + done.stderr).splitlines() if "warn" in line.lower()]
    assert told == []
    assert set((source / "build").rglob("*")) == releases  # setuptools did not add files
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"dt_logs_cfn-{__version__}-py3-none-any.whl"


def expected(kind: str) -> list[str]:
    """Return the files that a kind of archive must hold, from the list beside this test."""
    lines = Path(__file__).with_name(f"{kind}.txt").read_text().splitlines()
    return sorted(line.replace("VERSION", __version__) for line in lines)


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(archive.namelist())
        settings = archive.read("dt_logs_cfn/release.cfg")
        text = archive.read(f"dt_logs_cfn-{__version__}.dist-info/METADATA").decode()

    assert names == expected("wheel")
    assert settings == (ROOT / "release.cfg").read_bytes()  # the same as in a checkout
    assert (ROOT / "release.cfg").is_symlink()
    found = Parser().parsestr(text, headersonly=True)
    for name in ("Author", "Classifier", "Keywords", "Project-URL", "Requires-Python", "Summary"):
        assert found[name], name
    assert found.get_all("Provides-Extra") == ["rehearse", "dev"]


def test_the_sdist_and_the_handlers_zip_hold_their_files_and_nothing_else(dist: Path) -> None:
    with tarfile.open(dist / f"dt_logs_cfn-{__version__}.tar.gz") as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]

    assert sorted(files) == expected("sdist")
    assert [*embedding.handler_files()] == expected("handler")


def test_an_index_takes_both_packages(dist: Path) -> None:
    packages = [*dist.glob("*.whl"), *dist.glob("*.tar.gz")]
    assert len(packages) == 2
    told = python("-m", "twine", "check", "--strict", *packages).stdout
    assert told.count("PASSED") == 2, told


def python(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these words and environment variables; it must succeed."""
    env = {**os.environ, **variables}
    command = [sys.executable, *words]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its extra as a uv tool, and return the program."""
    place = tmp_path_factory.mktemp("uv")
    package = f"dt-logs-cfn[rehearse] @ {wheel.as_uri()}"
    places = {f"UV_{name}_DIR": str(place / name) for name in ("CACHE", "TOOL", "TOOL_BIN")}
    python("-m", "uv", "tool", "install", "--python", sys.executable, package, **places)
    return place / "TOOL_BIN" / "dt-logs-cfn"


def run(
    program: Path, folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *words], cwd=folder, env=env, capture_output=True, text=True)


def test_pipx_installs_it(wheel: Path, tmp_path: Path) -> None:
    places = {f"PIPX_{name}": str(tmp_path / name) for name in ("HOME", "BIN_DIR", "MAN_DIR")}
    python("-m", "pipx", "install", "--python", sys.executable, wheel, **places)

    done = run(tmp_path / "BIN_DIR" / "dt-logs-cfn", tmp_path, "--version")

    assert done.stdout == f"dt-logs-cfn {__version__}\n"


def test_it_builds_checks_and_rehearses_a_release(program: Path, tmp_path: Path) -> None:
    built = run(program, tmp_path, "build", "--out", "out")

    assert built.returncode == 0, built.stderr
    assert compare(build_release(Settings()), tmp_path / "out" / __version__) == ()
    template = f"out/{__version__}/{NAME}.template.json"
    for words, told in (
        (("verify", template), f"{template}: identical to release {__version__}, least-privilege"),
        (("diff", f"out/{__version__}"), "identical"),
        (("explain",), "The Lambda's least-privilege role: "),
        (("lint", "--json"), "[]"),
        (("rehearse", "--scenario", "update"), ""),
    ):
        done = run(program, tmp_path, *words)
        assert (done.returncode, told in done.stdout) == (0, True), (words, done)


def test_it_operates_a_stack(program: Path, tmp_path: Path) -> None:
    with emulated(tmp_path, None) as account:
        (tmp_path / "dt-logs-cfn.cfg").write_text(
            f"[options]\nrole_arn = {account.role}\n\n[parameters]\n"
            "DataTheoremAccountId = 999988887777\n"
            "NotificationEndpoint = https://logs.example.com/in\n"
            f"LoadBalancerArns =\n    {account.load_balancers[0]}\n"
        )
        codes = {}
        for line in ("plan", "deploy --yes", "status", f"verify --stack {NAME}", "remove --yes"):
            words = line.split()
            done = run(program, tmp_path, *words, env=account.environment)
            codes[words[0]] = done.returncode
            assert "Traceback" not in done.stderr
            for each in account.sandbox.account.world.subscriptions.values():
                each.confirmed = True  # as the vendor's endpoint does
        left = account.client("cloudformation").describe_stacks()["Stacks"]

    assert codes == {"plan": 1, "deploy": 0, "status": 0, "verify": 0, "remove": 0}
    assert [each["StackName"] for each in left] == ["service-role"]
