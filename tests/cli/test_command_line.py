"""The command line in general, and `dt-logs-cfn.cfg`, an operator's settings for a folder."""

import ast
import json
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
from dt_logs_cfn import __version__, aws
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


def test_our_advice_gets_the_options_that_this_command_was_given(run: Run) -> None:
    given = Namespace(profile="my own", region="eu-west-1")
    for text, told in {
        "Do `aws sns x --a b`.": "Do `aws sns x --a b --profile 'my own' --region eu-west-1`.",
        "`dt-logs-cfn status --region us-east-1`, `dt-logs-cfn explain`": (
            "`dt-logs-cfn status --region us-east-1 --profile 'my own'`, `dt-logs-cfn explain`"
        ),
        "a --profile that `aws configure list-profiles` shows": None,
        "an aws s3 command without ticks, `another`": None,
    }.items():
        assert Here.of(given).text(text) == (told or text)
        for nothing in (Namespace(), Namespace(profile=None, region=["of", "publish"])):
            assert Here.of(nothing).text(text) == text
    quoted = "'`aws s3 ls`' is not a stack name."  # the operator's own words stay as given
    assert quoted in run("plan", "--stack", "`aws s3 ls`", "--profile", "p").err


ROLE = "arn:aws:iam::123456789012:role/service-role"
WEB, API = (
    f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/{name}/0123456789abcdef"
    for name in ("web", "api")
)
FILE = f"""\
# What this folder's stack is.
[options]
stack = dt-logs-analysis-web
role_arn = {ROLE}
region = eu-west-1
profile =

[parameters]
NotificationEndpoint = https://logs.example.com/in?token=SECRET
LoadBalancerArns =
    {WEB},
    {API}
LogRetentionDays = 90
"""
CFG = "dt-logs-cfn.cfg"


@pytest.fixture
def settings(here: Path) -> Path:
    """Write the file as an editor on Windows does: with a byte order mark, CR and LF."""
    (here / CFG).write_text(f"\ufeff{FILE}", "utf-8", newline="\r\n")
    return here / CFG


def shown(run: Run, *argv: str) -> dict[str, dict[str, tuple[str, str]]]:
    ran = run(*argv, "--show-settings", "--json")
    assert ran.code == 0
    assert "SECRET" not in ran.out + ran.err
    found = json.loads(ran.out)
    return {
        kind: {name: (each["value"], each["source"]) for name, each in found[kind].items()}
        for kind in ("options", "parameters")
    }


def test_each_setting_is_shown_with_where_it_is_from(run: Run, settings: Path, here: Path) -> None:
    (here / "values.json").write_text('{"LogRetentionDays": 60, "RunToken": "1"}')
    words = ("--stack", "dt-logs-analysis-2", "--parameters", "values.json")

    ran = run("deploy", "--show-settings", *words, "--parameter", "RunToken=2")

    assert ran.out.splitlines() == [
        "stack                 dt-logs-analysis-2  (--stack)",
        f"role_arn              {ROLE}  ({CFG})",
        "stack_name_prefix     dt-logs-analysis  (default)",
        f"region                eu-west-1  ({CFG})",
        "profile               not set",
        f"NotificationEndpoint  https://logs.example.com/…  ({CFG})",
        f"LoadBalancerArns      {WEB},{API}  ({CFG})",
        "LogRetentionDays      60  (values.json)",
        "RunToken              2  (--parameter)",
    ]
    assert ran.err == (
        f"{CFG} sets role_arn, region, NotificationEndpoint, LoadBalancerArns, LogRetentionDays;"
        " --show-settings lists all values.\n"
    )


IN_FILE = ("dt-logs-analysis-web", CFG)
DEFAULT = ("dt-logs-analysis", "default")
STACK_SET = ("--stack-set", "all", "--accounts", "123456789012", "--regions", "eu-west-1")


