"""The launch page in a real browser: it handles the user's input, and is usable."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import check_readable, outline
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait
from support.launching import ENDPOINT, ODD_VALUES, PLACES

from dt_logs_cfn import Settings, Vendor, build_release
from dt_logs_cfn.pages.launch_commands import (
    PARTITIONS,
    ROLE_STACK,
    create_role,
    create_stack,
    hcl_string,
    ours,
    quick_create,
    shell_json,
    template_url,
    terraform,
)

BASES = {
    "aws": "https://releases.example.com/dt-logs",
    "aws-us-gov": "https://releases-gov.s3.us-gov-west-1.amazonaws.com/dt-logs",
    "aws-cn": "https://releases-cn.s3.cn-north-1.amazonaws.com.cn",
    "aws-eusc": "https://releases-eusc.s3.eusc-de-east-1.amazonaws.eu/dt-logs",
}
PUBLISHED = Settings(tuple(Vendor(name, base_url=base) for name, base in BASES.items()))
# aws has all vendor settings; aws-us-gov lacks the endpoint; the other partitions are not
# published.
VENDORS = Settings(
    (
        Vendor("aws", "999988887777", "https://logs.example.com/in?t=1", BASES["aws"]),
        Vendor("aws-us-gov", "777788889999", base_url=BASES["aws-us-gov"]),
    )
)


def balancer(partition: str, region: str, name: str = "web", account: str = "123456789012") -> str:
    return (
        f"arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/"
        "0123456789abcdef"
    )


ROLE = "cloudformation-role.template.json"
TEMPLATES = {
    "least-privilege": "dt-logs-analysis.template.json",
    "documented": "dt-logs-analysis-documented.template.json",
}
RESULTS = ("role-cli", "plan", "deploy", "stack-cli", "stack-terraform", "status-cli")


def commands(base: str, values: Mapping[str, str]) -> dict[str, str]:
    """Return the commands as the generator makes them; `base` is empty if nothing is published."""
    template = TEMPLATES[values.get("Privileges", "least-privilege")]
    markup = (
        create_role(ROLE, template_url(base, ROLE), values),
        ours("plan", values),
        ours("deploy", values),
        create_stack(template, template_url(base, template), values),
        terraform(template, template_url(base, template), values),
        ours("status", values),
    )
    texts = (unescape(re.sub("<[^>]+>", "", each)) for each in markup)
    return dict(zip(RESULTS, texts, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("browser")
    pages = {"published": PUBLISHED, "vendors": VENDORS, "unset": Settings()}
    for name, settings in pages.items():
        (found / f"{name}.html").write_bytes(build_release(settings).files["index.html"])
    return found


class LaunchPage:
    """The launch page, as a user operates it."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver = driver
        self.folder = folder

    def open(self, name: str) -> None:
        self.driver.get((self.folder / f"{name}.html").as_uri())

    def choose(self, region: str) -> None:
        Select(self.driver.find_element(By.ID, "Region")).select_by_value(region)

    def enter(self, **values: str) -> None:
        for name, value in values.items():
            field = self.driver.find_element(By.ID, name)
            field.clear()
            field.send_keys(value, Keys.TAB)

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def displayed(self, selector: str) -> list[WebElement]:
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return [each for each in found if each.is_displayed()]

    def text(self, name: str) -> str:
        found: str = self.driver.find_element(By.ID, name).get_property("textContent")  # type: ignore[assignment]
        return found

    def commands(self) -> dict[str, str]:
        return {name: self.text(name) for name in RESULTS}

    def shown(self, name: str) -> bool:
        return self.driver.find_element(By.ID, name).is_displayed()

    def link(self, name: str) -> str | None:
        return self.driver.find_element(By.ID, name).get_attribute("href")

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)


@pytest.fixture
def page(browser: webdriver.Chrome, folder: Path) -> Iterator[LaunchPage]:
    found = LaunchPage(browser, folder)
    browser.get_log("browser")
    yield found
    assert browser.get_log("browser") == []  # no errors, and no violation of the policy


