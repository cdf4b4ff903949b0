"""Read a template's parameters, and resolve their values and CloudFormation's functions.

A function that our templates do not use raises KeyError, so a template cannot use it unnoticed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dt_logs_cfn.template.parsing import mapping
from dt_logs_handler.documents import Json

Declared = Mapping[str, Mapping[str, Json]]

NO_VALUE = object()


def declared(template: Mapping[str, Json]) -> Declared:
    """Return a template's parameters by name."""
    found = mapping(template.get("Parameters"))
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def default(parameter: Mapping[str, Json]) -> str | None:
    """Return a parameter's default, or None if it is required."""
    return str(parameter["Default"]) if "Default" in parameter else None


def complete(
    template: Mapping[str, Json], given: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters' values: those given, otherwise those kept, otherwise the defaults.

    A parameter without any of these is left out.
    """
    known = {**kept, **given}
    values = {name: known.get(name, default(each)) for name, each in declared(template).items()}
    return {name: value for name, value in values.items() if value is not None}


def split(parameter: Mapping[str, Json], value: str) -> list[str] | str:
    """Return a value as CloudFormation passes it on: a list as its items, without outer blanks."""
    if parameter.get("Type") != "CommaDelimitedList":
        return value
    return [each.strip() for each in value.split(",")]


def accepts(parameter: Mapping[str, Any], value: str) -> bool:
    """Return whether a parameter accepts a value; a list's pattern applies to each item."""
    if parameter["Type"] == "Number":
        number = int(value) if re.fullmatch("-?[0-9]{1,18}", value) else None
        return number is not None and (
            parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number)
        )
    if value not in parameter.get("AllowedValues", (value,)):
        return False
    found = split(parameter, value)
    pattern = re.compile(parameter.get("AllowedPattern", "(?s).*"))
    return all(
        pattern.fullmatch(each) and len(each) <= parameter.get("MaxLength", len(each))
        for each in ([found] if isinstance(found, str) else found)
    )


@dataclass(frozen=True)
class ResolvedTemplate:
    """A template with values for its parameters, in a partition, region and account.

    `made` maps the logical IDs of existing resources to their attributes, including `Ref`. `pseudo`
    has the values of pseudo parameters that are not fields of this class.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    partition: str = "aws"
    region: str = "us-east-1"
    account: str = "123456789012"
    made: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pseudo: Mapping[str, str] = field(default_factory=dict)

    def parameter(self, name: str) -> Any:
        declared = self.template["Parameters"][name]
        return split(declared, self.parameters.get(name, str(default(declared))))

    def value(self, node: Any) -> Any:
        """Return a part of the template as CloudFormation resolves it."""
        if isinstance(node, list):
            return [item for each in node if (item := self.value(each)) is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((name, argument),) = node.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self.function(name, argument)
        values = {key: self.value(item) for key, item in node.items()}
        return {key: item for key, item in values.items() if item is not NO_VALUE}

    def function(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self.reference(argument)
            case "Fn::GetAtt", [resource, attribute]:
                return self.made.get(resource, {}).get(attribute, f"<{resource}.{attribute}>")
            case "Fn::If", [condition, yes, no]:
                return self.value(yes if self.condition(condition) else no)
            case "Fn::Join", [str() as delimiter, items]:
                return delimiter.join(self.value(items))
            case "Fn::Split", [str() as delimiter, text]:
                return self.value(text).split(delimiter)
            case "Fn::Sub", str():
                return self.substitute(argument, {})
            case "Fn::Sub", [str() as text, values]:
                return self.substitute(text, self.value(values))
            case "Fn::Equals", [one, other]:
                return self.value(one) == self.value(other)
            case "Fn::Not", [condition]:
                return not self.value(condition)
        raise KeyError(name)

    def reference(self, name: str) -> Any:
        known = {
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::NoValue": NO_VALUE,
            **self.pseudo,
        }
        if name in known:
            return known[name]
        if name in self.template["Resources"]:
            return self.made.get(name, {}).get("Ref", f"<{name}>")
        return self.parameter(name)

    def substitute(self, text: str, values: Mapping[str, str]) -> str:
        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name in values:
                return values[name]
            logical, dot, attribute = name.partition(".")
            if dot:
                return str(self.function("Fn::GetAtt", [logical, attribute]))
            return str(self.reference(name))

        return re.sub(r"\$\{([^}]+)\}", filled, text)

    def condition(self, name: str) -> bool:
        return bool(self.value(self.template["Conditions"][name]))

    def has(self, resource: str) -> bool:
        """Return whether a resource is created: it has no condition, or its condition is true."""
        condition = self.template["Resources"][resource].get("Condition")
        return condition is None or self.condition(condition)

    def properties(self, resource: str) -> Any:
        return self.value(self.template["Resources"][resource].get("Properties", {}))
