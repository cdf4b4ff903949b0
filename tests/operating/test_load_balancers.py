"""How options change a stack's list of load balancers, and which of them a new list drops."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from operating.account import STACK

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.load_balancers import Dropped, changed, dropped
from dt_logs_cfn.operate.stacks.stack import (
    LOAD_BALANCERS,
    RUN_TOKEN,
    Existing,
    StackDescription,
)


def made(named: str) -> Existing:
    given = {LOAD_BALANCERS: named}
    return Existing(StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", given, {}, {}), {})


def nobody() -> Iterator[str]:
    raise AssertionError("the account is listed only where the stack has every load balancer")
    yield


def forbidden() -> Iterator[str]:
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeLoadBalancers")
    yield


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        (None, ("a",), (), "a"),
        (made("a"), ("b",), (), "a,b"),
        (made("a, b"), ("b", "c"), (), "a,b,c"),
        (made("a,b,c"), ("d",), ("a", "c"), "b,d"),
        (made("a"), ("b",), ("a",), "b"),
        (made("a,b"), ("b, c", " a"), (), "a,b,c"),
        (made("a,b,c"), (), ("b,c ",), "a"),
    ],
)
def test_a_list_is_changed_and_keeps_its_order(
    before: Existing | None, add: tuple[str, ...], remove: tuple[str, ...], after: str
) -> None:
    assert changed(before, add, remove) == after


@pytest.mark.parametrize(
    ("before", "add", "remove", "told"),
    [
        (
            made("*"),
            ("a",),
            (),
            "which covers every load balancer. Set a list with --load-balancer",
        ),
        (made("a"), (), ("b",), "does not have the load balancer 'b'. It has a."),
        (None, (), ("b",), "does not have the load balancer 'b'. It has none yet."),
        (made("a"), (), ("a",), "use `dt-logs-cfn remove --stack dt-logs`."),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    before: Existing | None, add: tuple[str, ...], remove: tuple[str, ...], told: str
) -> None:
    with pytest.raises(OperatingError) as error:
        changed(before, add, remove)
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
    parameters = {} if present is None else {RUN_TOKEN: present}
    stack = StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", parameters, {}, {})
    command = f"dt-logs-cfn deploy --stack dt-logs --parameter RunToken={following}"
    assert stack.run_again == command
