"""The code in the released templates needs nothing but the standard library and boto3.

tests/rehearsal runs the code for a stack's whole life. These tests import it in a process that
cannot import the project or its dependencies, and search its sources for later imports.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from dt_logs_cfn.release.build import STACK_TEMPLATES, build_release
from dt_logs_cfn.settings import Settings

# boto3's packages in a Lambda runtime; the function's process may load only these.
BOTO3 = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
DRIVER = """
import importlib.util, json, sys
code, boto3, project = sys.argv[1:]
sys.path[:0] = [code, boto3]
assert not [name for name in project.split() if importlib.util.find_spec(name)]
import index

index.handler({}, None)  # an event without an answer URL
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def boto3_alone(folder: Path) -> str:
    """Link boto3 and its dependencies, but no other packages, into a folder."""
    folder.mkdir()
    for name in BOTO3:
        spec = find_spec(name)
        assert spec and spec.origin
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return str(folder)


@pytest.mark.parametrize("name", sorted(STACK_TEMPLATES.values()))
def test_released_code_loads_the_standard_library_and_boto3_alone(
    name: str, tmp_path: Path
) -> None:
    template = json.loads(build_release(Settings()).files[name])
    properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
    assert properties["Handler"] == "index.handler"
    (tmp_path / "index.py").write_text(properties["Code"]["ZipFile"], encoding="utf-8")
    project = "dt_logs_cfn dt_logs_handler moto troposphere support"
    boto3 = boto3_alone(tmp_path / "boto3")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DRIVER, str(tmp_path), boto3, project],
        env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    mains = {"__main__", "__mp_main__", "index"}
    assert loaded - set(sys.stdlib_module_names) - set(BOTO3) - mains == {"dt_logs_handler"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level names of all imports, except relative and type-checking imports."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (name.name.partition(".")[0] for name in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module.partition(".")[0]
        yield from imported(node)


def test_modules_import_nothing_that_lambda_lacks() -> None:
    sources = [each for each in files("dt_logs_handler").iterdir() if each.name.endswith(".py")]
    assert sources
    for each in sources:
        found = set(imported(ast.parse(each.read_text(encoding="utf-8"), each.name)))
        assert found <= {"boto3", "botocore", *sys.stdlib_module_names}, each.name
