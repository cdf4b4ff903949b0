"""Where the stacks of a stack set go: accounts or organizational units, by regions; pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from dt_logs_cfn.errors import OperatingError

# The patterns of CloudFormation's API model; a region's is narrower there than here.
ACCOUNT = "[0-9]{12}"
UNIT = "(?:ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})"
REGION = "[a-z]{2,4}(?:-[a-z]+)+-[0-9]+"
ROLE_ARN = "arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,1024}"
ROLE_NAME = "[A-Za-z0-9_+=,.@-]{1,64}"
MOST_UNITS = 50  # an operation [CloudFormation API, CreateStackInstances]

AccountFilter: TypeAlias = Literal["INTERSECTION", "DIFFERENCE"]
CallAs: TypeAlias = Literal["SELF", "DELEGATED_ADMIN"]


class Instance(NamedTuple):
    """A stack instance: the place of one stack of a stack set."""

    account: str
    region: str


@dataclass(frozen=True)
class SelfManaged:
    """Accounts in which roles of the customer's own let StackSets work.

    Raises OperatingError when made without accounts, or with what is none.
    """

    accounts: tuple[str, ...]
    administration_role_arn: str = ""
    execution_role_name: str = ""

    def __post_init__(self) -> None:
        _check("account", self.accounts, ACCOUNT)
        if not self.accounts:
            raise OperatingError("No account is named.", "Name some with --accounts, or an --ou.")
        if not re.fullmatch(f"|{ROLE_ARN}", self.administration_role_arn):
            raise OperatingError(
                "The administration role's ARN is none of a role.",
                "Give one like arn:aws:iam::111122223333:role/NAME.",
            )
        if not re.fullmatch(f"|{ROLE_NAME}", self.execution_role_name):
            raise OperatingError(
                "The execution role's name is none of a role.",
                "Give its name alone, without ARN and path.",
            )


@dataclass(frozen=True)
class ServiceManaged:
    """Accounts of organizational units, in which StackSets makes its roles itself.

    With a filter the accounts are those of the units that are meant, or that are not; without,
    there are none. `auto_deployment` and `retain_stacks` None: as they are, at first off. Raises
    OperatingError when made with what cannot be.
    """

    units: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    account_filter: AccountFilter | None = None
    call_as: CallAs = "SELF"
    auto_deployment: bool | None = None
    retain_stacks: bool | None = None

    def __post_init__(self) -> None:
        _check("organizational unit", self.units, UNIT)
        _check("account", self.accounts, ACCOUNT)
        if not 1 <= len(self.units) <= MOST_UNITS:
            raise OperatingError(
                f"{len(self.units)} organizational units are named; an operation takes 1 to"
                f" {MOST_UNITS}.",
                "Name one above them all, or roll out to some of them at a time.",
            )
        if bool(self.accounts) != bool(self.account_filter):
            raise OperatingError(
                "A filter of accounts goes with accounts, and they with it.", "Give both or none."
            )


Targets: TypeAlias = SelfManaged | ServiceManaged


@dataclass(frozen=True)
class Block:
    """Each of these accounts in each of these regions, which is what one operation takes."""

    accounts: tuple[str, ...]
    regions: tuple[str, ...]

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every stack instance of it."""
        return tuple(Instance(each, region) for each in self.accounts for region in self.regions)


def blocks(instances: Iterable[Instance]) -> tuple[Block, ...]:
    """Partition instances into blocks, and into few: accounts of the same regions together, or
    regions of the same accounts, whichever gives fewer.
    """
    found = set(instances)
    one = [Block(a, r) for r, a in _grouped(found, lambda each: each)]
    other = [Block(a, r) for a, r in _grouped(found, lambda each: (each[1], each[0]))]
    return tuple(one if len(one) <= len(other) else other)


def _grouped(
    instances: Iterable[Instance], turned: Callable[[Instance], tuple[str, str]]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return pairs of second halves and the first halves that have exactly these, sorted."""
    halves: dict[str, set[str]] = {}
    for first, second in map(turned, instances):
        halves.setdefault(first, set()).add(second)
    groups: dict[tuple[str, ...], list[str]] = {}
    for first in sorted(halves):
        groups.setdefault(tuple(sorted(halves[first])), []).append(first)
    return [(seconds, tuple(firsts)) for seconds, firsts in groups.items()]


def _check(kind: str, values: tuple[str, ...], pattern: str) -> None:
    for each in values:
        if not re.fullmatch(pattern, each):
            raise OperatingError(f"{each[:80]!r} is no {kind}.", f"Name an AWS {kind} by its id.")
    if len(set(values)) < len(values):
        raise OperatingError(f"An {kind} is named twice.", "Name each one once.")


def check_regions(regions: tuple[str, ...]) -> None:
    """Raise OperatingError unless these are names of regions, one at least, none twice."""
    if not regions:
        raise OperatingError("No region is named.", "Name some with --regions.")
    for each in regions:
        if not re.fullmatch(REGION, each):
            raise OperatingError(f"{each[:80]!r} is no region.", "Name one like eu-west-1.")
    if len(set(regions)) < len(regions):
        raise OperatingError("A region is named twice.", "Name each one once.")
