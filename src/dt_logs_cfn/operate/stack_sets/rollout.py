"""A roll-out by a CloudFormation StackSet, as it is asked for; checked when it is made; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.overrides import Row
from dt_logs_cfn.operate.stack_sets.targets import Targets, check_regions
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.template.declared import check_given

_NAME = "[A-Za-z][A-Za-z0-9-]{0,127}"


@dataclass(frozen=True)
class Amount:
    """A number of accounts a region, or a percentage of them."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


@dataclass(frozen=True)
class Preferences:
    """How an operation goes about its instances; None is AWS's own default.

    AWS stops a region at the first failure, and does one account at a time, unless told otherwise
    [CloudFormation API, StackSetOperationPreferences]. Raises OperatingError for what cannot be.
    """

    failure_tolerance: Amount | None = None
    max_concurrent: Amount | None = None
    region_concurrency: Literal["SEQUENTIAL", "PARALLEL"] | None = None
    concurrency_mode: Literal["STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"] | None = None

    def __post_init__(self) -> None:
        for each, least in ((self.failure_tolerance, 0), (self.max_concurrent, 1)):
            if each and not least <= each.number <= (100 if each.percent else 1_000_000):
                raise OperatingError(f"{each} is no number of accounts.", "Give one like 5 or 10%.")


@dataclass(frozen=True)
class Rollout:
    """What is asked for: a stack set, and one stack of it in each target and region.

    Regions are worked through in their order. Parameters and tags that are not given stay as they
    are. Raises OperatingError when made with what cannot be.
    """

    name: str
    template: Template
    parameters: Mapping[str, str]
    targets: Targets
    regions: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    tags: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(_NAME, self.name):
            raise OperatingError(
                f"{self.name[:80]!r} is no name of a stack set.",
                "Use letters, digits and hyphens, 128 at most, a letter first.",
            )
        check_regions(self.regions)
        check_given(self.template.parameters, self.parameters)
