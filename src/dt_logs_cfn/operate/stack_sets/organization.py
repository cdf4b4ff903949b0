"""Which accounts an organization's units come to: those that StackSets would work in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.targets import SelfManaged, Targets

if TYPE_CHECKING:
    from mypy_boto3_organizations.type_defs import (
        DescribeOrganizationResponseTypeDef,
        ListAccountsForParentRequestTypeDef,
        ListAccountsForParentResponseTypeDef,
        ListOrganizationalUnitsForParentRequestTypeDef,
        ListOrganizationalUnitsForParentResponseTypeDef,
    )
    from typing_extensions import Unpack

_DEEPEST = 6  # a root and five levels of units [Organizations quotas]


class Organizations(Protocol):
    """What is used of the client of AWS Organizations; all of it only reads."""

    def describe_organization(self) -> "DescribeOrganizationResponseTypeDef": ...

    def list_accounts_for_parent(
        self, **given: "Unpack[ListAccountsForParentRequestTypeDef]"
    ) -> "ListAccountsForParentResponseTypeDef": ...

    def list_organizational_units_for_parent(
        self, **given: "Unpack[ListOrganizationalUnitsForParentRequestTypeDef]"
    ) -> "ListOrganizationalUnitsForParentResponseTypeDef": ...


def accounts(targets: Targets, organizations: Organizations) -> tuple[str, ...]:
    """Return the accounts that targets come to now, sorted.

    Of units it is the active ones in them and below, without the management account, which
    service-managed stack sets leave out. Raises OperatingError and botocore's errors.
    """
    if isinstance(targets, SelfManaged):
        return tuple(sorted(targets.accounts))
    management = organizations.describe_organization()["Organization"].get("MasterAccountId", "")
    found = {each for unit in targets.units for each in _in_unit(organizations, unit)}
    found.discard(management)
    match targets.account_filter:
        case "INTERSECTION":
            found &= set(targets.accounts)
        case "DIFFERENCE":
            found -= set(targets.accounts)
    return tuple(sorted(found))


def _in_unit(organizations: Organizations, unit: str) -> list[str]:
    try:
        return list(_below(organizations, unit, _DEEPEST))
    except ClientError as error:
        if aws.code(error) != "ParentNotFoundException":
            raise
        raise OperatingError(
            f"The organization has no unit {unit}.",
            "Name those of `aws organizations list-organizational-units-for-parent`, or the root.",
        ) from error


def _below(organizations: Organizations, parent: str, levels: int) -> Iterator[str]:
    yield from _accounts_in(organizations, parent)
    if levels > 1:
        for unit in _units_in(organizations, parent):
            yield from _below(organizations, unit, levels - 1)


def _accounts_in(organizations: Organizations, parent: str) -> Iterator[str]:
    page = organizations.list_accounts_for_parent(ParentId=parent)
    while True:
        for each in page["Accounts"]:
            # `Status` is about to go, `State` has taken its place [Organizations API, Account].
            if each.get("State", each.get("Status")) == "ACTIVE":
                yield each["Id"]
        if "NextToken" not in page:
            return
        page = organizations.list_accounts_for_parent(ParentId=parent, NextToken=page["NextToken"])


def _units_in(organizations: Organizations, parent: str) -> Iterator[str]:
    page = organizations.list_organizational_units_for_parent(ParentId=parent)
    while True:
        yield from (each["Id"] for each in page["OrganizationalUnits"])
        if "NextToken" not in page:
            return
        page = organizations.list_organizational_units_for_parent(
            ParentId=parent, NextToken=page["NextToken"]
        )
