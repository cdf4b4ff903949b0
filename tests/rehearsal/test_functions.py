"""Emulated Lambda on its own: the code's process, its events, and its end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rehearsal.stacks import PLAIN

from dt_logs_rehearsal.functions.processes import Function, Functions
from dt_logs_rehearsal.pace import Pace


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Functions]:
    with Functions(tmp_path, "http://127.0.0.1:1", Pace()) as found:
        yield found


def code(body: str) -> Function:
    return replace(PLAIN, code=f"import os, time\n\ndef handler(event, context):\n    {body}\n")


def test_it_stays_warm_and_a_change_starts_it_anew(functions: Functions) -> None:
    pid = code("print(os.getpid())")
    first, again = (functions.invoke(pid, {}).output for _ in range(2))
    assert first == again
    assert functions.invoke(replace(pid, memory=256), {}).output != first


@pytest.mark.parametrize(
    ("function", "outcome", "output", "error"),
    [
        (PLAIN, "returned", "got {'a': 1}\n", ""),
        (code("raise ValueError('no')"), "raised", "", "ValueError: no"),
        (code("os._exit(3)"), "exited", "", "Runtime exited with error: exit status 3"),
    ],
    ids=["returns", "raises", "ends its process"],
)
def test_how_it_ends_is_told_as_lambda_tells_it(
    functions: Functions, function: Function, outcome: str, output: str, error: str
) -> None:
    done = functions.invoke(function, {"a": 1})
    assert (done.outcome, done.error) == (outcome, error)
    assert output in done.output


def test_a_module_that_cannot_be_imported_is_an_error_of_its_start(functions: Functions) -> None:
    done = functions.invoke(replace(PLAIN, code="import nothing_like_it"), {})
    assert done.outcome in ("raised", "exited")
    assert "nothing_like_it" in done.error + done.output


def test_the_time_is_over_for_its_children_too(functions: Functions) -> None:
    told = "os.write(1, b'%d ' % (os.fork() or os.getpid()))"  # print() might write a line in parts
    slow = code(f"{told}; time.sleep(100000)")
    done = functions.invoke(replace(slow, timeout=60), {})
    assert done.outcome == "timed out"
    assert done.error.endswith("Task timed out after 60.00 seconds")
    pids = [int(each) for each in done.output.split()]
    assert len(pids) == 2
    assert not [each for each in pids if _runs(each)]


def _runs(pid: int) -> bool:
    """Return whether a process runs; a zombie does not count."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return state != "" and not state.startswith("Z")


def test_a_failed_event_is_repeated_twice_or_until_it_succeeds(tmp_path: Path) -> None:
    flag = str(tmp_path / "flag")
    once = code(f"p = {flag!r}; os.path.exists(p) or (open(p, 'w').close(), 1 / 0)")
    with Functions(tmp_path, "http://127.0.0.1:1", Pace(), retry_after=(1, 2)) as functions:
        failed = functions.invoke_async(code("raise ValueError(event)"), 7).result()
        repeated = functions.invoke_async(once, None).result()
    assert [each.error for each in failed] == ["ValueError: 7"] * 3
    assert [each.outcome for each in repeated] == ["raised", "returned"]


def test_one_that_sleeps_holds_up_no_other(functions: Functions) -> None:
    sleeping = functions.invoke_async(replace(code("time.sleep(100000)"), name="slow"), {})
    assert functions.invoke(PLAIN, {}).outcome == "returned"
    assert not sleeping.done()


def test_its_environment_is_lambdas_and_its_time_the_accounts(functions: Functions) -> None:
    told = code("t = time.time(); time.sleep(20); print(time.time() - t, *sorted(os.environ))")
    seconds, *names = functions.invoke(told, {}).output.split()
    assert 20 <= float(seconds) < 200
    assert {"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"} <= {*names}
    assert not {name for name in names if name.startswith(("PYTEST", "VIRTUAL", "HTTP"))}


def test_the_copy_in_the_template_is_what_runs(
    functions: Functions, release: Path, tmp_path: Path
) -> None:
    """The project is installed beside boto3, but the embedded copy must run instead."""
    template = json.loads((release / "dt-logs-analysis.template.json").read_text())
    properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
    told = "import dt_logs_handler.plan as p\nhandler = lambda event, context: print(p.__file__)\n"
    embedded = replace(PLAIN, code=f"{properties['Code']['ZipFile']}\n{told}")
    path = Path(functions.invoke(embedded, {}).output.strip())
    assert tmp_path in path.parents
    assert path.parts[-2:] == ("dt_logs_handler", "plan.py")


def test_closing_leaves_no_process(tmp_path: Path) -> None:
    with Functions(tmp_path, "http://127.0.0.1:1", Pace()) as functions:
        pid = int(functions.invoke(code("print(os.getpid())"), {}).output)
        functions.invoke_async(replace(code("time.sleep(100000)"), name="slow"), {})
        assert _runs(pid)
    assert not _runs(pid)


def test_closing_lets_nothing_start_any_more(tmp_path: Path) -> None:
    """Closing discards queued events, too, and does not wait for running functions."""
    flag = tmp_path / "started"
    late = code(f"time.sleep(20); open({str(flag)!r}, 'w').close()")
    with Functions(tmp_path, "http://127.0.0.1:1", Pace()) as functions:
        running = [functions.invoke_async(replace(late, name=f"f{each}"), {}) for each in range(8)]
    assert {each.outcome for future in running for each in future.result()} == {"exited"}
    assert not flag.exists()
