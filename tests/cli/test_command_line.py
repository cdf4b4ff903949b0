"""The command line as such: usage, exit codes, pipes, and what a command does not import."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.running import Run

from dt_logs_cfn import __version__
from dt_logs_cfn.cli import COMMANDS, main


def loaded_by(code: str) -> set[str]:
    """The packages that a new process has loaded after some code."""
    report = (
        "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return set(process.stderr.split())


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("no-such-command",),
        ("build", "--no-such-option"),
        ("build", "superfluous"),
        ("verify",),
        ("policy", "no-such-policy"),
        ("policy", "--account", "12345"),
        ("policy", "--region", "Frankfurt"),
        ("policy", "--role-name", "a role"),
        ("policy", "--function-name", "a/b"),
    ],
)
def test_wrong_usage_is_exit_code_2(run: Run, argv: tuple[str, ...]) -> None:
    ran = run(*argv)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: dt-logs-cfn")


def test_version(run: Run) -> None:
    assert run("--version").out == f"dt-logs-cfn {__version__}\n"


def test_help_lists_every_command_and_each_has_its_own(run: Run) -> None:
    listed = run("--help").out

    for name, does in COMMANDS.items():
        assert f"  {name} " in listed
        assert does in listed
        ran = run(name, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"usage: dt-logs-cfn {name}")


@pytest.mark.parametrize("program", [["-m", "dt_logs_cfn"], [shutil.which("dt-logs-cfn")]])
def test_module_and_console_script_are_the_same_program(program: list[str]) -> None:
    if program[0] is None:
        pytest.skip("the console script is not on PATH")
    process = subprocess.run(
        [sys.executable, *program, "policy"], capture_output=True, text=True, check=True
    )

    assert process.stdout.startswith("cloudformation-role-documented\n")


def test_a_reader_may_close_the_pipe_early() -> None:
    command = [sys.executable, "-m", "dt_logs_cfn", "policy", "cloudformation-role-lifecycle"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read().decode()

    assert "Traceback" not in complaints
    assert "Exception ignored" not in complaints


def test_a_bug_is_a_traceback(here: Path) -> None:
    code = "from dt_logs_cfn import cli; cli.COMMANDS['broken'] = '...'; cli.main(['broken'])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert process.returncode == 1
    assert process.stderr.startswith("Traceback")


def test_the_library_alone_loads_next_to_nothing() -> None:
    loaded = loaded_by("import dt_logs_cfn")

    assert not loaded & {"awacs", "boto3", "botocore", "cfnlint", "dt_logs_handler", "troposphere"}


def test_a_build_loads_no_linter_and_no_sdk(here: Path) -> None:
    loaded = loaded_by("from dt_logs_cfn.cli import main; main(['build'])")

    assert "troposphere" in loaded
    assert not loaded & {"boto3", "botocore", "cfnlint", "moto"}


def test_a_closed_stdout_is_no_traceback() -> None:
    command = f"{shlex.quote(sys.executable)} -m dt_logs_cfn policy >&-"
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert (told.returncode, told.stderr) == (0, "")


def test_words_that_nobody_asked_for_are_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--parametr", "T0KEN", "--x=T0KEN", "--ghp_T0KEN", "T0KEN"])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.endswith("error: unrecognized arguments: --parametr, --x, 3 more words\n")
    assert "T0KEN" not in told
