"""How options change a stack's list of load balancers, and which of them a new list drops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from operating.account import STACK

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.load_balancers import Dropped, changed, dropped
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription


def made(named: str) -> Existing:
    return Existing(described(LoadBalancerArns=named), {})


def described(**parameters: str) -> StackDescription:
    return StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", parameters, {}, {})


def nobody() -> Iterator[str]:
    raise AssertionError("the account is listed only where the stack has every load balancer")
    yield


def forbidden() -> Iterator[str]:
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeLoadBalancers")
    yield


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        (None, ["a"], [], "a"),
        ("a", ["b"], [], "a,b"),
        ("a, b", ["b", "c"], [], "a,b,c"),
        ("a,b,c", ["d"], ["a", "c"], "b,d"),
        ("a", ["b"], ["a"], "b"),
        ("a,b", ["b, c", " a"], [], "a,b,c"),
        ("a,b,c", [], ["b,c "], "a"),
    ],
)
def test_a_list_is_changed_and_keeps_its_order(
    before: str | None, add: list[str], remove: list[str], after: str
) -> None:
    assert changed(made(before) if before else None, add, remove) == after


@pytest.mark.parametrize(
    ("before", "add", "remove", "told"),
    [
        ("*", ["a"], [], "which covers every load balancer. Set a list with --load-balancer"),
        ("a", [], ["b"], "does not have the load balancer 'b'. It has a."),
        (None, [], ["b"], "does not have the load balancer 'b'. It has none yet."),
        ("a", [], ["a"], "use `dt-logs-cfn remove --stack dt-logs`."),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    before: str | None, add: list[str], remove: list[str], told: str
) -> None:
    with pytest.raises(OperatingError) as error:
        changed(made(before) if before else None, add, remove)
    assert told in str(error.value)


def test_what_is_dropped_is_in_the_old_list_only() -> None:
    assert dropped(None, "a", nobody) == Dropped()
    assert dropped(made("a,b"), "b, a", nobody) == Dropped()
    assert dropped(made("a,b,a"), "b", nobody) == Dropped(("a",))
    assert dropped(made("a,b"), "*", nobody) == Dropped()
    assert dropped(made("*"), "*", nobody) == Dropped()
    assert dropped(made("*"), "b", lambda: ["a", "b", "c"]) == Dropped(("a", "c"))
    assert dropped(made("*"), "b", list) == Dropped()
    assert dropped(made("*"), "b", forbidden) == Dropped(unnamed=True)
    assert bool(Dropped(unnamed=True)) is True


@pytest.mark.parametrize(
    ("present", "following"),
    [(None, "1"), ("", "1"), ("2", "3"), ("1767225600", "1767225601"), ("again", "1")],
)
def test_the_command_to_run_a_stack_again_has_a_new_token(
    present: str | None, following: str
) -> None:
    stack = described() if present is None else described(RunToken=present)
    command = f"dt-logs-cfn deploy --stack dt-logs --parameter RunToken={following}"
    assert stack.run_again == command
