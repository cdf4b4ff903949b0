"""The launch page in a real browser: it handles the user's input, and is usable."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from browser.browser import CONTRAST, outline, overflow, resize
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from support.launching import ENDPOINT, ODD_VALUES, PLACES, arguments

from dt_logs_cfn import Settings, Vendor, __version__, build_release
from dt_logs_cfn.pages.launch_commands import PARTITIONS, hcl_string, shell_json

BASES = {
    "aws": "https://releases.example.com/dt-logs",
    "aws-us-gov": "https://releases-gov.s3.us-gov-west-1.amazonaws.com/dt-logs",
    "aws-cn": "https://releases-cn.s3.cn-north-1.amazonaws.com.cn",
    "aws-eusc": "https://releases-eusc.s3.eusc-de-east-1.amazonaws.eu/dt-logs",
}
PUBLISHED = Settings(tuple(Vendor(name, base_url=base) for name, base in BASES.items()))
# aws has all vendor settings; aws-us-gov lacks the endpoint; the others are not published.
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("browser")
    pages = {"published": PUBLISHED, "vendors": VENDORS, "unset": Settings()}
    for name, settings in pages.items():
        (found / f"{name}.html").write_bytes(build_release(settings).files["index.html"])
    return found


class LaunchPage:
    """The page as a user operates it."""

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

    def text(self, name: str) -> str:
        found: str = self.driver.find_element(By.ID, name).get_property("textContent")  # type: ignore[assignment]
        return found

    def shown(self, name: str) -> bool:
        return self.driver.find_element(By.ID, name).is_displayed()

    def link(self, name: str) -> str | None:
        return self.driver.find_element(By.ID, name).get_attribute("href")

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)


@pytest.fixture
def page(browser: webdriver.Chrome, folder: Path) -> Iterator[LaunchPage]:
    found = LaunchPage(browser, folder)
    resize(browser, 1280, "light")
    browser.get_log("browser")
    yield found
    assert browser.get_log("browser") == []  # no errors, and nothing refused by the policy


def test_where_it_is_not_published_it_says_so_and_commands_take_the_file(page: LaunchPage) -> None:
    page.open("vendors")
    page.choose("cn-north-1")

    (notice,) = (
        each.text
        for each in page.driver.find_elements(By.CSS_SELECTOR, ".made .notice")
        if each.is_displayed()
    )
    assert notice.startswith("This release is not published for AWS China. Download the")
    console = "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1"
    assert (page.link("console-link"), page.shown("console-link")) == (console, True)
    assert (page.link("stack-link"), page.shown("stack-link")) == (None, False)
    assert (page.link("role-link"), page.shown("role-link")) == (None, False)
    assert page.text("status") == (
        "For cn-north-1. Still missing: Load balancer ARNs, AWS account ID, Endpoint, Service role"
        " ARN. Words in capitals stand for them in the commands."
    )
    assert '"ParameterValue": "ARN,ARN"' in page.text("stack-cli")
    assert "--role-arn ARN_OF_THE_SERVICE_ROLE" in page.text("stack-cli")
    assert "--template-body file://dt-logs-analysis.template.json" in page.text("stack-cli")
    assert "--template-body file://cloudformation-role.template.json" in page.text("role-cli")
    assert 'file("${path.module}/dt-logs-analysis.template.json")' in page.text("stack-terraform")

    page.choose("us-gov-west-1")
    assert page.shown("stack-link")
    assert not page.shown("console-link")
    assert not page.driver.find_element(By.CSS_SELECTOR, ".made .notice").is_displayed()


@pytest.mark.parametrize(("number", "region", "host"), PLACES)
def test_the_link_is_the_plain_one_and_leads_to_the_right_console_filled_in(
    page: LaunchPage, number: int, region: str, host: str
) -> None:
    partition = PARTITIONS[number]
    arns = [balancer(partition.id, region, name) for name in ("one", "two")]
    page.open("published")
    page.choose(region)
    made = [page.link("role-link"), page.link("stack-link")]
    page.driver.find_element(By.CSS_SELECTOR, "[value=documented]").click()
    made.append(page.link("stack-link"))
    plain = "return [...document.querySelectorAll('td a')].map(a => a.href)"
    start = f"https://{host}/"
    assert made == [each for each in page.run(plain) if each.startswith(start)]
    page.driver.find_element(By.CSS_SELECTOR, "[value=least-privilege]").click()
    page.enter(
        LoadBalancerArns="\n".join(arns),
        DataTheoremAccountId="999988887777",
        NotificationEndpoint=ENDPOINT,
        RoleArn=f"arn:{partition.id}:iam::123456789012:role/path/r",
        StackName="dt-logs-analysis-2",
    )
    assert page.text("status") == f"Complete for {region}."

    link = page.link("stack-link")
    assert link is not None
    values = {
        "DataTheoremAccountId": "999988887777",
        "NotificationEndpoint": ENDPOINT,
        "LoadBalancerArns": ",".join(arns),
    }
    with pytest.raises(WebDriverException, match="ERR_NAME_NOT_RESOLVED"):
        page.driver.get(link)
    before, _, query = page.driver.current_url.partition("#/stacks/quickcreate?")
    assert before == f"https://{host}/cloudformation/home?region={region}"
    assert parse_qs(query, strict_parsing=True) == {
        "templateURL": [f"{BASES[partition.id]}/{__version__}/dt-logs-analysis.template.json"],
        "stackName": ["dt-logs-analysis-2"],
        **{f"param_{name}": [value] for name, value in values.items()},
    }
    page.driver.get_log("browser")  # discard the error about the name, which does not resolve


def test_the_commands_are_what_was_entered(page: LaunchPage) -> None:
    arns = [balancer("aws", "eu-west-1", name) for name in ("one", "two")]
    page.open("published")
    page.choose("eu-west-1")
    page.driver.find_element(By.CSS_SELECTOR, "[value=documented]").click()
    page.enter(
        LoadBalancerArns=f" {arns[0]}, {arns[1]}\n{arns[0]}",
        DataTheoremAccountId="999988887777",
        NotificationEndpoint=ENDPOINT,
        RoleArn="arn:aws:iam::123456789012:role/r",
    )

    *given, parameters = arguments(page.text("stack-cli"))
    assert given == [
        *("cloudformation", "create-stack", "--region", "eu-west-1"),
        *("--stack-name", "dt-logs-analysis", "--template-url"),
        f"{BASES['aws']}/{__version__}/dt-logs-analysis-documented.template.json",
        *("--role-arn", "arn:aws:iam::123456789012:role/r"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "--parameters"),
    ]
    assert {each["ParameterKey"]: each["ParameterValue"] for each in json.loads(parameters)} == {
        "DataTheoremAccountId": "999988887777",
        "NotificationEndpoint": ENDPOINT,
        "LoadBalancerArns": ",".join(arns),
    }
    assert arguments(page.text("deploy")) == [
        *("deploy", "--region", "eu-west-1", "--stack", "dt-logs-analysis"),
        *("--privileges", "documented", "--parameter", "DataTheoremAccountId=999988887777"),
        *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
        *("--parameter", f"LoadBalancerArns={','.join(arns)}"),
        *("--role-arn", "arn:aws:iam::123456789012:role/r"),
    ]
    block = page.text("stack-terraform")
    assert f"    NotificationEndpoint = {hcl_string(ENDPOINT)}\n" in block
    assert f'    LoadBalancerArns     = "{",".join(arns)}"\n' in block
    assert '  iam_role_arn = "arn:aws:iam::123456789012:role/r"\n' in block


@pytest.mark.parametrize("value", ODD_VALUES)
def test_the_script_quotes_as_the_generator_does(page: LaunchPage, value: str) -> None:
    page.open("unset")

    quoted = "return [shellWord, shellJson, hclString].map(quote => quote(arguments[0]))"

    assert page.run(quoted, value) == [shlex.quote(value), shell_json(value), hcl_string(value)]


RESULTS = ("role-cli", "plan", "deploy", "stack-cli", "stack-terraform", "status-cli")
HERE, THERE = balancer("aws", "us-east-1"), balancer("aws", "eu-west-1")
NETWORK = HERE.replace("app", "net")
MANY = " ".join(balancer("aws", "us-east-1", f"web-{number}") for number in range(45))
QUEUE = "arn:aws-us-gov:sqs:us-gov-west-1:999988887777:logs"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("LoadBalancerArns", f"{HERE} {THERE}", f"{THERE} is in region eu-west-1, not us-east-1."),
        ("LoadBalancerArns", NETWORK, f"{NETWORK} is not the ARN of an application load balancer."),
        ("LoadBalancerArns", f"{HERE},*", "* means all load balancers. Remove the ARNs, or the *."),
        ("LoadBalancerArns", MANY, "A parameter holds 4,096 bytes, about 35 ARNs. Enter *, or"),
        ("DataTheoremAccountId", "12345678901", "Enter an AWS account ID: 12 digits."),
        (
            "NotificationEndpoint",
            "http://logs.example.com",
            "Enter an https URL, or the ARN of a standard SQS queue in partition aws.",
        ),
        ("NotificationEndpoint", QUEUE, f"{QUEUE} is in partition aws-us-gov, but us-east-1 is in"),
        ("RoleArn", "admin", "Enter a role ARN like arn:aws:iam::ACCOUNT:role/NAME."),
        ("StackName", "my-stack", "Start with dt-logs-analysis, because the service role may run"),
    ],
)
def test_what_does_not_fit_is_named_beside_its_field(
    page: LaunchPage, field: str, value: str, said: str
) -> None:
    page.open("published")
    page.enter(**{field: value})

    control = page.driver.find_element(By.ID, field)
    described = (control.get_attribute("aria-describedby") or "").split()
    assert described == [f"{field}-hint", f"{field}-error"]
    assert page.text(f"{field}-error").startswith(said)
    assert page.shown(f"{field}-error")
    assert control.get_attribute("aria-invalid") == "true"
    assert page.text("status").startswith("For us-east-1. Correct this first: ")
    assert all(page.shown(each) for each in RESULTS)
    assert value not in "".join(map(page.text, RESULTS)) + (page.link("stack-link") or "")


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


def test_what_is_mended_is_told_no_more(page: LaunchPage) -> None:
    page.open("published")
    page.enter(LoadBalancerArns=balancer("aws", "eu-west-1"))
    assert page.text("LoadBalancerArns-error")

    page.choose("eu-west-1")

    assert page.text("LoadBalancerArns-error") == ""
    page.enter(RoleArn="arn:aws:iam::210987654321:role/r")
    assert page.text("RoleArn-error") == (
        "The role is in account 210987654321, the load balancers are in 123456789012."
    )
    page.enter(LoadBalancerArns="*")
    assert page.run("return document.querySelectorAll('[aria-invalid=true]').length") == 0


def test_what_the_release_sets_is_filled_in_for_its_partition_alone(page: LaunchPage) -> None:
    def vendor() -> list[tuple[str, bool]]:
        fields = ("DataTheoremAccountId", "NotificationEndpoint")
        found = page.run("return arguments[0].map(n => [byId(n).value, byId(n).readOnly])", fields)
        return [(value, fixed) for value, fixed in found]

    page.open("vendors")
    assert vendor() == [("999988887777", True), ("https://logs.example.com/in?t=1", True)]

    page.choose("us-gov-east-1")
    assert vendor() == [("777788889999", True), ("", False)]
    page.enter(NotificationEndpoint="https://mine.example.com/in")

    page.choose("cn-north-1")
    assert vendor() == [("", False), ("https://mine.example.com/in", False)]


def test_who_comes_back_finds_what_was_entered(page: LaunchPage) -> None:
    page.open("vendors")
    page.choose("us-gov-west-1")
    page.enter(StackName="dt-logs-analysis-2", NotificationEndpoint="https://mine.example.com/in")
    made = page.link("stack-link")
    page.driver.get((page.folder / "unset.html").as_uri())

    page.driver.back()

    assert page.link("stack-link") == made
    assert "dt-logs-analysis-2" in page.text("stack-cli")


def test_what_is_copied_and_what_may_not_be_copied_is_selected(page: LaunchPage) -> None:
    def copy(name: str, setting: str) -> str:
        for kind in ("clipboard-read", "clipboard-write"):
            what = {"permission": {"name": kind}, "setting": setting}
            page.driver.execute_cdp_cmd("Browser.setPermission", what)
        page.open("unset")
        page.driver.find_element(By.CSS_SELECTOR, f"[data-copy={name}]").click()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("name", ["unset", "vendors"])
def test_it_fits_and_can_be_read(page: LaunchPage, name: str, width: int, scheme: str) -> None:
    page.open(name)
    resize(page.driver, width, scheme)
    page.enter(LoadBalancerArns=balancer("aws", "eu-west-1"), RoleArn="x" * 200)
    page.run("scrollTo(0, byId('launch').offsetTop)")
    assert page.run(CONTRAST) == []
    assert overflow(page.driver) == 0
    page.enter(LoadBalancerArns=HERE, RoleArn="arn:aws:iam::123456789012:role/r")
    page.run("scrollTo(0, 0)")
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.run(CONTRAST) == []
    assert overflow(page.driver) == 0
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
        for each in page.driver.find_elements(By.TAG_NAME, "summary"):
            each.click()
        shown = page.driver.find_element(By.TAG_NAME, "main").text
        links = [
            each.get_attribute("href")
            for each in page.driver.find_elements(By.CSS_SELECTOR, "details td a")
            if each.is_displayed()
        ]
    finally:
        page.driver.execute_cdp_cmd(disable, {"value": False})

    assert "aws cloudformation create-stack --region REGION" in shown
    assert 'resource "aws_cloudformation_stack" "dt_logs_analysis"' in shown
    assert "elasticloadbalancing:ModifyLoadBalancerAttributes" in shown
    assert "sha256sum -c SHA256SUMS" in shown
    assert "This release is not published for AWS China" in shown
    assert len(links) == {"unset": 34 + 2 + 2 + 1, "vendors": 3 * (34 + 2) + 2 + 1}[name]


def test_the_policy_refuses_what_is_not_of_the_page(page: LaunchPage) -> None:
    """Show that the other tests would notice a violation of the policy."""
    page.open("unset")

    page.run(
        "const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        "document.body.append(s); document.body.setAttribute('style', 'color: red');"
    )

    assert page.run("return window.ran") is None
    refused = [each["message"] for each in page.driver.get_log("browser")]
    assert len(refused) == 2
    assert all("Content Security Policy" in each for each in refused)
