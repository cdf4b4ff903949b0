"""The command line in general: usage, exit codes, pipes, imports, and suggested commands."""

import ast
import os
import pkgutil
import shlex
import subprocess
import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

import pytest
from support.commands import Ran, Run

import dt_logs_cfn
from dt_logs_cfn import __version__
from dt_logs_cfn.cli.main import COMMANDS, command_parser
from dt_logs_cfn.cli.parsing import SHELLS
from dt_logs_cfn.cli.terminal import Here


def loaded_by(code: str) -> set[str]:
    """Run code in a new process, and return the names of the packages loaded at its end."""
    report = (
        "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True
    )
    return set(process.stderr.split())


STRAY = "unrecognized arguments: 1 more word. Each needs an option, such as"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ("build --no-such-option", "unrecognized arguments: --no-such-option"),
        ("build superfluous", "unrecognized arguments: 1 more word\n"),
        ("verify", "one of the arguments WHAT --stack"),
        ("policy no-such-policy", "argument NAME: invalid choice: 'no-such-policy' (choose from "),
        ("policy --account 12345", "argument --account: '12345' is not valid. Give 12 digits."),
        ("policy --region Frankfurt", "argument --region: 'Frankfurt' is not valid. Give a region"),
        ("status --region US_EAST_1", "argument --region: 'US_EAST_1' is not valid. Give a region"),
        ("status --region ''", "argument --region: '' is not valid. Give a region"),
        ("policy --role-name 'a role'", "argument --role-name: 'a role' is not valid. Give a name"),
        ("policy --function-name a/b", "argument --function-name: 'a/b' is not valid. Give up to"),
        ("rehearse --scenario nothing", "argument --scenario: invalid choice: 'nothing' (choose "),
        ("rehearse --privileges all", "argument --privileges: invalid Privileges value: 'all'"),
        ("verify T0KEN T0KEN", "unrecognized arguments: 1 more word. Each needs an"),
        ("remove T0KEN", f"{STRAY} --stack NAME\n"),
        (
            "plan --parameter RunToken T0KEN",
            f"{STRAY} --stack NAME, --load-balancer ARN, --parameter KEY=VALUE\n",
        ),
        ("staus", "unknown command. Did you mean status?\n"),
        ("T0KEN", "unknown command\n"),
        ("--vresion=T0KEN plan", "unrecognized arguments: --vresion. Did you mean --version?\n"),
        (
            "plan --regoin=T0KEN --profil T0KEN",
            "unrecognized arguments: --regoin, --profil, 1 more word."
            " Did you mean --region and --profile?\n",
        ),
        # If an abbreviation matches two options, argparse's own error repeats the value.
        ("plan --parame=T0KEN", "unrecognized arguments: --parame. Did you mean --parameter?\n"),
        (
            "plan --parametr T0KEN --x=T0KEN --ghp_T0KEN T0KEN",
            "unrecognized arguments: --parametr, --x, 3 more words. Did you mean --parameter?\n",
        ),
    ],
)
def test_wrong_usage_is_exit_code_2_without_unknown_values(run: Run, argv: str, told: str) -> None:
    ran = run(*shlex.split(argv))

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: dt-logs-cfn")
    assert f"error: {told}" in ran.err
    assert "T0KEN" not in ran.err


def test_help_lists_every_command_and_each_has_two_examples_that_it_takes(run: Run) -> None:
    assert run("--version").out == f"dt-logs-cfn {__version__}\n"
    listed = run("--help").out
    assert run() == Ran(0, listed, "")
    assert max(map(len, listed.splitlines())) <= 80
    for name, does in COMMANDS.items():
        assert f"  {name} " in listed
        assert does in " ".join(listed.split())
        ran = run(name, "--help")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"usage: dt-logs-cfn {name}")
        examples = ran.out.split("\nexamples:\n")[1].splitlines()
        assert len(examples) == 2
        for line in examples:
            program, command, *words = shlex.split(line)
            assert (program, command) == ("dt-logs-cfn", name)
            assert command_parser(name).parsed(words)