def test_a_partition_has_its_own_vendor_and_links_where_the_release_is_published(
    page: LaunchPage,
) -> None:
    """The entered values also stay when the user comes back from another page."""

    def vendor() -> list[tuple[str, bool]]:
        fields = ("DataTheoremAccountId", "NotificationEndpoint")
        found = page.run("return arguments[0].map(n => [byId(n).value, byId(n).readOnly])", fields)
        return [(value, fixed) for value, fixed in found]

    page.open("vendors")
    assert vendor() == [("999988887777", True), ("https://logs.example.com/in?t=1", True)]

    page.choose("cn-north-1")
    (notice,) = (each.text for each in page.displayed(".made .notice"))
    assert notice.startswith("This release is not published for AWS China. Download the")
    console = "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1"
    assert (page.link("console-link"), page.shown("console-link")) == (console, True)
    assert (page.link("stack-link"), page.shown("stack-link")) == (None, False)
    assert (page.link("role-link"), page.shown("role-link")) == (None, False)
    assert page.text("status") == (
        "For cn-north-1. Still missing: Load balancer ARNs, AWS account ID, Endpoint, Service role"
        " ARN. Words in capitals stand for them in the commands."
    )
    assert page.commands() == commands("", {"Region": "cn-north-1"})

    page.choose("us-gov-west-1")
    assert (page.shown("stack-link"), page.shown("console-link")) == (True, False)
    assert page.displayed(".made .notice") == []
    assert vendor() == [("777788889999", True), ("", False)]
    page.enter(StackName="dt-logs-analysis-2", NotificationEndpoint="https://mine.example.com/in")
    made = page.link("stack-link")
    page.choose("cn-north-1")
    assert vendor() == [("", False), ("https://mine.example.com/in", False)]
    page.choose("us-gov-west-1")
    page.open("unset")
    page.driver.back()
    assert page.link("stack-link") == made
    assert "dt-logs-analysis-2" in page.text("stack-cli")


@pytest.mark.parametrize(("number", "region", "host"), PLACES)
def test_links_and_commands_are_what_the_generator_makes_of_the_values(
    page: LaunchPage, number: int, region: str, host: str
) -> None:
    partition = PARTITIONS[number]
    base = BASES[partition.id]
    arns = [balancer(partition.id, region, name) for name in ("one", "two")]
    parameters = {
        "DataTheoremAccountId": "999988887777",
        "NotificationEndpoint": ENDPOINT,
        "LoadBalancerArns": ",".join(arns),
    }
    values = {
        "Region": region,
        "StackName": "dt-logs-analysis-2",
        "RoleArn": f"arn:{partition.id}:iam::123456789012:role/path/r",
        "Privileges": "documented",
        **parameters,
    }
    page.open("published")
    page.choose(region)
    page.click("[value=documented]")
    page.enter(
        **{name: value for name, value in values.items() if name not in ("Region", "Privileges")}
        | {"LoadBalancerArns": f" {arns[0]}, {arns[1]}\n{arns[0]}"}
    )

    assert page.text("status") == f"Complete for {region}."
    assert page.commands() == commands(base, values)
    link = partial(quick_create, partition, region)
    assert page.link("role-link") == link(template_url(base, ROLE), ROLE_STACK, {})
    url = template_url(base, TEMPLATES["documented"])
    assert page.link("stack-link") == link(url, "dt-logs-analysis-2", parameters)
    assert (page.link("stack-link") or "").startswith(f"https://{host}/cloudformation/home?region=")


def test_the_script_quotes_as_the_generator_does(page: LaunchPage) -> None:
    page.open("unset")

    quoted = "return [shellWord, shellJson, hclString].map(quote => quote(arguments[0]))"

    for value in ODD_VALUES:
        expected = [shlex.quote(value), shell_json(value), hcl_string(value)]
        assert page.run(quoted, value) == expected


