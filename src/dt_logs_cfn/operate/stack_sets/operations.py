"""A CloudFormation StackSet: what there is of it, and the operations that change it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dt_logs_cfn.operate.stack_sets.overrides import Values
from dt_logs_cfn.operate.stack_sets.targets import Block, Instance


@dataclass(frozen=True)
class PresentInstance:
    """A stack instance as AWS tells of it; overrides None: nobody asked for them."""

    status: str
    overrides: Values | None = None


@dataclass(frozen=True)
class PresentStackSet:
    """A stack set as AWS tells of it."""

    template: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    permission_model: str = "SELF_MANAGED"
    administration_role_arn: str = ""
    execution_role_name: str = ""
    auto_deployment: bool = False
    retain_stacks: bool = False


@dataclass(frozen=True)
class Present:
    """What there is: the accounts that the targets come to now, the stack set, its instances."""

    accounts: tuple[str, ...]
    stack_set: PresentStackSet | None = None
    instances: Mapping[Instance, PresentInstance] = field(default_factory=dict)


@dataclass(frozen=True)
class CreateStackSet:
    """Make the stack set, without any stack."""

    parameters: Values


@dataclass(frozen=True)
class UpdateStackSet:
    """Change the stack set and each of its stacks, whether they are targets or not.

    `kept` are parameters that keep their values, `regions` the order of all that it is in, if the
    roll-out names them; `reasons` say what differs; `stacks` is how many there are.
    """

    parameters: Values
    kept: tuple[str, ...]
    regions: tuple[str, ...]
    reasons: tuple[str, ...]
    stacks: int


@dataclass(frozen=True)
class CreateInstances:
    """Make stacks; `whole` if the block is all that the targets come to."""

    block: Block
    overrides: Values
    whole: bool


@dataclass(frozen=True)
class UpdateInstances:
    """Change the overrides of stacks; `whole` if the block is all that the targets come to."""

    block: Block
    overrides: Values
    whole: bool


Operation: TypeAlias = CreateStackSet | UpdateStackSet | CreateInstances | UpdateInstances
