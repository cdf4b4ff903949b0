"""A customized release is built, published to S3, and verified where customers find it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cli.running import Ran, Run
from publishing.conftest import BASE_URL, BUCKET, there
from support.s3_server import Server

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.main import main

TEMPLATE = "dt-logs-analysis.template.json"
BY = "house_rules:add"
MODULE = """\
from troposphere import Output


def add(template, kind):
    template.add_output(Output("Owner", Value="edge"))


def other(template, kind):
    template.add_output(Output("Owner", Value="core"))
"""


@pytest.fixture
def run(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command in a folder with a function and the marked release that it customizes."""
    (tmp_path / "release.cfg").write_text(f"[aws]\nbase_url = {BASE_URL}\n")
    (tmp_path / "house_rules.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "house_rules", raising=False)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)

    def run(*argv: str | Path) -> Ran:
        code = main([str(word) for word in argv])
        return Ran(code, *capsys.readouterr())

    assert run("build", "--mark-released", "--customize", BY).code == 0
    return run


def test_it_is_published_and_verified_with_the_function_and_without(
    run: Run, server: Server
) -> None:
    publish = ("publish", "--bucket", BUCKET, "--revision", "f00d")
    assert "is not what this source builds" in run(*publish).failure
    assert there(server) == {}
    assert run(*publish, "--customize", BY).code == 0

    start = f"logs-analysis/{__version__}"
    assert json.loads(there(server)[f"{start}/manifest.json"])["customized_by"] == BY
    url = f"{server.url}/{BUCKET}/{start}/{TEMPLATE}"
    for place in (url, f"s3://{BUCKET}/{start}/{TEMPLATE}"):
        same = run("verify", place, "--customize", BY)
        assert same.code == 0
        assert f"identical to release {__version__}, customized by {BY}, least-priv" in same.out

        without = json.loads(run("verify", place, "--json").out)
        assert without["differences"] == [
            "Metadata/DTLogsAnalysis/CustomizedBy added",
            "Outputs/Owner added",
        ]
    another = run("verify", url, "--customize", "house_rules:other")
    assert another.code == 1
    assert "Outputs/Owner/Value changed" in another.out
    assert run("verify", f"{server.url}/{BUCKET}/{start}/handler.zip").code == 0
