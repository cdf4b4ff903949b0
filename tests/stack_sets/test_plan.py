"""From what is there to what is asked for: few operations, and none once they are done."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stack_sets import FakeCloudFormation, FakeOrganizations
from support.strategies import STEADY

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    CreateStackSet,
    Present,
    PresentInstance,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.plan import plan
from dt_logs_cfn.operate.stack_sets.rollout import Amount, Preferences, Rollout
from dt_logs_cfn.operate.stack_sets.targets import Block, Instance, SelfManaged, ServiceManaged
from dt_logs_cfn.operate.templates import Template
from stack_sets.rollouts import (
    IRELAND,
    OHIO,
    ONE,
    TEMPLATE,
    THREE,
    TWO,
    VALUES,
    arn,
    look,
    made,
    planned,
    rolled_out,
    rollout,
    template,
)

CREATION = CreateStackSet(tuple(sorted(VALUES.items())))
ROOT, PROD, TEST = "r-root", "ou-root-prod0001", "ou-root-test0001"
ORGANIZATION = FakeOrganizations(
    {ROOT: ["9" * 12], PROD: [ONE, TWO, THREE], TEST: ["444444444444"]}, {ROOT: [PROD, TEST]}
)


def units(*named: str, **given: Any) -> ServiceManaged:
    return ServiceManaged(named or (PROD,), **given)


def test_at_first_the_stack_set_then_every_stack_at_once() -> None:
    expected = (CREATION, CreateInstances(Block((ONE, TWO), (IRELAND, OHIO)), (), whole=True))
    assert planned(FakeCloudFormation(), rollout()) == expected


def test_stacks_with_the_same_overrides_are_made_together() -> None:
    wanted = rollout(
        f"account,region,LoadBalancerArns\n{ONE},{IRELAND},{arn()}\n{TWO},{OHIO},\n{ONE},{OHIO},\n"
    )
    assert planned(FakeCloudFormation(), wanted) == (
        CREATION,
        CreateInstances(Block((ONE,), (OHIO,)), (), whole=False),
        CreateInstances(Block((TWO,), (IRELAND, OHIO)), (), whole=False),
        CreateInstances(Block((ONE,), (IRELAND,)), (("LoadBalancerArns", arn()),), whole=False),
    )


@pytest.mark.parametrize(
    ("again", "reasons"),
    [
        ({"parameters": {"RunToken": "2"}}, ("parameter RunToken",)),
        ({"template": template("other")}, ("template",)),
        ({"tags": {"team": "logs"}}, ("tags",)),
        (
            {"targets": SelfManaged((ONE, TWO), "arn:aws:iam::999988887777:role/admin", "exec")},
            ("administration role", "execution role"),
        ),
    ],
)
def test_what_differs_updates_the_stack_set(
    again: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    client = FakeCloudFormation()
    rolled_out(client, rollout())
    wanted = rollout(**{"parameters": {}, **again})
    (operation,) = planned(client, wanted)
    assert isinstance(operation, UpdateStackSet)
    assert operation.reasons == reasons
    assert operation.kept == tuple(sorted(VALUES))
    assert (operation.regions, operation.stacks) == ((IRELAND, OHIO), 4)
    rolled_out(client, wanted)
    assert client.sets["dt-logs-analysis"].parameters == {**VALUES, **wanted.parameters}
    assert planned(client, wanted) == ()


def test_what_is_not_said_again_stays() -> None:
    client = FakeCloudFormation()
    rolled_out(client, rollout(f"account,RunToken\n{ONE},1\n", tags={"team": "logs"}))
    assert planned(client, rollout(parameters={})) == ()
    assert planned(client, rollout(parameters={"LogRetentionDays": "30"})) == ()


def test_a_row_without_values_takes_the_overrides_away() -> None:
    client = FakeCloudFormation()
    rolled_out(client, rollout(f"account,RunToken\n{ONE},1\n{TWO},1\n"))
    wanted = rollout(f"account,RunToken\n{ONE},\n{TWO},2\n")
    assert planned(client, wanted) == (
        UpdateInstances(Block((ONE,), (IRELAND, OHIO)), (), whole=False),
        UpdateInstances(Block((TWO,), (IRELAND, OHIO)), (("RunToken", "2"),), whole=False),
    )
    rolled_out(client, wanted)
    assert made(client) == {
        (ONE, IRELAND): ("CURRENT", {}),
        (ONE, OHIO): ("CURRENT", {}),
        (TWO, IRELAND): ("CURRENT", {"RunToken": "2"}),
        (TWO, OHIO): ("CURRENT", {"RunToken": "2"}),
    }


def test_a_stack_that_failed_is_tried_again() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: "no" if place == (ONE, OHIO) else ""
    wanted = rollout(preferences=Preferences(Amount(1)))
    rolled_out(client, wanted)
    (operation,) = planned(client, wanted)
    assert isinstance(operation, UpdateStackSet)
    assert operation.reasons == ("1 of its stacks failed or were not reached",)
    client.fails = lambda place, values: ""
    rolled_out(client, wanted)
    assert planned(client, wanted) == ()


def test_a_stack_that_failed_is_tried_again_by_its_new_overrides_alone() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: "no" if values.get("RunToken") == "bad" else ""
    rolled_out(client, rollout(f"account,region,RunToken\n{ONE},{OHIO},bad\n"))
    wanted = rollout(f"account,region,RunToken\n{ONE},{OHIO},good\n")
    block = Block((ONE,), (OHIO,))
    assert planned(client, wanted) == (UpdateInstances(block, (("RunToken", "good"),), False),)


def test_one_role_name_an_account_is_fine() -> None:
    wanted = rollout(parameters={**VALUES, "LambdaExecutionRoleName": "logs"}, regions=(OHIO,))
    assert len(planned(FakeCloudFormation(), wanted)) == 2


def test_units_come_to_their_active_accounts() -> None:
    client = FakeCloudFormation(ORGANIZATION)
    some = {"targets": units(ROOT), "regions": (OHIO,)}
    assert planned(client, rollout(**some), ORGANIZATION)[1:] == (
        CreateInstances(Block((ONE, TWO, THREE, "444444444444"), (OHIO,)), (), whole=True),
    )


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (units(), {"OrganizationalUnitIds": [PROD]}),
        (
            units(accounts=(ONE,), account_filter="INTERSECTION"),
            {
                "OrganizationalUnitIds": [PROD],
                "Accounts": [ONE],
                "AccountFilterType": "INTERSECTION",
            },
        ),
        (
            units(accounts=(ONE,), account_filter="DIFFERENCE"),
            {
                "OrganizationalUnitIds": [PROD],
                "Accounts": [ONE],
                "AccountFilterType": "DIFFERENCE",
            },
        ),
    ],
)
def test_units_are_named_as_they_were_given(
    targets: ServiceManaged, expected: Mapping[str, object]
) -> None:
    client = FakeCloudFormation(ORGANIZATION)
    wanted = rollout(targets=replace(targets, call_as="DELEGATED_ADMIN", auto_deployment=True))
    rolled_out(client, wanted, ORGANIZATION)
    (_, creation), (_, instances) = client.calls
    assert creation["PermissionModel"] == "SERVICE_MANAGED"
    assert creation["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    assert creation["CallAs"] == instances["CallAs"] == "DELEGATED_ADMIN"
    assert instances["DeploymentTargets"] == expected
    assert planned(client, wanted, ORGANIZATION) == ()


def test_overrides_split_a_unit_by_its_accounts() -> None:
    client = FakeCloudFormation(ORGANIZATION)
    wanted = rollout(f"account,RunToken\n{TWO},2\n", targets=units())
    rolled_out(client, wanted, ORGANIZATION)
    assert [given["DeploymentTargets"]["Accounts"] for _, given in client.calls[1:]] == [
        [ONE, THREE],
        [TWO],
    ]
    assert planned(client, wanted, ORGANIZATION) == ()


def test_an_account_that_joined_gets_its_stacks() -> None:
    organization = FakeOrganizations({PROD: [ONE]})
    client = FakeCloudFormation(organization)
    wanted = rollout(targets=units())
    rolled_out(client, wanted, organization)
    organization.accounts = {PROD: [ONE, TWO]}
    assert planned(client, wanted, organization) == (
        CreateInstances(Block((TWO,), (IRELAND, OHIO)), (), whole=False),
    )
    organization.suspended.add(TWO)
    assert planned(client, wanted, organization) == ()


def test_preferences_reach_every_operation() -> None:
    client = FakeCloudFormation()
    wanted = rollout(
        regions=(OHIO, IRELAND),
        preferences=Preferences(
            Amount(10, True), Amount(5), "SEQUENTIAL", "SOFT_FAILURE_TOLERANCE"
        ),
    )
    rolled_out(client, wanted)
    rolled_out(client, replace(wanted, parameters={"RunToken": "2"}))
    assert [given.get("OperationPreferences") for _, given in client.calls[1:]] == [
        {
            "FailureTolerancePercentage": 10,
            "MaxConcurrentCount": 5,
            "RegionConcurrencyType": "SEQUENTIAL",
            "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
            "RegionOrder": [OHIO, IRELAND],
        }
    ] * 2


PRESENT = PresentStackSet(TEMPLATE.text, VALUES)
RULED = template(rules=True)
BOTH = f"*,{arn()}"


@pytest.mark.parametrize(
    ("wanted", "present", "what"),
    [
        (rollout(), Present(()), "No account is left to roll out to."),
        (
            rollout(parameters={}),
            Present((ONE,)),
            "The parameter DataTheoremAccountId of the stack set has no value.",
        ),
        (
            rollout(parameters={**VALUES, "LoadBalancerArns": arn()}),
            Present((ONE, TWO)),
            f"LoadBalancerArns names load balancers that are not in {ONE} {OHIO}.",
        ),
        (
            rollout(parameters={**VALUES, "LambdaExecutionRoleName": "logs"}),
            Present((ONE, TWO)),
            f"LambdaExecutionRoleName is the same for {ONE} {OHIO} and another stack.",
        ),
        (
            rollout(f"account,LogBucketName\n{ONE},logs-1\n", regions=(OHIO, IRELAND)),
            Present((ONE, TWO)),
            f"LogBucketName is the same for {ONE} {IRELAND} and another stack.",
        ),
        (
            rollout(),
            Present((ONE,), replace(PRESENT, permission_model="SERVICE_MANAGED")),
            "The stack set dt-logs-analysis is SERVICE_MANAGED; these targets are not.",
        ),
        (
            rollout(),
            Present((ONE,), replace(PRESENT, template='{"Resources":{}}')),
            "The stack set dt-logs-analysis was not made from a template of ours.",
        ),
        (
            rollout(),
            Present((ONE,), PRESENT, {Instance(ONE, OHIO): PresentInstance("INOPERABLE")}),
            f"1 stacks are INOPERABLE, since deleting them failed: {ONE} {OHIO}.",
        ),
        (
            rollout(template=RULED, parameters={**VALUES, "LoadBalancerArns": BOTH}),
            Present((ONE,)),
            "The parameters do not go together.",
        ),
        (
            rollout(
                f'account,LoadBalancerArns\n{ONE},"{BOTH}"\n', template=RULED, regions=(IRELAND,)
            ),
            Present((ONE, TWO)),
            f"The parameters with the overrides of {ONE} {IRELAND} do not go together.",
        ),
        (
            rollout(template=RULED, parameters={}),
            Present((ONE,), replace(PRESENT, parameters={**VALUES, "LogRetentionDays": "0"})),
            "The value of LogRetentionDays is not what it takes.",
        ),
    ],
)
def test_what_would_fail_is_refused_before(wanted: Rollout, present: Present, what: str) -> None:
    with pytest.raises(OperatingError) as failure:
        plan(wanted, present)
    assert failure.value.what == what


def test_a_template_that_is_too_large_is_refused() -> None:
    with pytest.raises(OperatingError, match="has 51,201 bytes; CloudFormation takes 51,200"):
        Template("x" * 51_201)


_places = st.tuples(
    st.sampled_from((ONE, TWO, THREE)), st.sampled_from(("", IRELAND, OHIO)), st.sampled_from("-ab")
)


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    accounts = draw(st.sets(st.sampled_from((ONE, TWO, THREE)), min_size=1))
    regions = draw(st.permutations((IRELAND, OHIO)))[: draw(st.integers(1, 2))]
    found = draw(st.lists(_places, unique_by=lambda each: each[:2]))
    rows = [
        f"{account},{region},{value.strip('-')}\n"
        for account, region, value in found
        if account in accounts and region in ("", *regions)
    ]
    service = draw(st.booleans())
    return rollout(
        "account,region,RunToken\n" + "".join(rows),
        name="service" if service else "self",
        targets=ServiceManaged((PROD,), tuple(sorted(accounts)), "INTERSECTION")
        if service
        else SelfManaged(tuple(sorted(accounts))),
        regions=tuple(regions),
        template=draw(st.sampled_from((TEMPLATE, template("other")))),
        parameters={**VALUES, "LogRetentionDays": draw(st.sampled_from("78"))},
        preferences=Preferences(Amount(100)),
    )


@STEADY
@given(st.lists(rollouts(), min_size=1, max_size=3), st.integers(1, 7), st.booleans())
def test_after_it_is_carried_out_nothing_is_left_to_do(
    wanted: list[Rollout], at_once: int, failing: bool
) -> None:
    client = FakeCloudFormation(ORGANIZATION)
    client.at_once = at_once
    for each in wanted:
        if failing:
            client.fails = lambda place, values: "no" if values.get("RunToken") == "a" else ""
            rolled_out(client, each, ORGANIZATION)
            client.fails = lambda place, values: ""
        rolled_out(client, each, ORGANIZATION)
        assert planned(client, each, ORGANIZATION) == ()
        rows = {(row.account, row.region): dict(row.values) for row in each.rows}
        for account in each.targets.accounts:
            for region in each.regions:
                status, overrides = _instances(client, each)[account, region]
                assert status == "CURRENT"
                row = rows.get((account, region), rows.get((account, "")))
                assert row is None or overrides == row


def _instances(client: FakeCloudFormation, wanted: Rollout) -> Any:
    found = client.sets[wanted.name].instances
    return {place: (each.status, each.overrides) for place, each in found.items()}


@STEADY
@given(rollouts())
def test_what_is_created_partitions_the_targets_exactly(wanted: Rollout) -> None:
    _, present = look(FakeCloudFormation(), wanted, ORGANIZATION)
    creations = [each for each in plan(wanted, present) if isinstance(each, CreateInstances)]
    covered = [instance for each in creations for instance in each.block.instances]
    expected = Block(tuple(sorted(wanted.targets.accounts)), wanted.regions).instances
    assert sorted(covered) == sorted(expected)
