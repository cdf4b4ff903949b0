"""Describe a requested stack, its changes, and the load balancers that it drops; pure.

Another client may have written a stack's strings. So they are shown without control characters, and
addresses in them only up to the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import changes, printable, shown_text, shown_value
from dt_logs_cfn.diff import compare_templates
from dt_logs_cfn.diff.change import Level
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stacks.stack import (
    LOAD_BALANCERS,
    Existing,
    StackDescription,
    TemplateJson,
    listed,
)
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.operate.values import check, check_place
from dt_logs_cfn.template.intrinsics import ResolvedTemplate, declared, split
from dt_logs_cfn.template.parsing import statements_in
from dt_logs_handler.documents import Json, texts
from dt_logs_handler.names import EVERY_LOAD_BALANCER, Stack, load_balancer_name
from dt_logs_handler.request import Request

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef as ResourceChange

# Differences of these kinds do not change the stack, so CloudFormation does not see them.
_WORDS = frozenset(("condition", "parameter", "rule", "setting", "text", "version"))
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


@dataclass(frozen=True)
class Dropped:
    """The load balancers that an update drops; `unnamed` is true if they cannot be listed.

    `stops` holds the load balancers whose access logging stops, or None if that is unknown.
    """

    arns: tuple[str, ...] = ()
    unnamed: bool = False
    stops: frozenset[str] | None = None

    def __bool__(self) -> bool:
        return bool(self.arns) or self.unnamed

    def lines(self) -> Iterator[str]:
        """Yield the lines of a warning that names any dropped load balancers."""
        if not self:
            return
        stops = ", and the access logging that the stack turned on stops"
        yield (
            "These load balancers leave the stack. Data Theorem no longer gets their logs"
            f"{stops if self.stops is None else ''}:"
        )
        for arn in self.arns:
            effect = "stops" if arn in (self.stops or ()) else "does not change"
            logging = "" if self.stops is None else f": its access logging {effect}"
            yield f"  {load_balancer_name(arn)}{logging}"
        if self.unnamed:
            yield "  every other load balancer in this region (you are not allowed to list them)"

    def data(self) -> list[dict[str, object]]:
        """Return the dropped load balancers as data for programs."""
        return [
            {
                "load_balancer": arn,
                "logging_stops": None if self.stops is None else arn in self.stops,
            }
            for arn in self.arns
        ]


@dataclass(frozen=True)
class Deployment:
    """A requested stack. Parameters, tags and a role that are not given remain unchanged.

    `here` stands for the account and region; `before` is the stack to update.
    """

    name: str
    here: Stack
    template: Template
    given: Mapping[str, str] = field(default_factory=dict)  # parameters
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    before: Existing | None = None

    @property
    def stack(self) -> StackDescription | None:
        """The stack's present state; None for a new stack."""
        return self.before.stack if self.before else None

    @cached_property
    def values(self) -> dict[str, str]:
        """All parameter values. Raises UsageError or OperatingError for wrong or missing values."""
        kept = self.stack.parameters if self.stack else {}
        values = check(self.template.document, self.given, kept)
        check_place(self.given.get(LOAD_BALANCERS, ""), self.here)
        return values

    @property
    def kept(self) -> list[str]:
        """The parameters that keep their present values."""
        known = self.stack.parameters if self.stack else {}
        return [name for name in self.values if name in known and name not in self.given]

    @property
    def all_tags(self) -> dict[str, str]:
        """All tags of the stack after the deployment."""
        return {**(self.stack.tags if self.stack else {}), **self.tags}

    def check(self) -> None:
        """Raise UsageError or OperatingError if CloudFormation or the handler refuses a value."""
        asked.creation(self.template.document, self.values, (self.stack or self.here).id, 0)

    def request(self, now: float) -> Request:
        """Return the request that the handler would receive; `now` is in seconds since 1970.

        Raises UsageError or OperatingError if CloudFormation or the handler refuses a value.
        """
        if self.before is None:
            return asked.creation(self.template.document, self.values, self.here.id, now)
        return asked.update(self.template.document, self.values, self.before, now)

    def dropped(self, present: Callable[[], Iterable[str]]) -> Dropped:
        """Return the dropped load balancers; `present` lists all load balancers that `*` covers."""
        named = self.stack.load_balancers if self.stack else []
        kept = listed(self.values[LOAD_BALANCERS])
        if EVERY_LOAD_BALANCER in kept:
            return Dropped()
        if EVERY_LOAD_BALANCER not in named:
            return Dropped(tuple(arn for arn in named if arn not in kept))
        try:
            return Dropped(tuple(arn for arn in present() if arn not in kept))
        except ClientError:
            return Dropped(unnamed=True)

    def as_change(self) -> PlannedChange | None:
        """Return the changes to the stack itself as one change of a plan, or None without changes.

        Compares the template and the parameters, but not the tags or the role. Raises UsageError or
        OperatingError for wrong or missing values.
        """
        template, subject = self.template.document, f"stack {self.name}"
        if self.before is None:
            resources, stack = template.get("Resources"), ResolvedTemplate(template, self.values)
            made = ", ".join(filter(stack.has, resources)) if isinstance(resources, dict) else ""
            return PlannedChange("CreateStack", subject, (f"+ the stack itself: {made}",))
        parameters = declared(template)
        old, new = (
            {name: _taken(parameters.get(name, {}), value) for name, value in each.items()}
            for each in (self.before.stack.parameters, self.values)
        )
        changed = [f"~ parameter {each}" for each in changes(old, new)]
        found = compare_templates(self.before.template, template)
        # A changed condition may add or remove resources.
        conditions = any((e.kind, e.level) == ("condition", Level.MAJOR) for e in found)
        if not changed and not conditions and all(each.kind in _WORDS for each in found):
            return None
        lines = (*(f"~ template: {shown_text(each.what)}" for each in found), *changed)
        return PlannedChange("UpdateStack", subject, lines)

    def told(self, resources: Sequence[ResourceChange]) -> Iterator[str]:
        """Yield lines that describe the changes that a change set would make."""
        before, template = self.before, self.template.document
        verb = "create" if before is None else "update"
        present = before.stack.role if before else ""
        role = self.role or present or "WARNING: your own permissions, without a service role"
        yield f"{verb} stack {self.name} in account {self.here.account}, {self.here.region}"
        yield printable(f"  template  {self.template.description}")
        yield printable(f"  through   {role}")
        given = (f"{k} = {shown_value(v)}" for k, v in self.values.items() if v)
        tags = before.stack.tags if before else {}
        sections = {
            "Resources": map(_change, resources),
            "Parameters": changes(before.stack.parameters, self.values) if before else given,
            "Tags": changes(tags, self.all_tags),
            "Permissions of the Lambda's role": () if before else _rights(template),
            "Template": template_changes(before.template, template) if before else (),
        }
        for title, section in sections.items():
            if lines := [f"    {printable(each)}" for each in section]:
                yield from (f"  {title}", *lines)


