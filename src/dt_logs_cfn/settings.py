"""Read and check the settings in `release.cfg`: a vendor for each partition, and the function.

If the account or the endpoint is unset, the customer must give it as a stack parameter.
"""

import configparser
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from dt_logs_cfn.cli.terminal import cut
from dt_logs_cfn.errors import SettingsError
from dt_logs_cfn.files import read_bytes
from dt_logs_handler.names import ACCOUNT_ID, HTTPS_URL, QUEUE_ARN
from dt_logs_handler.request import Privileges as Privileges

# The DNS suffix of each partition's endpoints [botocore, endpoints.json].
DNS_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-us-gov": "amazonaws.com",
}
PARTITIONS = tuple(DNS_SUFFIXES)

# The days for which CloudWatch Logs can keep logs [API, PutRetentionPolicy: retentionInDays].
_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922),
    *(3288, 3653),
)
_FIX = "Correct release.cfg, or leave the value empty."
_FOREIGN = "Take the template from a release."
_FUNCTION = "function"  # a section of release.cfg, not a partition
_SHARED = "all"  # in a template's record, the values that all partitions share


@dataclass(frozen=True)
class FunctionSettings:
    """Settings of the Lambda function.

    `runtime` is one of Lambda's Python runtimes. `memory` is in MB. `timeout` is in seconds;
    the function reserves 30 of them for sending its answer. `log_retention` is in days and applies
    only to the least-privilege template: under the documented privileges, Lambda creates the log
    group. Raises SettingsError for an invalid value.

    >>> FunctionSettings(memory=1024).timeout
    900
    """

    runtime: str = "python3.13"
    memory: int = 512
    timeout: int = 900
    log_retention: int = 90

    def __post_init__(self) -> None:
        python = re.fullmatch(r"python3\.1[0-9]", self.runtime)
        days = f"one of {', '.join(map(str, _RETENTIONS))} days"
        for name, valid, kind in (
            ("runtime", python, "a Python runtime of Lambda, python3.10 or newer"),
            ("memory", 128 <= self.memory <= 10_240, "128 to 10240 MB"),
            ("timeout", 60 <= self.timeout <= 900, "60 to 900 seconds"),
            ("log_retention", self.log_retention in _RETENTIONS, days),
        ):
            if not valid:
                value = _shown(getattr(self, name))
                raise SettingsError(f"{name} of the function is {value}.", f"Give {kind}.")

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> "FunctionSettings":
        """Parse the settings; an empty string means the default. Raises SettingsError."""
        found: dict[str, Any] = {name: text for name, text in values.items() if text}
        for name in found.keys() - {"runtime"}:
            if not re.fullmatch("[0-9]{1,5}", found[name]):
                raise SettingsError(
                    f"{name} of the function is {_shown(found[name])}.", "Give a whole number."
                )
            found[name] = int(found[name])
        return cls(**found)

    def to_metadata(self) -> dict[str, str]:
        """Return the values that differ from the defaults, as text."""
        return _set(self, FunctionSettings())


@dataclass(frozen=True)
class Vendor:
    """A vendor's settings in one partition; an empty value is unset.

    `notification_endpoint` is an https URL or the ARN of an SQS queue. `base_url` is the URL below
    which the releases are published. Raises SettingsError for an invalid value.

    >>> Vendor("aws", "111122223333", "https://logs.example.com/in").vendor_account_id
    '111122223333'
    """

    partition: str
    vendor_account_id: str = ""
    notification_endpoint: str = ""
    base_url: str = ""

    def __post_init__(self) -> None:
        if self.partition not in PARTITIONS:
            raise SettingsError(
                f"The settings name a partition {_shown(self.partition)}.",
                f"Name one of {', '.join(PARTITIONS)}.",
            )
        queue = f"(?=arn:{self.partition}:){QUEUE_ARN}"
        self._check("vendor_account_id", ACCOUNT_ID, "an AWS account ID of 12 digits")
        self._check(
            "notification_endpoint",
            f"{HTTPS_URL}|{queue}",
            f"an https URL or the ARN of a standard SQS queue of partition {self.partition}",
        )
        self._check(
            "base_url",
            r"https://[a-z0-9.-]+(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)*",
            "an https URL without a slash at its end, and without /./ or /../",
        )

    def to_metadata(self) -> dict[str, str]:
        """Return the values that are set."""
        return _set(self, Vendor(self.partition))

    def _check(self, name: str, pattern: str, kind: str) -> None:
        value: str = getattr(self, name)
        if value and not (len(value) <= 2048 and re.fullmatch(pattern, value)):
            raise SettingsError(
                f"{name} of partition {self.partition} is {_shown(value)}, not {kind}.", _FIX
            )


