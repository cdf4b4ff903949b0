"""The code in the released templates needs nothing but the standard library and boto3.

tests/rehearsal runs the code for a stack's whole life. These tests import it in a process of its
own, look at what it has loaded, and search its sources for later imports.
"""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import boto3
import pytest

from dt_logs_cfn.release.build import STACK_TEMPLATES, build_release
from dt_logs_cfn.settings import Settings

# boto3's packages in a Lambda runtime; the function's process may load only these.
BOTO3 = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
OPTIONAL = ("backports", "certifi")  # these packages load them if they are installed
DRIVER = """
import json, sys
sys.path[:0] = sys.argv[1:]
import index

index.handler({}, None)  # an event without an answer URL
assert ".zip" in sys.modules["dt_logs_handler"].__file__
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("name", sorted(STACK_TEMPLATES.values()))
def test_released_code_loads_the_standard_library_and_boto3_alone(
    name: str, tmp_path: Path
) -> None:
    template = json.loads(build_release(Settings()).files[name])
    properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
    assert properties["Handler"] == "index.handler"
    (tmp_path / "index.py").write_text(properties["Code"]["ZipFile"], encoding="utf-8")
    installed = Path(boto3.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DRIVER, str(tmp_path), str(installed)],
        env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    mains = {"__main__", "__mp_main__", "index"}
    assert loaded - set(sys.stdlib_module_names) - {*BOTO3, *OPTIONAL} - mains == {
        "dt_logs_handler"
    }


def test_modules_import_nothing_that_lambda_lacks() -> None:
    """This also finds the imports inside functions. Only type checkers import mypy_boto3."""
    sources = [each for each in files("dt_logs_handler").iterdir() if each.name.endswith(".py")]
    assert sources
    for each in sources:
        for node in ast.walk(ast.parse(each.read_text(encoding="utf-8"), each.name)):
            match node:
                case ast.Import():
                    found = {name.name.partition(".")[0] for name in node.names}
                case ast.ImportFrom(level=0, module=str(module)):
                    found = {re.sub("^mypy_boto3_.*", "typing", module.partition(".")[0])}
                case _:
                    continue
            assert found <= {"boto3", "botocore", *sys.stdlib_module_names}, each.name
