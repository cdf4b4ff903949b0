"""Make the parts of every policy: actions that awacs knows, ARNs, statements and documents."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from awacs.aws import Action, Allow, Condition, PolicyDocument, Statement
from troposphere import Sub, encode_to_dict

from dt_logs_cfn.template.parsing import JsonPath, children, mappings, strings
from dt_logs_handler.documents import Json, listed

# A string, a troposphere function that resolves to one, or a list; troposphere does not ship types.
Resource = Any

EVERYTHING = ("*",)
_EFFECT = re.compile(r'"Effect"\s*:')  # in JSON, only policy statements have this key


@dataclass(frozen=True)
class PolicyTarget:
    """The place where a policy applies; `text` turns a string with placeholders into a value."""

    partition: str
    region: str
    account: str
    text: Callable[[str], Resource] = str

    def arn(self, service: str, resource: str) -> Resource:
        """Return an ARN, with a region and an account if the service's ARNs have them."""
        scopes = {"s3": ":", "iam": f":{self.account}"}
        scope = scopes.get(service, f"{self.region}:{self.account}")
        return self.text(f"arn:{self.partition}:{service}:{scope}:{resource}")


# CloudFormation fills in the stack's values.
STACK = PolicyTarget("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", Sub)


def allow(
    names: Iterable[str],
    on: Resource,
    condition: Condition | None = None,
    sid: str = "",
) -> Statement:
    """Return a statement that allows actions like `s3:GetObject` on resources.

    A typo fails the build: an action that awacs does not know raises AttributeError, and an unknown
    service raises ImportError.
    """
    optional = {"Condition": condition, "Sid": sid}
    return Statement(
        Effect=Allow,
        Action=[_action(name) for name in names],
        Resource=[*on] if isinstance(on, list | tuple) else on,
        **{name: value for name, value in optional.items() if value},
    )


class CompactPolicy(PolicyDocument):
    """A policy document that writes an Action or Resource of one item without a list."""

    def JSONrepr(self) -> dict[str, Any]:
        """Return the document as plain data."""
        policy: dict[str, Any] = encode_to_dict(super().JSONrepr())
        for _, statement in statements_in(policy):
            for name in ("Action", "Resource"):
                value = statement.get(name)
                if isinstance(value, list) and len(value) == 1:
                    statement[name] = value[0]
        return policy


def statements_in(value: Json) -> Iterator[tuple[JsonPath, dict[str, Json]]]:
    """Yield each policy statement in a value, even below an `Fn::If`, with its path."""
    return ((path, found) for path, found in mappings(value) if "Effect" in found)


def policy_texts(value: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Json]]:
    """Yield each policy written as text, plain or in a function like `Fn::Sub`, with its path."""
    for key, item in children(value):
        place = (*path, key)
        if key != "ZipFile" and _is_text(item) and any(_EFFECT.search(t) for _, t in strings(item)):
            yield place, item
        else:
            yield from policy_texts(item, place)


def managed_policies(template: Mapping[str, Json], value: Json) -> Iterator[tuple[JsonPath, Json]]:
    """Yield each managed policy that a value attaches, with the path to the list that names it.

    Policies that are resources of the template are left out, because the template has their
    statements.
    """
    own = [{"Ref": name} for name, _ in children(template.get("Resources"))]
    for path, found in mappings(value):
        for each in listed(found.get("ManagedPolicyArns")):
            if each not in own:
                yield (*path, "ManagedPolicyArns"), each


def document(statements: Iterable[Statement]) -> PolicyDocument:
    """Return a policy document of these statements."""
    return CompactPolicy(Version="2012-10-17", Statement=list(statements))


def plain(policy: PolicyDocument) -> dict[str, Any]:
    """Return a policy document as plain data."""
    data: dict[str, Any] = encode_to_dict(policy)
    return data


def _is_text(value: Json) -> bool:
    """Return whether a value is a string or a function that returns one, except `Fn::If`."""
    if isinstance(value, dict):
        return len(value) == 1 and any(k != "Fn::If" and k.startswith("Fn::") for k in value)
    return isinstance(value, str)


def _action(name: str) -> Action:
    service, _, verb = name.partition(":")
    module = "awslambda" if service == "lambda" else service
    known = import_module(f"awacs.{module}")
    found: Action = known.Action(verb) if verb == "*" else getattr(known, verb)
    return found
