"""Roll-outs against moto's StackSets, over HTTP, as far as they go.

moto knows stack sets, instances with their overrides, and organizations. Its operations have
succeeded as soon as they are started; it has no failures, no operation in progress, no filter of
accounts, no auto-deployment, no delegated administrator and no pages, and gives an instance that
was made without overrides the stack set's parameters for them. For all that is
`support.stack_sets`. The template has a topic in place of its resources, since moto cannot run the
Lambda in the stacks of a stack set, and a default for each parameter, since moto gives a stack its
overrides alone.
"""

from typing import Any

import pytest

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.targets import Block, SelfManaged, ServiceManaged
from stack_sets.conftest import Aws
from stack_sets.rollouts import (
    IRELAND,
    OHIO,
    ONE,
    THREE,
    TWO,
    VALUES,
    arn,
    planned,
    rolled_out,
    rollout,
    template,
)

TEMPLATE, OTHER = template(defaults=VALUES), template("other", defaults=VALUES)


def overrides(client: Any, name: str = "dt-logs-analysis") -> dict[tuple[str, str], dict[str, str]]:
    """Return the overrides of each instance that there is."""
    found = {}
    for each in client.list_stack_instances(StackSetName=name)["Summaries"]:
        instance = client.describe_stack_instance(
            StackSetName=name,
            StackInstanceAccount=each["Account"],
            StackInstanceRegion=each["Region"],
        )["StackInstance"]
        values = instance.get("ParameterOverrides", [])
        found[each["Account"], each["Region"]] = {
            value["ParameterKey"]: value["ParameterValue"] for value in values
        }
    return found


def test_a_roll_out_converges(aws: Aws) -> None:
    client = aws.client("cloudformation")
    wanted = rollout(
        f"account,region,LoadBalancerArns\n{ONE},{IRELAND},{arn()}\n{ONE},{OHIO},{arn(ONE, OHIO)}\n"
        f"{TWO},,*\n",
        template=TEMPLATE,
    )
    done = rolled_out(client, wanted)
    assert [each.progress.status for each in done] == ["SUCCEEDED"] * 4
    assert overrides(client) == {
        (ONE, IRELAND): {"LoadBalancerArns": arn()},
        (ONE, OHIO): {"LoadBalancerArns": arn(ONE, OHIO)},
        (TWO, IRELAND): {"LoadBalancerArns": "*"},
        (TWO, OHIO): {"LoadBalancerArns": "*"},
    }
    assert planned(client, wanted) == ()
    stack_set = client.describe_stack_set(StackSetName=wanted.name)["StackSet"]
    assert {e["ParameterKey"]: e["ParameterValue"] for e in stack_set["Parameters"]} == VALUES


def test_a_roll_out_is_widened_and_changed(aws: Aws) -> None:
    client = aws.client("cloudformation")
    rolled_out(client, rollout(f"account,RunToken\n{ONE},1\n{TWO},1\n", template=TEMPLATE))
    wanted = rollout(
        f"account,RunToken\n{ONE},2\n{THREE},1\n",
        template=OTHER,
        parameters={"LogRetentionDays": "7"},
        targets=SelfManaged((ONE, TWO, THREE)),
    )
    operations = planned(client, wanted)
    assert [type(each) for each in operations] == [UpdateStackSet, UpdateInstances, CreateInstances]
    rolled_out(client, wanted)
    assert planned(client, wanted) == ()
    assert overrides(client)[ONE, OHIO] == {"RunToken": "2"}
    assert overrides(client)[THREE, OHIO] == {"RunToken": "1"}
    found = client.describe_stack_set(StackSetName=wanted.name)["StackSet"]
    assert found["TemplateBody"] == OTHER.text


def test_a_unit_of_an_organization(aws: Aws) -> None:
    organizations, client = aws.client("organizations"), aws.client("cloudformation")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="prod")
    unit_id = unit["OrganizationalUnit"]["Id"]
    accounts = []
    for name in ("a", "b"):
        made = organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        accounts.append(made["CreateAccountStatus"]["AccountId"])
        organizations.move_account(
            AccountId=accounts[-1], SourceParentId=root, DestinationParentId=unit_id
        )
    wanted = rollout(targets=ServiceManaged((unit_id,)))
    block = Block(tuple(sorted(accounts)), (IRELAND, OHIO))
    assert planned(client, wanted, organizations)[1:] == (CreateInstances(block, (), whole=True),)
    rolled_out(client, wanted, organizations)
    found = client.list_stack_instances(StackSetName=wanted.name)["Summaries"]
    assert sorted((each["Account"], each["Region"]) for each in found) == sorted(block.instances)
    assert planned(client, wanted, organizations) == ()
    # The root comes to the same accounts: the management account is left out.
    assert planned(client, rollout(targets=ServiceManaged((root,))), organizations) == ()


def test_a_unit_that_is_not_there_is_named(aws: Aws) -> None:
    organizations, client = aws.client("organizations"), aws.client("cloudformation")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    wanted = rollout(targets=ServiceManaged((root, "ou-abcd-11112222")))
    with pytest.raises(OperatingError, match="The organization has no unit ou-abcd-11112222"):
        planned(client, wanted, organizations)
