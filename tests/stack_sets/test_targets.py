"""Accounts and regions: blocks partition them exactly, and what is none is refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.rollout import Amount, Preferences
from dt_logs_cfn.operate.stack_sets.targets import (
    Block,
    Instance,
    SelfManaged,
    ServiceManaged,
    blocks,
)
from stack_sets.rollouts import IRELAND, OHIO, ONE, THREE, TWO, rollout

instances = st.builds(
    Instance, st.sampled_from((ONE, TWO, THREE)), st.sampled_from((IRELAND, OHIO, "eu-north-1"))
)


@STEADY
@given(st.sets(instances))
def test_blocks_partition_the_instances_exactly(some: set[Instance]) -> None:
    covered = [each for block in blocks(some) for each in block.instances]
    assert sorted(covered) == sorted(some)


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        ([(ONE, IRELAND), (TWO, IRELAND)], [Block((ONE, TWO), (IRELAND,))]),
        (
            [(ONE, IRELAND), (ONE, OHIO), (TWO, IRELAND), (TWO, OHIO)],
            [Block((ONE, TWO), (IRELAND, OHIO))],
        ),
        # By account it would be three.
        (
            [(ONE, IRELAND), (ONE, OHIO), (TWO, IRELAND), (THREE, OHIO)],
            [Block((ONE, TWO), (IRELAND,)), Block((ONE, THREE), (OHIO,))],
        ),
        ([], []),
    ],
)
def test_blocks_are_few(some: list[tuple[str, str]], expected: list[Block]) -> None:
    assert list(blocks(Instance(*each) for each in some)) == expected


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: SelfManaged(()), "No account is named."),
        (lambda: SelfManaged((ONE, ONE)), "An account is named twice."),
        (lambda: SelfManaged(("12345678901",)), "'12345678901' is no account."),
        (
            lambda: SelfManaged((ONE,), "arn:aws:iam::1:role/x"),
            "The administration role's ARN is none of a role.",
        ),
        (
            lambda: SelfManaged((ONE,), "", "role/x"),
            "The execution role's name is none of a role.",
        ),
        (lambda: ServiceManaged(("ou-1",)), "'ou-1' is no organizational unit."),
        (
            lambda: ServiceManaged(tuple(f"ou-root-{n:08}" for n in range(51))),
            "51 organizational units are named; an operation takes 1 to 50.",
        ),
        (
            lambda: ServiceManaged(("r-root",), (ONE,)),
            "A filter of accounts goes with accounts, and they with it.",
        ),
        (lambda: Preferences(Amount(101, True)), "101% is no number of accounts."),
        (lambda: Preferences(max_concurrent=Amount(0)), "0 is no number of accounts."),
        (lambda: rollout(name="1st"), "'1st' is no name of a stack set."),
        (lambda: rollout(regions=()), "No region is named."),
        (lambda: rollout(regions=(OHIO, OHIO)), "A region is named twice."),
        (lambda: rollout(parameters={"Wrong": ""}), "The template has no parameter 'Wrong'."),
        (
            lambda: rollout(parameters={"DataTheoremAccountId": "12"}),
            "The value of DataTheoremAccountId is not what it takes.",
        ),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], what: str) -> None:
    with pytest.raises(OperatingError) as failure:
        make()
    assert failure.value.what == what
