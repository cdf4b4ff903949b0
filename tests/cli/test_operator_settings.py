"""`dt-logs-cfn.cfg`, an operator's settings for a folder, and `--show-settings`."""

import json
import shlex
from pathlib import Path

import pytest
from support.commands import Run

from dt_logs_cfn import aws

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
    ("text", "told"),
    [
        ("[options]\nyes = true\n", f"{CFG} sets yes, which a file may not set. Remove it,"),
        ("[options]\nallow-removal =\n", f"{CFG} sets allow-removal, which a file may not set"),
        ("[options]\nallow_removal = 1\n", "and pass --allow-removal with each command instead."),
        ("[options]\nStack = a\n", f"{CFG} has an option 'Stack'. Use stack, role_arn, "),
        ("[aws]\nstack = a\n", f"{CFG} has a section 'aws'. Use options, parameters."),
        ("stack = a\n", f"{CFG} is not a settings file: Line 1 is not in a section. Give"),
        ("[options]\n\nstack\n", f"{CFG} is not a settings file: Line 3 cannot be read. Give"),
        ("[parameters]\nA = 1\nA = 2\n", f"{CFG} is not a settings file: "),
        ("[options]\nregion = EU_1\n", f"{CFG} sets region to 'EU_1'. Give a region like"),
        ('[options]\nregion = "eu-west-1"\n', f"{CFG} sets region to a value in quotes. Write"),
        (
            "[parameters]\nNotificationEndpoint https://a.example.com/SECRET\n",
            f"The name of parameter number 1 in {CFG} does not consist of letters and digits.",
        ),
        ("[parameters]\nRun\x1b[2J = 1,\nRunToken = 2,\n", "The name of parameter number 1 in"),
    ],
)
def test_what_may_not_stand_there_is_told(run: Run, here: Path, text: str, told: str) -> None:
    (here / CFG).write_text(text)

    failure = run("plan").refusal

    assert told in failure
    assert "SECRET" not in failure and "\x1b" not in failure


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


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        (WRONG, "deploy", "'a_b' is not a stack name."),
        (WRONG, "deploy --stack a", "The template has no parameter 'logRetentionDays'."),
        (
            *("", OTHER),
            "The service role manages only stacks whose names begin with 'dt-logs-analysis', and"
            " 'logs-of-web' does not. Choose another --stack, or give the role's StackNamePrefix"
            " with --stack-name-prefix.",
        ),
        (
            *("", f"{OTHER} --stack-name-prefix logs- --parameter LogRetentionDays=0"),
            "LogRetentionDays '0' is not valid.",
        ),
        (
            *("", f"deploy --add-load-balancer {WEB} --load-balancer {API}"),
            "--load-balancer sets the list, and --add-load-balancer and --remove-load-balancer"
            " change it. Use one or the other.",
        ),
        ("", "deploy --add-load-balancer *", "For all of them, use --load-balancer '*'."),
        (
            *("", f"deploy --add-load-balancer {WEB},{API} --remove-load-balancer {WEB}"),
            f"'{WEB}' is both added and removed. Do one of them.",
        ),
        (
            *("", f"deploy --add-load-balancer {WEB} --remove-load-balancer ''"),
            "does not name a load balancer.",
        ),
        (
            *("", f"deploy --remove-load-balancer {WEB} --parameter LoadBalancerArns={API}"),
            "--parameter sets LoadBalancerArns, so the stack's list cannot be changed with"
            " options.",
        ),
        (
            *("", f"deploy --load-balancer {WEB} --parameter LoadBalancerArns={API}"),
            "--load-balancer and --parameter LoadBalancerArns are both given. Give one of them.",
        ),
        (
            *(FILE, f"deploy --add-load-balancer {WEB}"),
            f"{CFG} sets LoadBalancerArns, so the stack's list cannot be changed",
        ),
        (
            *("", f"deploy --add-load-balancer {WEB[:-1]}"),
            f"'{WEB[:-1]}' is cut off. Give the whole ARN, which ends with /app/NAME/",
        ),
    ],
)
def test_what_is_wrong_is_told_at_once_wherever_it_is(
    run: Run, here: Path, text: str, words: str, told: str
) -> None:
    (here / CFG).write_text(text)
    ran = run(*shlex.split(words))
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err.splitlines()[-1]
