"""The launch page without a browser: links, commands and messages; the page loads nothing.

Browser tests check that its script builds the same links and commands from the user's input.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib
import json
import re
from html import unescape
from html.parser import HTMLParser

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.generators import generator
from support.launching import ENDPOINT, ODD_VALUES, PLACES, arguments

from dt_logs_cfn import Settings, Vendor, __version__, build_release
from dt_logs_cfn.pages.launch_commands import (
    PARTITIONS,
    create_role,
    create_stack,
    hcl_string,
    ours,
    quick_create,
    terraform,
)
from dt_logs_cfn.template import policies

BASE = "https://releases.example.com/dt-logs"
ARNS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/0123456789abcdef,*"


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, attribute: str) -> list[str]:
        return [found[attribute] for _, found in self.tags if attribute in found]


def text(markup: str) -> str:
    return unescape(re.sub("<[^>]+>", "", markup))


FILES = build_release(Settings()).files
UNSET, ONE = (
    each["index.html"].decode()
    for each in (
        FILES,
        build_release(Settings((Vendor("aws", "999988887777", ENDPOINT, BASE),))).files,
    )
)
SAID = " ".join(text(UNSET).split())


def hcl_value(literal: str) -> str:
    """Return a string as Terraform reads it: https://developer.hashicorp.com/terraform/language/expressions/strings"""
    assert literal[0] == literal[-1] == '"'
    inside = literal[1:-1]
    assert not re.search(r"[$%]\{|[^ -~]|(?<!\\)(\\\\)*\"", inside)
    return re.sub(
        r"\\(u[0-9a-f]{4}|U[0-9a-f]{8}|.)",
        lambda found: found[1] if len(found[1]) == 1 else chr(int(found[1][1:], 16)),
        inside,
    )


@pytest.mark.skipif(
    "ap-southeast-6" not in boto3.session.Session().get_available_regions("cloudformation"),
    reason="the installed boto3 is an old one",
)
def test_cloudformation_is_in_every_region_that_is_offered() -> None:
    session = boto3.session.Session()
    assert sorted(each.id for each in PARTITIONS) == ["aws", "aws-cn", "aws-eusc", "aws-us-gov"]
    for partition in PARTITIONS:
        known = session.get_available_regions("cloudformation", partition.id)

        assert {region for region, _ in partition.regions} - set(known) == set()
        assert len({title for _, title in partition.regions}) == len(partition.regions)


@pytest.mark.parametrize(("number", "region", "host"), PLACES)
def test_a_link_opens_the_form_of_the_right_console(number: int, region: str, host: str) -> None:
    link = quick_create(PARTITIONS[number], region, f"{BASE}/a b", "dt", {"A": "x/y,*&'=#é"})

    assert link == (
        f"https://{host}/cloudformation/home?region={region}#/stacks/quickcreate"
        "?templateURL=https%3A%2F%2Freleases.example.com%2Fdt-logs%2Fa%20b&stackName=dt"
        "&param_A=x%2Fy%2C*%26'%3D%23%C3%A9"
    )


@pytest.mark.parametrize("value", ODD_VALUES)
def test_no_value_breaks_out_of_the_command(value: str) -> None:
    values = dict.fromkeys(("StackName", "RoleArn", "NotificationEndpoint"), value)
    made = text(create_stack("t.json", f"{BASE}/t.json", {**values, "LoadBalancerArns": ARNS}))

    given = arguments(made)

    assert given[:-1] == [
        *("cloudformation", "create-stack", "--region", "REGION", "--stack-name", value),
        *("--template-url", f"{BASE}/t.json", "--role-arn", value),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "--parameters"),
    ]
    assert json.loads(given[-1]) == [
        {"ParameterKey": "DataTheoremAccountId", "ParameterValue": "ACCOUNT"},
        {"ParameterKey": "NotificationEndpoint", "ParameterValue": value},
        {"ParameterKey": "LoadBalancerArns", "ParameterValue": ARNS},
    ]


def test_the_service_role_is_created_waited_for_and_named() -> None:
    where = ["--region", "us-east-1", "--stack-name", "service-role-for-dt-logs-analysis"]

    made = text(create_role("role.json", "", {"Region": "us-east-1"}))

    assert arguments(made) == [
        *("cloudformation", "create-stack", *where, "--template-body", "file://role.json"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"),
        *("cloudformation", "wait", "stack-create-complete", *where),
        *("cloudformation", "describe-stacks", *where),
        *("--query", "Stacks[0].Outputs[?OutputKey=='RoleArn'].OutputValue", "--output", "text"),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('$%{}"\\~n'))
def test_terraform_reads_exactly_what_was_entered(value: str) -> None:
    assert hcl_value(hcl_string(value)) == value


def test_the_terraform_block_is_this() -> None:
    values = {"DataTheoremAccountId": "999988887777", "NotificationEndpoint": 'https://a.b/"${c}'}

    assert (
        text(terraform("t.json", f"{BASE}/t.json", values))
        == f"""\
# The provider's region: "REGION"
resource "aws_cloudformation_stack" "dt_logs_analysis" {{
  name         = "dt-logs-analysis"
  iam_role_arn = "ARN_OF_THE_SERVICE_ROLE"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]

  template_url = "{BASE}/t.json"

  parameters = {{
    DataTheoremAccountId = "999988887777"
    NotificationEndpoint = "https://a.b/\\"\\u0024{{c}}"
    LoadBalancerArns     = "ARN,ARN"
  }}
}}"""
    )
    assert '  template_body = file("${path.module}/t.json")\n' in text(terraform("t.json", "", {}))


@pytest.mark.parametrize("value", ODD_VALUES)
def test_our_own_commands_hand_over_exactly_what_was_entered(value: str) -> None:
    values = {"StackName": value, "NotificationEndpoint": value, "RoleArn": value}

    found = [arguments(text(ours(each, values))) for each in ("plan", "deploy", "status")]

    for command, *options in found:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"dt_logs_cfn.commands.{command}").configure(parser)
        filled = ["eu-west-1" if each == "REGION" else each for each in options]
        assert parser.parse_args(filled)
    where = ["--region", "REGION", "--stack", value]
    parameters = [
        *("--privileges", "least-privilege", "--parameter", "DataTheoremAccountId=ACCOUNT"),
        *("--parameter", f"NotificationEndpoint={value}"),
        *("--parameter", "LoadBalancerArns=ARN,ARN"),
    ]
    assert found == [
        ["plan", *where, *parameters],
        ["deploy", *where, *parameters, "--role-arn", value],
        ["status", *where],
    ]


