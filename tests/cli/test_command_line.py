"""The command line in general: usage, exit codes, pipes, and what commands do not import."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cli.running import Run

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.main import COMMANDS, command_parser, main
from dt_logs_cfn.cli.parsing import SHELLS

SCRIPTS = Path(sys.executable).parent


def loaded_by(code: str) -> set[str]:
    """Run code in a new process, and return the packages that are loaded afterwards."""
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


@pytest.mark.parametrize("program", [["-m", "dt_logs_cfn"], [f"{SCRIPTS}/dt-logs-cfn"]])
def test_module_and_console_script_are_the_same_program(program: list[str]) -> None:
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
    code = (
        "from dt_logs_cfn.cli import main; main.COMMANDS['broken'] = '...'; main.main(['broken'])"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert process.returncode == 1
    assert process.stderr.startswith("Traceback")


def test_the_library_alone_loads_next_to_nothing() -> None:
    loaded = loaded_by("import dt_logs_cfn")

    assert not loaded & {"awacs", "boto3", "botocore", "cfnlint", "dt_logs_handler", "troposphere"}


def test_a_build_loads_no_linter_and_no_sdk(here: Path) -> None:
    loaded = loaded_by("from dt_logs_cfn.cli.main import main; main(['build'])")

    assert "troposphere" in loaded
    assert not loaded & {"boto3", "botocore", "cfnlint", "moto"}


def shell(command: str, here: Path) -> subprocess.CompletedProcess[str]:
    """Let a shell run the command line with these arguments and redirections."""
    line = f"{shlex.quote(sys.executable)} -m dt_logs_cfn {command}"
    return subprocess.run(["sh", "-c", line], cwd=here, capture_output=True, text=True, check=False)


FULL = "dt-logs-cfn: the output could not be written: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [
        ("policy >&-", 0, "", ""),
        ("policy >&- 2>&-", 0, "", ""),
        ("policy >/dev/full", 3, "", FULL),
        ("policy >/dev/full 2>/dev/full", 3, "", ""),
        ("--help >/dev/full", 3, "", FULL),
        ("plan --stack 'x y' 2>/dev/full", 2, "", ""),
        ("plan --stack 'x y' 2>&-", 2, "", ""),
        ("plan --no-such-option 2>/dev/full", 2, "", ""),
        ("verify no-such-file 2>/dev/full", 3, "", ""),
        ("verify no-such-file 2>&-", 3, "", ""),
    ],
)
def test_what_cannot_be_shown_goes_nowhere_else(
    here: Path, command: str, code: int, out: str, err: str
) -> None:
    done = shell(command, here)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("policy", "cloudformation-role-lifecycle"), 0), (("plan", "--stack", "x y"), 2)],
)
def test_a_reader_who_goes_changes_no_exit_code(words: tuple[str, ...], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dt_logs_cfn", *words], stdout=writer, stderr=writer, check=False
        )
    finally:
        os.close(writer)
    assert done.returncode == code


def test_only_what_to_do_gets_the_profile(run: Run) -> None:
    quoted = "'`aws s3 ls`' is not a stack name."
    assert quoted in run("plan", "--stack", "`aws s3 ls`", "--profile", "p").err


def test_words_that_nobody_asked_for_are_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["plan", "--parametr", "T0KEN", "--x=T0KEN", "--ghp_T0KEN", "T0KEN"])
    assert stop.value.code == 2
    told = capsys.readouterr().err
    assert told.endswith(
        "unrecognized arguments: --parametr, --x, 3 more words. Did you mean --parameter?\n"
    )
    assert "T0KEN" not in told


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    ran = run()
    assert (ran.code, ran.out, ran.err) == (0, run("--help").out, "")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("staus",), "unknown command. Did you mean status?"),
        (("T0KEN",), "unknown command"),
        (("--vresion=T0KEN", "plan"), "unrecognized arguments: --vresion. Did you mean --version?"),
        (
            ("plan", "--regoin=T0KEN", "--profil", "T0KEN"),
            "unrecognized arguments: --regoin, --profil, 1 more word."
            " Did you mean --region and --profile?",
        ),
        # For an abbreviation that fits two options, argparse's own error repeats the value.
        (
            ("plan", "--parame=T0KEN"),
            "unrecognized arguments: --parame. Did you mean --parameter?",
        ),
    ],
)
def test_a_mistyped_word_is_told_with_the_nearest(
    run: Run, argv: tuple[str, ...], told: str
) -> None:
    ran = run(*argv)
    assert ran.code == 2
    assert ran.err.endswith(f"error: {told}\n")
    assert "T0KEN" not in ran.err


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_ends_with_two_examples_that_it_takes(run: Run, name: str) -> None:
    _, examples = run(name, "--help").out.split("\nexamples:\n")
    lines = examples.splitlines()
    assert len(lines) == 2
    for line in lines:
        program, command, *words = shlex.split(line)
        assert (program, command) == ("dt-logs-cfn", name)
        assert command_parser(name).parsed(words)


def test_completion_knows_commands_options_and_choices(run: Run) -> None:
    script = run("--print-completion", "bash").out
    probe = """
COMP_WORDS=(dt-logs-cfn {words}); COMP_CWORD={count}; _shtab_dt_logs_cfn
echo "${{COMPREPLY[@]}}"
"""
    for words, expected in (
        (["st"], "status"),
        (["plan", "--load"], "--load-balancer"),
        (["plan", "--privileges", "''"], "documented least-privilege"),
        (["policy", "cloudformation-role-t"], "cloudformation-role-trust"),
    ):
        code = script + probe.format(words=" ".join(words), count=len(words))
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_a_script_with_every_command(run: Run, shell: str) -> None:
    ran = run("--print-completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert all(name in ran.out for name in COMMANDS)