@pytest.mark.parametrize(
    ("argv", "takes"),
    [
        (("plan",), {"stack": IN_FILE, "role_arn": (ROLE, CFG), "stack_name_prefix": DEFAULT}),
        (("remove",), {"stack": IN_FILE, "role_arn": (ROLE, CFG)}),
        (
            ("status", "--stack", "dt-logs", "--region", "eu-central-1", "--profile", "p"),
            {
                "stack": ("dt-logs", "--stack"),
                "region": ("eu-central-1", "--region"),
                "profile": ("p", "--profile"),
            },
        ),
        (("status",), {"stack": IN_FILE}),
        (("verify", "t.json"), {"stack": ("", "")}),  # a file is verified, not a stack
        (
            ("deploy", *STACK_SET),
            {"stack": IN_FILE, "role_arn": ("", ""), "stack_name_prefix": DEFAULT},
        ),
    ],
)
def test_a_command_takes_the_settings_that_it_has_a_use_for(
    run: Run, settings: Path, argv: tuple[str, ...], takes: dict[str, tuple[str, str]]
) -> None:
    both = {"region": ("eu-west-1", CFG), "profile": ("", "")}
    assert shown(run, *argv)["options"] == both | takes


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "x"}, ("eu-west-3", "AWS_REGION")),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, ("eu-west-3", "AWS_DEFAULT_REGION")),
        ({"AWS_PROFILE": "prod"}, ("eu-north-1", "the profile")),
        ({"AWS_PROFILE": "nobody"}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_what_the_sdk_reads_elsewhere_is_shown_too(
    run: Run,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    region: tuple[str, str],
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (here / "config").write_text("[profile prod]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(here / "config"))

    found = shown(run, "status")["options"]

    assert found["region"] == region
    profile = variables.get("AWS_PROFILE", "")
    assert found["profile"] == (profile, "AWS_PROFILE" if profile else "")
    if profile != "nobody":
        assert (aws.session(None, None).region_name or "") == region[0]


@pytest.mark.parametrize("words", [(f"{WEB}, {WEB}",), (WEB, "--load-balancer", WEB)])
def test_a_load_balancer_that_is_named_twice_is_taken_once(
    run: Run, settings: Path, words: tuple[str, ...]
) -> None:
    found = shown(run, "plan", "--load-balancer", *words)["parameters"]
    assert found["LoadBalancerArns"] == (WEB, "--load-balancer")


OTHER = f"plan --role-arn {ROLE} --stack logs-of-web"
WRONG = "[options]\nstack = a_b\n[parameters]\nlogRetentionDays = 1\n"
ADD, BOTH = f"deploy --add-load-balancer {WEB}", f"--parameter LoadBalancerArns={API}"
IN_FILES = {
    "[options]\nyes = true\n": f"{CFG} sets yes, which a file may not set. Remove it,",
    "[options]\nallow-removal =\n": f"{CFG} sets allow-removal, which a file may not set",
    "[options]\nallow_removal = 1\n": "and pass --allow-removal with each command instead.",
    "[options]\nStack = a\n": f"{CFG} has an option 'Stack'. Use stack, role_arn, ",
    "[aws]\nstack = a\n": f"{CFG} has a section 'aws'. Use options, parameters.",
    "stack = a\n": f"{CFG} is not a settings file: Line 1 is not in a section. Give",
    "[options]\n\nstack\n": f"{CFG} is not a settings file: Line 3 cannot be read. Give",
    "[parameters]\nA = 1\nA = 2\n": f"{CFG} is not a settings file: ",
    "[options]\nregion = EU_1\n": f"{CFG} sets region to 'EU_1'. Give a region like",
    '[options]\nregion = "eu-west-1"\n': f"{CFG} sets region to a value in quotes. Write",
    "[parameters]\nNotificationEndpoint https://a.example.com/SECRET\n": (
        f"The name of parameter number 1 in {CFG} does not consist of letters and digits."
    ),
    "[parameters]\nRun\x1b[2J = 1,\nRunToken = 2,\n": "The name of parameter number 1 in",
}


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        *((text, "plan", told) for text, told in IN_FILES.items()),
        (WRONG, "deploy", "'a_b' is not a stack name."),
        (WRONG, "deploy --stack a", "The template has no parameter 'logRetentionDays'."),
        (FILE, ADD, f"{CFG} sets LoadBalancerArns, so the stack's list cannot be changed"),
        *(
            ("", words, told)
            for words, told in {
                OTHER: (
                    "The service role manages only stacks whose names begin with"
                    " 'dt-logs-analysis', and 'logs-of-web' does not. Choose another --stack, or"
                    " give the role's StackNamePrefix with --stack-name-prefix."
                ),
                f"{OTHER} --stack-name-prefix logs- --parameter LogRetentionDays=0": (
                    "LogRetentionDays '0' is not valid."
                ),
                f"{ADD} --load-balancer {API}": (
                    "--load-balancer sets the list, and --add-load-balancer and"
                    " --remove-load-balancer change it. Use one or the other."
                ),
                "deploy --add-load-balancer *": "For all of them, use --load-balancer '*'.",
                f"{ADD},{API} --remove-load-balancer {WEB}": (
                    f"'{WEB}' is both added and removed. Do one of them."
                ),
                f"{ADD} --remove-load-balancer ''": "does not name a load balancer.",
                f"deploy --remove-load-balancer {WEB} {BOTH}": (
                    "--parameter sets LoadBalancerArns, so the stack's list cannot be changed with"
                    " options."
                ),
                f"deploy --load-balancer {WEB} {BOTH}": (
                    "--load-balancer and --parameter LoadBalancerArns are both given. Give one of"
                    " them."
                ),
                f"deploy --add-load-balancer {WEB[:-1]}": (
                    f"'{WEB[:-1]}' is cut off. Give the whole ARN, which ends with /app/NAME/"
                ),
            }.items()
        ),
    ],
)
def test_what_is_wrong_is_told_at_once_wherever_it_is(
    run: Run, here: Path, text: str, words: str, told: str
) -> None:
    (here / CFG).write_text(text)
    ran = run(*shlex.split(words))
    assert (ran.code, ran.out) == (3 if text in IN_FILES else 2, "")
    assert told in (ran.refusal if text in IN_FILES else ran.err.splitlines()[-1])
    assert "SECRET" not in ran.err and "\x1b" not in ran.err
