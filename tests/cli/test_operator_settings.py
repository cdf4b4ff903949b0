"""`dt-logs-cfn.cfg`, an operator's settings for a folder, and `--show-settings`."""

import json
from pathlib import Path

import pytest
from cli.running import Run

from dt_logs_cfn import aws

ROLE = "arn:aws:iam::123456789012:role/service-role"
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
    arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/0123456789abcdef,
    arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/api/0123456789abcdef
LogRetentionDays = 90
"""
WEB, API = (
    f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/{name}/0123456789abcdef"
    for name in ("web", "api")
)
CFG = "dt-logs-cfn.cfg"


@pytest.fixture
def settings(here: Path) -> Path:
    (here / CFG).write_text(FILE)
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


def test_each_setting_is_shown_with_where_it_is_from(run: Run, settings: Path) -> None:
    assert shown(run, "deploy") == {
        "options": {
            "stack": ("dt-logs-analysis-web", CFG),
            "role_arn": (ROLE, CFG),
            "stack_name_prefix": ("dt-logs-analysis", "default"),
            "region": ("eu-west-1", CFG),
            "profile": ("", ""),
        },
        "parameters": {
            "NotificationEndpoint": ("https://logs.example.com/…", CFG),
            "LoadBalancerArns": (f"{WEB},{API}", CFG),
            "LogRetentionDays": ("90", CFG),
        },
    }


def test_people_get_the_same_as_lines(run: Run, settings: Path) -> None:
    ran = run("deploy", "--show-settings", "--region", "eu-central-1")

    lines = ran.out.splitlines()
    assert f"stack                 dt-logs-analysis-web  ({CFG})" in lines
    assert "region                eu-central-1  (--region)" in lines
    assert "profile               not set" in lines
    assert f"NotificationEndpoint  https://logs.example.com/…  ({CFG})" in lines
    assert ran.err == (
        f"{CFG} sets stack, role_arn, NotificationEndpoint, LoadBalancerArns, LogRetentionDays;"
        " --show-settings has all values.\n"
    )


def test_options_win(run: Run, settings: Path, here: Path) -> None:
    (here / "values.json").write_text('{"LogRetentionDays": 60, "RunToken": "1"}')
    words = ("--stack", "dt-logs-analysis-2", "--profile", "p", "--load-balancer", WEB)
    more = ("--parameters", "values.json", "--parameter", "RunToken=2")

    found = shown(run, "plan", *words, *more)

    assert found["options"]["stack"] == ("dt-logs-analysis-2", "--stack")
    assert found["options"]["profile"] == ("p", "--profile")
    assert found["options"]["region"] == ("eu-west-1", CFG)
    assert found["parameters"]["LoadBalancerArns"] == (WEB, "--load-balancer")
    assert found["parameters"]["LogRetentionDays"] == ("60", "values.json")
    assert found["parameters"]["RunToken"] == ("2", "--parameter")
    default = shown(run, "remove", "--stack", "dt-logs-analysis")["options"]["stack"]
    assert default == ("dt-logs-analysis", "--stack")


@pytest.mark.parametrize(
    ("argv", "takes"),
    [
        (("plan",), {"stack", "role_arn", "stack_name_prefix", "region", "profile"}),
        (("remove",), {"stack", "role_arn", "region", "profile"}),
        (("status",), {"stack", "region", "profile"}),
        (("verify", "t.json"), {"stack", "region", "profile"}),
    ],
)
def test_each_command_takes_the_settings_that_it_has_options_for(
    run: Run, settings: Path, argv: tuple[str, ...], takes: set[str]
) -> None:
    found = shown(run, *argv)["options"]

    assert found.keys() == takes
    assert found["region"] == ("eu-west-1", CFG)


def test_what_a_command_has_no_use_for_is_not_taken_from_the_file(run: Run, settings: Path) -> None:
    words = ("--stack-set", "all", "--accounts", "123456789012", "--regions", "eu-west-1")
    assert shown(run, "verify", "t.json")["options"]["stack"] == ("", "")
    assert shown(run, "deploy", *words)["options"]["role_arn"] == ("", "")
    settings.unlink()
    found = shown(run, "plan", "--load-balancer", "*")
    assert found["options"]["stack"] == ("dt-logs-analysis", "default")
    assert found["parameters"] == {"LoadBalancerArns": ("*", "--load-balancer")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[options]\nyes = true\n", f"{CFG} sets yes, which a file may not set. Remove it,"),
        ("[options]\nallow-removal =\n", f"{CFG} sets allow-removal, which a file may not set"),
        ("[options]\nallow_removal = 1\n", "and pass --allow-removal with each command instead."),
        ("[options]\nStack = a\n", f"{CFG} has an option 'Stack'. Use stack, role_arn, "),
        ("[aws]\nstack = a\n", f"{CFG} has a section 'aws'. Use options, parameters."),
        ("stack = a\n", f"{CFG} is not a settings file: Line 1 is in no section. Give"),
        ("[options]\n\nstack\n", f"{CFG} is not a settings file: Line 3 cannot be read. Give"),
        ("[parameters]\nA = 1\nA = 2\n", f"{CFG} is not a settings file: "),
        ('[options]\nregion = "eu-west-1"\n', f"{CFG} sets region to a value in quotes. Write"),
    ],
)
def test_what_may_not_stand_there_is_told(run: Run, here: Path, text: str, told: str) -> None:
    (here / CFG).write_text(text)

    assert told in run("plan").failure


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

    profile = variables.get("AWS_PROFILE", "")

    found = shown(run, "status")["options"]

    assert found["region"] == region
    if profile != "nobody":
        assert (aws.session(None, None).region_name or "") == region[0]
    assert found["profile"] == (profile, "AWS_PROFILE" if profile else "")


@pytest.mark.parametrize("words", [(f"{WEB}, {WEB}",), (WEB, WEB)])
def test_a_load_balancer_that_is_named_twice_is_taken_once(
    run: Run, here: Path, words: tuple[str, ...]
) -> None:
    options = [part for each in words for part in ("--load-balancer", each)]

    found = shown(run, "plan", *options)

    assert found["parameters"] == {"LoadBalancerArns": (WEB, "--load-balancer")}


def test_a_file_of_a_windows_editor_is_read(run: Run, here: Path) -> None:
    (here / CFG).write_bytes(
        b"\xef\xbb\xbf[options]\r\nstack = a\r\n\r\n[parameters]\r\nRunToken = 1\r\n"
    )

    found = shown(run, "plan")

    assert found["options"]["stack"] == ("a", CFG)
    assert found["parameters"] == {"RunToken": ("1", CFG)}


def test_what_is_wrong_in_the_file_is_told_without_a_token(run: Run, here: Path) -> None:
    (here / CFG).write_text("[parameters]\nNotificationEndpoint https://a.example.com/SECRET\n")
    ran = run("plan", "--show-settings")
    assert "SECRET" not in ran.out + ran.err
    assert "parameter number 1 in dt-logs-cfn.cfg is not letters and digits" in ran.failure

    (here / CFG).write_text("[parameters]\nRun\x1b[2J = 1,\nRunToken = 2,\n")
    assert "\x1b" not in run("plan", "--show-settings").failure

    (here / CFG).write_text("[parameters]\nlogRetentionDays = 1\n")
    assert "has no parameter" in run("deploy").err.splitlines()[-1]

    (here / CFG).write_text("[options]\nstack = a_b\n")
    ran = run("deploy")
    assert (ran.code, "'a_b' is not a stack name." in ran.err) == (2, True)


def test_a_stack_that_the_service_role_may_not_manage_is_refused(run: Run, here: Path) -> None:
    words = ("--role-arn", ROLE, "--stack", "logs-of-web")

    ran = run("plan", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "dt-logs-cfn: The service role manages only stacks whose names begin with"
        " 'dt-logs-analysis', and 'logs-of-web' does not. Choose another --stack, or give the"
        " role's StackNamePrefix by --stack-name-prefix.\n"
    )
    named = (*words, "--stack-name-prefix", "logs-", "--parameter", "LogRetentionDays=0")
    assert "LogRetentionDays '0'" in run("plan", *named).failure


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--add-load-balancer", WEB, "--load-balancer", API),
            "--load-balancer sets the list, and --add-load-balancer and --remove-load-balancer"
            " change it. Use one or the other.",
        ),
        (("--add-load-balancer", "*"), "For all of them, use --load-balancer '*'."),
        (
            ("--add-load-balancer", f"{WEB},{API}", "--remove-load-balancer", WEB),
            f"'{WEB}' is both added and removed. Do one of them.",
        ),
        (("--add-load-balancer", WEB, "--remove-load-balancer", ""), "names no load balancer."),
        (
            ("--remove-load-balancer", WEB, "--parameter", f"LoadBalancerArns={API}"),
            "--parameter sets LoadBalancerArns, so the stack's list cannot be changed by options.",
        ),
        (
            ("--load-balancer", WEB, "--parameter", f"LoadBalancerArns={API}"),
            "--load-balancer and --parameter LoadBalancerArns are both given. Give one of them.",
        ),
    ],
)
def test_a_list_is_either_set_or_changed(
    run: Run, here: Path, words: tuple[str, ...], told: str
) -> None:
    ran = run("deploy", *words)

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_a_list_in_the_file_is_changed_there_and_what_is_added_is_checked_at_once(
    run: Run, here: Path
) -> None:
    told = run("deploy", "--add-load-balancer", WEB[:-1]).failure
    (here / CFG).write_text(FILE)
    ran = run("deploy", "--add-load-balancer", WEB)

    assert told == (
        f"'{WEB[:-1]}' is cut off. Give the whole ARN: /app/, a name, / and 16 digits or a-f."
    )
    assert ran.code == 2
    assert f"{CFG} sets LoadBalancerArns, so the stack's list cannot be changed" in ran.err