def _taken(parameter: Mapping[str, Json], value: str) -> str:
    found = split(parameter, value)
    return found if isinstance(found, str) else ",".join(found)


def template_changes(old: TemplateJson, new: TemplateJson) -> list[str]:
    """Return the changes from one template to another, in words, the most severe first."""
    return [shown_text(each.what) for each in compare_templates(old, new)]


def _change(found: ResourceChange) -> str:
    """Return a line about a resource's change, with the properties that change."""
    how = {"True": "replaced", "Conditional": "perhaps replaced"}
    replaced = how.get(found.get("Replacement", ""), "")
    targets = [each.get("Target", {}) for each in found.get("Details", ())]
    names = dict.fromkeys(each.get("Name") or each.get("Attribute", "") for each in targets)
    more = "; ".join(filter(None, (replaced, ", ".join(filter(None, names)))))
    sign = "!" if replaced else _SIGNS.get(found.get("Action", ""), "?")
    resource = f"{found.get('LogicalResourceId', '')}  {found.get('ResourceType', '')}"
    return f"{sign} {resource}{f'  ({more})' if more else ''}"


def _rights(template: TemplateJson) -> Iterator[str]:
    """Count the actions in the policies of a template's roles, by service."""
    resources: Any = template.get("Resources", {})
    rights = {
        action
        for role in resources.values()
        if role.get("Type") == "AWS::IAM::Role"
        for _, statement in statements_in(role.get("Properties", {}).get("Policies", []))
        for action in texts(statement.get("Action"))
    }
    services = Counter(each.partition(":")[0] for each in rights)
    yield ", ".join(f"{name}: {count}" for name, count in sorted(services.items()))
    yield "`dt-logs-cfn explain` says what each is for."
