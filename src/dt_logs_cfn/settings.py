"""What a vendor sets for its releases, read from `release.cfg`: itself, and the function.

Nothing is invented: what is unset stays a parameter that the customer must fill in.
"""

import configparser
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from dt_logs_cfn.cli.terminal import cut
from dt_logs_cfn.errors import SettingsError
from dt_logs_handler.names import ACCOUNT_ID, HTTPS_URL, QUEUE_ARN
from dt_logs_handler.request import Privileges

__all__ = [
    "DNS_SUFFIXES",
    "PARTITIONS",
    "FunctionSettings",
    "Privileges",
    "Settings",
    "Vendor",
    "partition_of",
]

# How the names of a partition's endpoints end [botocore, endpoints.json].
DNS_SUFFIXES = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-us-gov": "amazonaws.com",
}
PARTITIONS = tuple(DNS_SUFFIXES)

_NAMES = ("vendor_account_id", "notification_endpoint", "base_url")
_FIX = "Correct release.cfg, or leave the value empty."
_FOREIGN = "Take the template from a release."
_FUNCTION = "function"  # the section; no partition is called so
# [CloudWatch Logs API, PutRetentionPolicy: retentionInDays]
_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922),
    *(3288, 3653),
)


@dataclass(frozen=True)
class Vendor:
    """What a vendor has in one partition; an empty value is unset.

    `notification_endpoint` is an https URL or the ARN of an SQS queue, `base_url` is where the
    releases are published. Raises SettingsError for a value that cannot be right.

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
        self._check("vendor_account_id", ACCOUNT_ID, "an AWS account id of 12 digits")
        self._check(
            "notification_endpoint",
            f"{HTTPS_URL}|{queue}",
            f"an https URL or the ARN of a standard SQS queue of partition {self.partition}",
        )
        self._check(
            "base_url",
            r"https://[a-z0-9.-]+(?:/[A-Za-z0-9._-]+)*",
            "an https URL without a slash at its end",
        )

    @property
    def is_set(self) -> bool:
        """Whether any value is set."""
        return self != Vendor(self.partition)

    def _check(self, name: str, pattern: str, kind: str) -> None:
        value: str = getattr(self, name)
        if value and not (len(value) <= 2048 and re.fullmatch(pattern, value)):
            raise SettingsError(
                f"{name} of partition {self.partition} is {_shown(value)}, not {kind}.", _FIX
            )


@dataclass(frozen=True)
class FunctionSettings:
    """How the Lambda function is set up.

    `runtime` is a Python of Lambda's. `memory` is in MB. `timeout` is in seconds; the function
    keeps 30 of them for its answer. `log_retention` is in days, and holds for the least-privilege
    template only: under the documented privileges Lambda makes the log group itself. Raises
    SettingsError for a value that AWS or the handler does not take.

    >>> FunctionSettings(memory=1024).timeout
    900
    """

    runtime: str = "python3.13"
    memory: int = 512
    timeout: int = 900
    log_retention: int = 90

    def __post_init__(self) -> None:
        python = re.fullmatch(r"python3\.1[0-9]", self.runtime)
        self._check("runtime", bool(python), "a Python of Lambda's from python3.10 on")
        self._check("memory", 128 <= self.memory <= 10_240, "128 to 10240 MB")
        self._check("timeout", 60 <= self.timeout <= 900, "60 to 900 seconds")
        days = self.log_retention in _RETENTIONS
        self._check("log_retention", days, f"one of {', '.join(map(str, _RETENTIONS))} days")

    def to_metadata(self) -> dict[str, str]:
        """Return as text what differs from the defaults."""
        usual = FunctionSettings()
        return {k: str(v) for k, v in asdict(self).items() if v != getattr(usual, k)}

    def _check(self, name: str, holds: bool, kind: str) -> None:
        if not holds:
            value = _shown(getattr(self, name))
            raise SettingsError(f"{name} of the function is {value}.", f"Give {kind}.")


@dataclass(frozen=True)
class Settings:
    """What a release is built with: at most one vendor for each partition, and the function.

    Raises SettingsError if a partition comes twice.

    >>> settings = Settings((Vendor("aws", "111122223333"),), FunctionSettings(memory=1024))
    >>> settings.to_metadata()
    {'aws': {'vendor_account_id': '111122223333'}, 'function': {'memory': '1024'}}
    """

    vendors: tuple[Vendor, ...] = ()
    function: FunctionSettings = FunctionSettings()

    def __post_init__(self) -> None:
        partitions = [vendor.partition for vendor in self.vendors]
        if len(set(partitions)) < len(partitions):
            raise SettingsError("The settings name a partition twice.", "Name each one once.")
        given = (vendor for vendor in self.vendors if vendor.is_set)
        object.__setattr__(self, "vendors", tuple(sorted(given, key=lambda each: each.partition)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Settings":
        """Read a `release.cfg`: a section for each partition, and `[function]`.

        Raises SettingsError if the file cannot be read, or has a value that cannot be right.
        """
        parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            parser.read_string(Path(path).read_text(encoding="utf-8"), os.fspath(path))
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read: {error.strerror or error}.",
                "Run in a checkout of the project.",
            ) from error
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path} is no configuration file: {str(error).splitlines()[0]}.",
                f"Give it sections ({', '.join(PARTITIONS)}) with lines of `name = value`.",
            ) from error
        return cls._of((name, dict(parser[name])) for name in parser.sections())

    @classmethod
    def from_metadata(cls, value: object) -> "Settings":
        """Check what `to_metadata` returned, after anybody may have edited it.

        Raises SettingsError.
        """
        if not isinstance(value, dict):
            raise SettingsError("The recorded settings are not an object.", _FOREIGN)
        return cls._of(value.items())

    def to_metadata(self) -> dict[str, dict[str, str]]:
        """Return what is set, by section of `release.cfg`, to be recorded in a template."""
        found = {
            vendor.partition: {
                name: value
                for name, value in asdict(vendor).items()
                if value and name != "partition"
            }
            for vendor in self.vendors
        }
        function = self.function.to_metadata()
        return {**found, _FUNCTION: function} if function else found

    def vendor(self, partition: str) -> Vendor:
        """Return what is set for a partition, which may be nothing."""
        for vendor in self.vendors:
            if vendor.partition == partition:
                return vendor
        return Vendor(partition)

    @property
    def default(self) -> Vendor | None:
        """The vendor whose account and endpoint become the parameters' defaults.

        A parameter has one default for all partitions, but an account and a queue are of one: so
        there is none unless exactly one partition sets them.
        """
        found = [
            vendor
            for vendor in self.vendors
            if vendor.vendor_account_id or vendor.notification_endpoint
        ]
        return found[0] if len(found) == 1 else None

    @classmethod
    def _of(cls, sections: Iterable[tuple[object, object]]) -> "Settings":
        found = [(name, _texts(name, values)) for name, values in sections]
        functions = [_function(values) for name, values in found if name == _FUNCTION]
        vendors = [_vendor(name, values) for name, values in found if name != _FUNCTION]
        return cls(tuple(vendors), *functions)


def partition_of(region: str) -> str:
    """Return the partition of a region, as AWS names its regions."""
    match region.split("-")[:2]:
        case ["cn", _]:
            return "aws-cn"
        case ["eusc", _]:
            return "aws-eusc"
        case ["us", "gov"]:
            return "aws-us-gov"
    return "aws"


def _texts(section: object, values: object) -> Mapping[str, str]:
    """Check that a section's names and values are all text."""
    if not isinstance(values, Mapping) or not all(
        isinstance(text, str) for item in values.items() for text in item
    ):
        raise SettingsError(f"The settings of {_shown(section)} are not all text.", _FOREIGN)
    return values


def _check_names(section: object, values: Mapping[str, str], known: Collection[str]) -> None:
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise SettingsError(
            f"The settings of {_shown(section)} have an unknown {_shown(unknown[0])}.",
            f"Use {', '.join(known)}.",
        )


def _vendor(partition: object, values: Mapping[str, str]) -> Vendor:
    _check_names(partition, values, _NAMES)
    return Vendor(str(partition), **values)


def _function(values: Mapping[str, str]) -> FunctionSettings:
    _check_names(_FUNCTION, values, [each.name for each in fields(FunctionSettings)])
    found: dict[str, Any] = {name: text for name, text in values.items() if text}
    for name in found.keys() - {"runtime"}:
        if not re.fullmatch("[0-9]{1,5}", found[name]):
            raise SettingsError(
                f"{name} of the function is {_shown(found[name])}.", "Give a whole number."
            )
        found[name] = int(found[name])
    return FunctionSettings(**found)


def _shown(value: object) -> str:
    return cut(repr(value), 80)
