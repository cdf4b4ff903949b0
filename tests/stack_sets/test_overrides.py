"""Overrides from a CSV: strict, with line numbers, and no values of secrets in what is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.overrides import Row, assigned, parse_overrides, read_overrides
from dt_logs_cfn.operate.stack_sets.targets import Block, Instance
from stack_sets.rollouts import IRELAND, OHIO, ONE, TEMPLATE, THREE, TWO, arn

PARAMETERS = TEMPLATE.parameters
HEAD = "account,region,LoadBalancerArns\n"
ALL = Block((ONE, TWO), (IRELAND, OHIO)).instances


def test_a_file_is_read() -> None:
    rows = parse_overrides(
        f"account,LoadBalancerArns,region,LogRetentionDays\r\n{ONE},*,,\r\n\r\n"
        f'{TWO},"{arn(TWO)},{arn(TWO, name="api")}",{IRELAND},7\r\n',
        PARAMETERS,
    )
    both = f"{arn(TWO)},{arn(TWO, name='api')}"
    assert rows == (
        Row(2, ONE, "", (("LoadBalancerArns", "*"),)),
        Row(4, TWO, IRELAND, (("LoadBalancerArns", both), ("LogRetentionDays", "7"))),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "The overrides have no column `account` in line 1."),
        ("region\n", "The overrides have no column `account` in line 1."),
        (
            "account,Region\n",
            "The overrides' column 'Region' in line 1 is no parameter of the template.",
        ),
        ("account,account\n", "The overrides' column 'account' in line 1 is there twice."),
        (HEAD + "12,,*\n", "line 2: '12' is no account of 12 digits"),
        (HEAD + f"{ONE},here,*\n", "line 2: 'here' is no region"),
        (HEAD + f"{ONE},\n", "line 2: 2 cells, not 3"),
        (
            HEAD + f"{ONE},,*\n{TWO},,*\n{ONE},,*\n",
            "line 4: the same account and region as line 2",
        ),
        (
            HEAD + f"{ONE},,web\n",
            "line 2: LoadBalancerArns takes: ARNs like"
            " arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID, or *",
        ),
        (f"account,LogRetentionDays\n{ONE},0\n", "line 2: LogRetentionDays takes 1 to 36500"),
        (f"account,LogRetentionDays\n{ONE},x\n", "line 2: LogRetentionDays takes 1 to 36500"),
        (
            f"account,VendorReadScope\n{ONE},All\n",
            "line 2: VendorReadScope takes LoadBalancer or Location",
        ),
        (
            f"account,RunToken\n{ONE},{'x' * 129}\n",
            "line 2: RunToken takes up to 128 characters",
        ),
        (
            f'account,ResourceTags\n{ONE},"{",".join(["k=v"] * 1100)}"\n',
            "line 2: ResourceTags has 4,399 bytes, and a parameter holds 4,096",
        ),
        (
            HEAD + "1,,*\n2,,*\n3,,*\n4,,*\n5,,*\n",
            "line 2: '1' is no account of 12 digits; line 3: '2' is no account of 12 digits;"
            " line 4: '3' is no account of 12 digits; and 2 more",
        ),
        (HEAD + f'{ONE},,"*"x\n', "The overrides are no CSV: line 2: ',' expected after '\"'."),
    ],
)
def test_what_does_not_hold_is_told_with_its_line(text: str, what: str) -> None:
    with pytest.raises(OperatingError) as failure:
        parse_overrides(text, PARAMETERS)
    assert what in failure.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "account,dG9rZW4x\n",
            "The overrides' column 2 in line 1 is no parameter of the template.",
        ),
        ("account,dG9rZW4x,dG9rZW4x\n", "column 2 in line 1 is no parameter"),
        (f"account,region\ndG9rZW4x,{IRELAND}\n", "line 2: its account is no account of 12 digits"),
        (f"account,region\n{ONE},https://h/dG9rZW4x\n", "line 2: its region is no region"),
        (f"account,region\n{ONE},eu-west1\n", "line 2: 'eu-west1' is no region"),
    ],
)
def test_what_may_be_a_token_in_a_wrong_place_is_not_shown(text: str, what: str) -> None:
    with pytest.raises(OperatingError) as failure:
        parse_overrides(text, PARAMETERS)
    assert what in failure.value.what
    assert "dG9rZW4x" not in str(failure.value)


def test_a_value_that_is_refused_is_not_shown() -> None:
    with pytest.raises(OperatingError) as failure:
        parse_overrides(f"account,NotificationEndpoint\n{ONE},http://h/token\n", PARAMETERS)
    assert "token" not in str(failure.value)


def test_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "overrides.csv"
    path.write_bytes(b"account\n" + b"\n" * 10_000_000)
    with pytest.raises(OperatingError, match="has more than 10,000,000 bytes"):
        read_overrides(path, PARAMETERS)
    path.write_bytes(b"account\n" + b"".join(b"%012d\n" % n for n in range(20_001)))
    with pytest.raises(OperatingError, match="more than 20,000 rows"):
        read_overrides(path, PARAMETERS)
    path.write_bytes(b"account\n\xff\n")
    with pytest.raises(OperatingError, match="is no UTF-8 text"):
        read_overrides(path, PARAMETERS)
    with pytest.raises(OperatingError, match="cannot be read: No such file"):
        read_overrides(tmp_path / "none.csv", PARAMETERS)
    path.write_bytes(b"\xef\xbb\xbfaccount\n")
    assert read_overrides(path, PARAMETERS) == ()


def test_the_row_of_a_region_holds_there_alone() -> None:
    rows = parse_overrides(
        f"account,region,RunToken,LogRetentionDays\n{ONE},,a,7\n{ONE},{OHIO},b,\n", PARAMETERS
    )
    assert assigned(rows, ALL) == {
        Instance(ONE, IRELAND): (("LogRetentionDays", "7"), ("RunToken", "a")),
        Instance(ONE, OHIO): (("RunToken", "b"),),
    }


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (f"{THREE},,*", f"line 2: {THREE} is no target"),
        (f"{ONE},eu-north-1,*", f"line 2: {ONE} eu-north-1 is no target"),
        (
            f"{ONE},{OHIO},{arn(ONE, IRELAND)}",
            f"line 2: LoadBalancerArns names one that is not in {ONE} {OHIO}",
        ),
        (
            f"{TWO},{OHIO},{arn(ONE, OHIO)}",
            f"line 2: LoadBalancerArns names one that is not in {TWO} {OHIO}",
        ),
    ],
)
def test_a_row_is_of_a_target_and_its_load_balancers_too(row: str, what: str) -> None:
    rows = parse_overrides(HEAD + row, PARAMETERS)
    with pytest.raises(OperatingError) as failure:
        assigned(rows, ALL)
    assert what in failure.value.what


@STEADY
@given(st.text() | st.text(alphabet='account,region"\n\r1').map(lambda text: HEAD + text))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_overrides(text, PARAMETERS)
    except OperatingError as failure:
        assert len(str(failure)) < 1000