HERE, THERE = balancer("aws", "us-east-1"), balancer("aws", "eu-west-1")
NETWORK = HERE.replace("app", "net")
MANY = " ".join(balancer("aws", "us-east-1", f"web-{number}") for number in range(45))
QUEUE = "arn:aws-us-gov:sqs:us-gov-west-1:999988887777:logs"
WRONG = (
    ("LoadBalancerArns", f"{HERE} {THERE}", f"{THERE} is in region eu-west-1, not us-east-1."),
    ("LoadBalancerArns", NETWORK, f"{NETWORK} is not the ARN of an application load balancer."),
    ("LoadBalancerArns", f"{HERE},*", "* means all load balancers. Remove the ARNs, or the *."),
    ("LoadBalancerArns", MANY, "A parameter holds 4,096 bytes, about 35 ARNs. Enter *, or"),
    ("DataTheoremAccountId", "12345678901", "Enter an AWS account ID: 12 digits."),
    (
        *("NotificationEndpoint", "http://logs.example.com"),
        "Enter an https URL, or the ARN of a standard SQS queue in partition aws.",
    ),
    ("NotificationEndpoint", QUEUE, f"{QUEUE} is in partition aws-us-gov, but us-east-1 is in"),
    ("RoleArn", "admin", "Enter a role ARN like arn:aws:iam::ACCOUNT:role/NAME."),
    ("StackName", "my-stack", "Start with dt-logs-analysis, because the service role may run"),
)


def test_what_does_not_fit_is_named_beside_its_field_until_it_is_mended(page: LaunchPage) -> None:
    page.open("published")
    for field, value, said in WRONG:
        page.enter(**{field: value})

        control = page.driver.find_element(By.ID, field)
        described = (control.get_attribute("aria-describedby") or "").split()
        assert described == [f"{field}-hint", f"{field}-error"]
        assert page.text(f"{field}-error").startswith(said)
        assert page.shown(f"{field}-error")
        assert control.get_attribute("aria-invalid") == "true"
        assert page.text("status").startswith("For us-east-1. Correct this first: ")
        assert all(page.shown(each) for each in RESULTS)
        assert value not in str(page.commands()) + (page.link("stack-link") or "")
        page.enter(**{field: ""})
        assert page.text(f"{field}-error") == ""

    page.enter(LoadBalancerArns=THERE)
    assert page.text("LoadBalancerArns-error")
    page.choose("eu-west-1")
    assert page.text("LoadBalancerArns-error") == ""
    page.enter(RoleArn="arn:aws:iam::210987654321:role/r")
    assert page.text("RoleArn-error") == (
        "The role is in account 210987654321, the load balancers are in 123456789012."
    )
    page.enter(LoadBalancerArns="*")
    assert page.run("return document.querySelectorAll('[aria-invalid=true]').length") == 0


def test_a_wrong_character_is_marked_at_once_and_an_unfinished_value_later(
    page: LaunchPage,
) -> None:
    page.open("published")
    account = page.driver.find_element(By.ID, "DataTheoremAccountId")

    account.send_keys("9999")
    assert page.text("DataTheoremAccountId-error") == ""
    account.send_keys("x")

    assert page.text("DataTheoremAccountId-error") == "Enter an AWS account ID: 12 digits."
    assert account.get_attribute("aria-invalid") == "true"
    assert all(page.shown(each) for each in RESULTS)
    assert "DataTheoremAccountId=ACCOUNT" in page.text("plan")


def test_what_is_copied_and_what_may_not_be_copied_is_selected(page: LaunchPage) -> None:
    def copy(name: str, setting: str) -> str:
        for kind in ("clipboard-read", "clipboard-write"):
            what = {"permission": {"name": kind}, "setting": setting}
            page.driver.execute_cdp_cmd("Browser.setPermission", what)
        page.open("unset")
        page.click(f"[data-copy={name}]")
        WebDriverWait(page.driver, 10).until(lambda _: page.text("copied"))
        return page.text("copied")

    assert copy("stack-terraform", "granted") == "Copy: Block that creates the stack: done."
    copied = page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == page.text("stack-terraform")
    assert copy("stack-cli", "denied").endswith("The text is selected: copy it by hand.")
    assert page.run("return getSelection().toString()") == page.text("stack-cli")