# The public names and their modules, from the imports that only type checkers read.
DECLARED = {
    alias.name: node.module
    for node in ast.walk(ast.parse(Path(dt_logs_cfn.__file__).read_text("utf-8")))
    if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dt_logs_cfn.")
    for alias in node.names
}


def test_a_program_gets_what_type_checkers_see_and_nothing_else() -> None:
    names: dict[str, object] = {}
    exec("from dt_logs_cfn import *", names)
    del names["__builtins__"]

    assert len(DECLARED) == 25
    assert dir(dt_logs_cfn) == dt_logs_cfn.__all__ == sorted([*DECLARED, "__version__"])
    assert names == {"__version__": __version__} | {
        name: getattr(import_module(str(module)), name) for name, module in DECLARED.items()
    }
    modules = {each.name for each in pkgutil.iter_modules(dt_logs_cfn.__path__)}
    assert modules.isdisjoint(dt_logs_cfn.__all__)  # no name shadows a module
    with pytest.raises(AttributeError, match="no attribute 'build_relaese'"):
        _ = dt_logs_cfn.build_relaese


def test_the_console_script_is_the_same_program_and_a_bug_in_it_is_a_traceback() -> None:
    bug = "from dt_logs_cfn.cli import main; main.COMMANDS['sys'] = '...'; main.main(['sys'])"
    policies, broken = (
        subprocess.run([sys.executable, *words], capture_output=True, text=True)
        for words in ((f"{Path(sys.executable).parent}/dt-logs-cfn", "policy"), ("-c", bug))
    )

    assert policies.stdout.startswith("cloudformation-role-documented\n")
    assert (broken.returncode, broken.stderr.partition(" ")[0]) == (1, "Traceback")


def test_what_does_not_need_it_loads_no_linter_and_no_sdk(here: Path) -> None:
    library = loaded_by("import dt_logs_cfn")
    build = loaded_by("from dt_logs_cfn.cli.main import main; main(['build'])")

    assert not library & {"awacs", "dt_logs_handler", "troposphere"}
    assert not (library | build) & {"boto3", "botocore", "cfnlint", "moto"}
    assert "troposphere" in build


FULL = "dt-logs-cfn: the output could not be written: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("policy >&-", 0, ""),
        ("policy >&- 2>&-", 0, ""),
        ("policy >/dev/full", 3, FULL),
        ("policy >/dev/full 2>/dev/full", 3, ""),
        ("--help >/dev/full", 3, FULL),
        ("plan --stack 'x y' 2>/dev/full", 2, ""),
        ("plan --stack 'x y' 2>&-", 2, ""),
        ("plan --no-such-option 2>/dev/full", 2, ""),
        ("verify no-such-file 2>/dev/full", 3, ""),
        ("verify no-such-file 2>&-", 3, ""),
    ],
)
def test_what_cannot_be_shown_goes_nowhere_else(
    here: Path, command: str, code: int, err: str
) -> None:
    line = f"{shlex.quote(sys.executable)} -m dt_logs_cfn {command}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", err)


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


def test_completion_knows_commands_options_and_choices(run: Run) -> None:
    for shell in SHELLS:
        ran = run("--print-completion", shell)
        assert (ran.code, ran.err) == (0, "")
        assert all(name in ran.out for name in COMMANDS)
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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Do `aws sns x --a b`.", "Do `aws sns x --a b --profile 'my own' --region eu-west-1`."),
        (
            "`dt-logs-cfn status --region us-east-1`, `dt-logs-cfn explain`",
            "`dt-logs-cfn status --region us-east-1 --profile 'my own'`, `dt-logs-cfn explain`",
        ),
        ("a --profile that `aws configure list-profiles` shows", None),
        ("an aws s3 command without ticks, `another`", None),
    ],
)
def test_a_command_gets_what_this_one_was_given(text: str, told: str | None) -> None:
    given = Namespace(profile="my own", region="eu-west-1")
    assert Here.of(given).text(text) == (told or text)
    for nothing in (Namespace(), Namespace(profile=None, region=["of", "publish"])):
        assert Here.of(nothing).text(text) == text
