"""What a vendor sets for its releases, read from `release.cfg`: itself, and the function.

An unset value stays a parameter that the customer must fill in.
"""

import configparser
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from dt_logs_cfn.cli.terminal import cut
from dt_logs_cfn.errors import SettingsError
from dt_logs_cfn.function_settings import FunctionSettings
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


@dataclass(frozen=True)
class Vendor:
    """A vendor's settings in one partition; an empty value is unset.

    `notification_endpoint` is an https URL or the ARN of an SQS queue, `base_url` is where the
    releases are published. Raises SettingsError for an invalid value.

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
class Settings:
    """What a release is built with: at most one vendor for each partition, and the function.

    Raises SettingsError if a partition comes twice.

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
        given = (vendor for vendor in self.vendors if vendor.is_set)
        object.__setattr__(self, "vendors", tuple(sorted(given, key=lambda each: each.partition)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Settings":
        """Read a `release.cfg`: a section for each partition, and `[function]`.

        Raises SettingsError if the file cannot be read or has an invalid value.
        """
        parser = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            parser.read_string(Path(path).read_text(encoding="utf-8-sig"), os.fspath(path))
        except OSError as error:
            raise SettingsError(
                f"{path} cannot be read: {error.strerror or error}.",
                "Name a file that you may read.",
            ) from error
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path} is no configuration file: {str(error).splitlines()[0]}.",
                f"Give it sections ({', '.join(PARTITIONS)}) with lines of `name = value`.",
            ) from error
        return cls._of((name, dict(parser[name])) for name in parser.sections())

    @classmethod
    def from_metadata(cls, value: object) -> "Settings":
        """Check what `to_metadata` returned; it may have been edited since.

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
        """Return a partition's settings, which may be empty."""
        for vendor in self.vendors:
            if vendor.partition == partition:
                return vendor
        return Vendor(partition)

    @property
    def default(self) -> Vendor | None:
        """The vendor whose account and endpoint become the parameters' defaults.

        A parameter has one default for all partitions, but an account and a queue belong to one. So
        there is a default only if exactly one partition sets them.
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
    return FunctionSettings.parse(values)


def _shown(value: object) -> str:
    return cut(repr(value), 80)