def test_everything_has_a_name_and_the_keyboard_reaches_it_in_order(page: LaunchPage) -> None:
    page.open("vendors")

    assert outline(page.driver) == 4
    unnamed = (
        "return [...document.querySelectorAll('input, textarea, select')]"
        ".filter(each => !each.labels.length).length"
        " + document.querySelectorAll('fieldset:not(:has(> legend))').length"
    )
    assert page.run(unnamed) == 0
    assert page.run("return byId('status').ariaLive") == "polite"
    seen: list[str] = []
    body = page.driver.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    for _ in range(25):
        at = page.driver.switch_to.active_element
        assert page.run("return getComputedStyle(arguments[0]).outlineStyle", at) != "none"
        seen.append(
            at.get_attribute("id")
            or at.get_attribute("data-copy")
            or at.get_attribute("value")
            or at.text
        )
        at.send_keys(Keys.TAB)

    assert seen == [
        *("Before you start", "What it sets up", "Launch", "Permissions"),
        *("Verify", "Undo", "Files"),
        *("Region", "least-privilege", "DataTheoremAccountId", "NotificationEndpoint"),
        *("LoadBalancerArns", "RoleArn", "StackName"),
        *("role-link", "role-cli", "plan", "deploy", "stack-link", "stack-cli", "stack-terraform"),
        "status-cli",
        *("AWS (commercial): 34 regions", "AWS GovCloud (US): 2 regions"),
        "AWS China: not published",
    ]


@pytest.mark.parametrize("name", ["unset", "vendors"])
@pytest.mark.usefixtures("screen")
def test_it_fits_and_can_be_read(page: LaunchPage, name: str) -> None:
    page.open(name)
    page.enter(LoadBalancerArns=THERE, RoleArn="x" * 200)
    page.run("scrollTo(0, byId('launch').offsetTop)")
    check_readable(page.driver)
    page.enter(LoadBalancerArns=HERE, RoleArn="arn:aws:iam::123456789012:role/r")
    page.run("scrollTo(0, 0)")
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    check_readable(page.driver)
    small = page.run(
        "return [...document.querySelectorAll('button, .button, input[type=text], textarea, select,"
        " .choice, summary, nav a')].filter(e => e.getClientRects().length)"
        ".filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 24).map(e => e.outerHTML)"
    )
    assert small == []


@pytest.mark.parametrize("name", ["unset", "vendors"])
def test_without_javascript_everything_is_there_as_plain_links_and_text(
    page: LaunchPage, name: str
) -> None:
    disable = "Emulation.setScriptExecutionDisabled"
    page.driver.execute_cdp_cmd(disable, {"value": True})
    try:
        page.open(name)
        assert not page.shown("launcher")
        for each in page.displayed("summary"):
            each.click()
        (shown,) = (each.text for each in page.displayed("main"))
        links = page.displayed("details td a")
    finally:
        page.driver.execute_cdp_cmd(disable, {"value": False})

    for part in (
        "aws cloudformation create-stack --region REGION",
        'resource "aws_cloudformation_stack" "dt_logs_analysis"',
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "sha256sum -c SHA256SUMS",
        "This release is not published for AWS China",
    ):
        assert part in shown
    assert len(links) == {"unset": 34 + 2 + 2 + 1, "vendors": 3 * (34 + 2) + 2 + 1}[name]


def test_the_policy_refuses_what_is_not_of_the_page(page: LaunchPage) -> None:
    """Show that the other tests would notice a violation of the page's content security policy."""
    page.open("unset")

    page.run(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s); document.body.setAttribute('style', 'color: red');"
    )

    assert page.run("return window.ran") is None
    refused = [each["message"] for each in page.driver.get_log("browser")]
    assert len(refused) == 2
    assert all("Content Security Policy" in each for each in refused)