def test_the_drawing_and_the_costs_are_explained() -> None:
    costs = generator("costs")
    (legend,) = re.findall(r'<ol class="legend">(.*?)</ol>', UNSET)
    wide, narrow = re.findall(r"<svg.*?</svg>", UNSET)

    month = sum(costs.Cost(1).dollars.values())
    assert f"about ${month:.2f} a month for a load balancer with two nodes" in SAID
    assert costs.NODES == 2
    for drawing in (wide, narrow):
        assert re.findall(r">(\d)\b[^<]*</text>", drawing) == ["1", "2", "3", "4"]
    assert legend.count("<li>") == 4


def test_where_nothing_is_published_it_says_so_and_invents_no_address() -> None:
    for name in ("(commercial)", "GovCloud (US)", "China", "European Sovereign Cloud"):
        assert f"not published for AWS {name}" in UNSET
    consoles = [each for each in Page(UNSET).all("href") if ":" in each]
    assert consoles == [
        f"https://{region}.{partition.console}/cloudformation/home?region={region}"
        for partition in PARTITIONS
        for region, _ in partition.regions
    ]
    assert "--template-url" not in text(UNSET).split('"use strict"')[0]
    assert "AWS (commercial): 34 regions" in ONE
    assert "AWS China: not published" in ONE


def test_the_plain_links_are_of_every_region_and_hold_what_is_set() -> None:
    links = [each for each in Page(ONE).all("href") if "quickcreate" in each]
    template = f"templateURL=https%3A%2F%2Freleases.example.com%2Fdt-logs%2F{__version__}%2F"
    vendor = (
        "&stackName=dt-logs-analysis&param_DataTheoremAccountId=999988887777"
        "&param_NotificationEndpoint=https%3A%2F%2Flogs.example.com%2Fin%3Fa%3D'%24(touch%2Bx)"
        "%60id%60%24%7Bb%7D%25%7Bc%7D%22%5C!*%26%3Ci%3E%3B%7C%2C%23"
    )
    start = (
        "https://ap-southeast-7.console.aws.amazon.com/cloudformation/home?region=ap-southeast-7"
    )

    queries = [each.partition("#/stacks/quickcreate?")[2] for each in links]
    assert queries == 34 * [
        f"{template}cloudformation-role.template.json&stackName=service-role-for-dt-logs-analysis",
        f"{template}dt-logs-analysis.template.json{vendor}",
        f"{template}dt-logs-analysis-documented.template.json{vendor}",
    ]
    assert len([each for each in links if each.startswith(start)]) == 3


def test_it_names_every_right_every_other_file_and_how_to_check_it() -> None:
    made, said = Page(UNSET), text(UNSET)

    for right in policies.rights():
        assert all(each in said for each in (right.action, *right.on, right.condition, right.why))
    for use in policies.uses():
        assert use.action in said
    others = FILES.keys() - {"index.html", "manifest.json", "SHA256SUMS"}
    assert FILES.keys() - {*made.all("href")} == {"index.html"}
    for line in (
        *(*policies.REFUSED, *policies.OPEN),
        *(hashlib.sha256(FILES[name]).hexdigest() for name in others),
        "sha256sum -c SHA256SUMS",
        "ssh-keygen -Y verify -f allowed_signers -r revoked_keys -I IDENTITY -n dt-logs-cfn \\\n"
        "  -s SHA256SUMS.sig < SHA256SUMS",
        "python -m dt_logs_cfn verify dt-logs-analysis.template.json",
        "aws cloudformation delete-stack --region REGION --stack-name dt-logs-analysis",
    ):
        assert line in said
    assert f"verify {BASE}/{__version__}/dt-logs-analysis.template.json" in text(ONE)


@pytest.mark.parametrize("markup", [UNSET, ONE], ids=["unset", "one"])
def test_it_may_load_nothing_and_run_only_its_script(markup: str) -> None:
    made = Page(markup)
    style = re.findall(r"<style>(.*?)</style>", markup, re.DOTALL)
    script = re.findall(r"<script>(.*?)</script>", markup, re.DOTALL)

    def digest(content: str) -> str:
        return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

    assert (
        f"default-src 'none'; style-src 'sha256-{digest(*style)}'; script-src"
        f" 'sha256-{digest(*script)}'; base-uri 'none'; form-action 'none'"
    ) in made.all("content")
    assert {"link", "img", "iframe", "base", "object"}.isdisjoint(tag for tag, _ in made.tags)
    assert made.all("src") + made.all("style") == []
    assert not [name for _, found in made.tags for name in found if name.startswith("on")]
    assert "@import" not in markup
    assert "url(" not in markup.replace("url(#", "")
    ids = made.all("id")
    assert len(set(ids)) == len(ids)
    assert {each[1:] for each in made.all("href") if each[:1] == "#"} <= {*ids}
    assert "<i>" not in markup  # ENDPOINT contains a tag