@dataclass(frozen=True)
class Settings:
    """A release's settings: at most one vendor for each partition, and the function.

    Vendors without any value are dropped. Raises SettingsError if two vendors have the same
    partition.

    >>> settings = Settings((Vendor("aws", "111122223333"),), FunctionSettings(memory=1024))
    >>> settings.to_metadata()
    {'aws': {'vendor_account_id': '111122223333'}, 'function': {'memory': '1024'}}
    """

    vendors: tuple[Vendor, ...] = ()
    function: FunctionSettings = field(default_factory=FunctionSettings)

    def __post_init__(self) -> None:
        partitions = [vendor.partition for vendor in self.vendors]
        if len(set(partitions)) < len(partitions):
            raise SettingsError("The settings name a partition twice.", "Name each one once.")
        given = (vendor for vendor in self.vendors if vendor.to_metadata())
        object.__setattr__(self, "vendors", tuple(sorted(given, key=lambda each: each.partition)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Settings":
        """Read a `release.cfg`: a section for each partition, and `[function]`.

        Raises SettingsError if the file cannot be read or has an invalid value.
        """
        return cls._of(read_sections(Path(path), (*PARTITIONS, _FUNCTION)).items())

    @classmethod
    def from_metadata(cls, value: object) -> "Settings":
        """Return the settings from a template's untrusted metadata. Raises SettingsError."""
        if not isinstance(value, dict):
            raise SettingsError("The recorded settings are not an object.", _FOREIGN)
        sections = {**value}
        shared = _checked(_SHARED, sections.pop(_SHARED, {}), Vendor)
        for name in sections.keys() & set(PARTITIONS):
            sections[name] = {**shared, **_checked(name, sections[name], Vendor)}
        return cls._of(sections.items())

    def to_metadata(self) -> dict[str, dict[str, str]]:
        """Return the values that are set, by section of `release.cfg`, to record in a template.

        Values that all partitions share are recorded once, because a template's size is limited.
        """
        found = {vendor.partition: vendor.to_metadata() for vendor in self.vendors}
        if len(found) > 1:
            shared = dict(set.intersection(*(set(each.items()) for each in found.values())))
            for name, values in found.items():
                found[name] = {k: v for k, v in values.items() if k not in shared}
            found = {_SHARED: dict(sorted(shared.items())), **found} if shared else found
        function = self.function.to_metadata()
        return {**found, _FUNCTION: function} if function else found

    def vendor(self, partition: str) -> Vendor:
        """Return a partition's settings, which may be empty."""
        found = (vendor for vendor in self.vendors if vendor.partition == partition)
        return next(found, Vendor(partition))

    @property
    def default(self) -> Vendor | None:
        """The vendor whose account and endpoint become the parameters' defaults, or None.

        A parameter has one default for all partitions, but an account or a queue belongs to one
        partition. So there is a default only if exactly one vendor has an account or an endpoint.
        """
        found = [v for v in self.vendors if v.vendor_account_id or v.notification_endpoint]
        return found[0] if len(found) == 1 else None

    @classmethod
    def _of(cls, sections: Iterable[tuple[object, object]]) -> "Settings":
        vendors, function = [], FunctionSettings()
        for name, values in sections:
            if name == _FUNCTION:
                function = FunctionSettings.parse(_checked(name, values, FunctionSettings))
            else:
                vendors.append(Vendor(str(name), **_checked(name, values, Vendor)))
        return cls(tuple(vendors), function)


def read_sections(
    path: Path, sections: Sequence[str], keep_case: bool = False
) -> dict[str, dict[str, str]]:
    """Read an INI file, and return each section's values by name.

    The values' names are in lower case unless `keep_case`. Raises SettingsError if the file cannot
    be read or parsed; the caller checks names and values. The error may suggest `sections`, but
    does not quote lines, because a line may contain a token.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    if keep_case:
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # documented
    try:
        parser.read_string(read_bytes(path).decode("utf-8-sig"), str(path))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read: {error.strerror or error}.", "Name a file that you can read."
        ) from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} is not a settings file: {_why(error)}.",
            f"Give it sections ({', '.join(sections)}) with lines of `name = value`.",
        ) from error
    return {name: dict(parser[name]) for name in parser.sections()}


def partition_of(region: str) -> str:
    """Return the partition of a region, by the region's name."""
    match region.split("-")[:2]:
        case ["cn", _]:
            return "aws-cn"
        case ["eusc", _]:
            return "aws-eusc"
        case ["us", "gov"]:
            return "aws-us-gov"
    return "aws"


def _set(settings: FunctionSettings | Vendor, unset: FunctionSettings | Vendor) -> dict[str, str]:
    """Return the settings that differ from those of `unset`, as text."""
    usual = asdict(unset)
    return {name: str(each) for name, each in asdict(settings).items() if each != usual[name]}


def _checked(
    section: object, values: object, kind: type[Vendor] | type[FunctionSettings]
) -> Mapping[str, str]:
    """Return a section's values if all are strings with known names. Raises SettingsError."""
    if not isinstance(values, Mapping) or not all(
        isinstance(text, str) for item in values.items() for text in item
    ):
        raise SettingsError(f"The settings of {_shown(section)} are not all text.", _FOREIGN)
    known = [each.name for each in fields(kind) if each.name != "partition"]
    for name in sorted(values.keys() - set(known)):
        raise SettingsError(
            f"The settings of {_shown(section)} have an unknown {_shown(name)}.",
            f"Use {', '.join(known)}.",
        )
    return values


def _why(error: Exception) -> str:
    match error:
        case configparser.MissingSectionHeaderError():
            return f"Line {error.lineno} is not in a section"
        case configparser.ParsingError():
            return f"Line {error.errors[0][0]} cannot be read"
    return str(error).splitlines()[0]


def _shown(value: object) -> str:
    return cut(repr(value), 80)
