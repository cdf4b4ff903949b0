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
    create_stack,
    hcl_string,
    ours,
    quick_create,
    terraform,
)

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


UNSET, ONE = (
    build_release(settings).files["index.html"].decode()
    for settings in (Settings(), Settings((Vendor("aws", "999988887777", ENDPOINT, BASE),)))
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


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('$%{}"\\~n'))
def test_terraform_reads_exactly_what_was_entered(value: str) -> None:
    assert hcl_value(hcl_string(value)) == value


def test_a_published_template_is_taken_from_its_url() -> None:
    values = {"DataTheoremAccountId": "999988887777", "NotificationEndpoint": ENDPOINT}
    block = text(terraform("t.json", f"{BASE}/t.json", values))

    assert f'\n  template_url = "{BASE}/t.json"\n' in block
    assert '    DataTheoremAccountId = "999988887777"\n' in block
    assert f"    NotificationEndpoint = {hcl_string(ENDPOINT)}\n" in block


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


def test_it_says_what_it_costs() -> None:
    costs = generator("costs")
    month = sum(costs.Cost(1).dollars.values())

    said = " ".join(text(UNSET).split())
    assert f"about ${month:.2f} a month for a load balancer with two nodes" in said
    assert costs.NODES == 2


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
    assert "AWS (commercial): 34 regions" in ONE
    assert "AWS China: not published" in ONE
    assert f"verify {BASE}/{__version__}/dt-logs-analysis.template.json" in text(ONE)
    assert queries == 34 * [
        f"{template}cloudformation-role.template.json&stackName=service-role-for-dt-logs-analysis",
        f"{template}dt-logs-analysis.template.json{vendor}",
        f"{template}dt-logs-analysis-documented.template.json{vendor}",
    ]
    assert len([each for each in links if each.startswith(start)]) == 3


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
