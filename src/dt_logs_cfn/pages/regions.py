"""The regions that a page offers, by partition, and the URLs with which to launch a stack there.

They are listed here, because another version of botocore must not change the page. The command line
can also launch in unlisted regions. The console has a separate host for each region.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from dt_logs_cfn import __version__


@dataclass(frozen=True)
class Partition:
    """An AWS partition: its regions, and the suffix of its console's host names."""

    id: str
    name: str
    console: str
    regions: tuple[tuple[str, str], ...]


PARTITIONS = (
    Partition(
        "aws",
        "AWS (commercial)",
        "console.aws.amazon.com",
        (
            ("af-south-1", "Africa (Cape Town)"),
            ("ap-east-1", "Asia Pacific (Hong Kong)"),
            ("ap-east-2", "Asia Pacific (Taipei)"),
            ("ap-northeast-1", "Asia Pacific (Tokyo)"),
            ("ap-northeast-2", "Asia Pacific (Seoul)"),
            ("ap-northeast-3", "Asia Pacific (Osaka)"),
            ("ap-south-1", "Asia Pacific (Mumbai)"),
            ("ap-south-2", "Asia Pacific (Hyderabad)"),
            ("ap-southeast-1", "Asia Pacific (Singapore)"),
            ("ap-southeast-2", "Asia Pacific (Sydney)"),
            ("ap-southeast-3", "Asia Pacific (Jakarta)"),
            ("ap-southeast-4", "Asia Pacific (Melbourne)"),
            ("ap-southeast-5", "Asia Pacific (Malaysia)"),
            ("ap-southeast-6", "Asia Pacific (New Zealand)"),
            ("ap-southeast-7", "Asia Pacific (Thailand)"),
            ("ca-central-1", "Canada (Central)"),
            ("ca-west-1", "Canada West (Calgary)"),
            ("eu-central-1", "Europe (Frankfurt)"),
            ("eu-central-2", "Europe (Zurich)"),
            ("eu-north-1", "Europe (Stockholm)"),
            ("eu-south-1", "Europe (Milan)"),
            ("eu-south-2", "Europe (Spain)"),
            ("eu-west-1", "Europe (Ireland)"),
            ("eu-west-2", "Europe (London)"),
            ("eu-west-3", "Europe (Paris)"),
            ("il-central-1", "Israel (Tel Aviv)"),
            ("me-central-1", "Middle East (UAE)"),
            ("me-south-1", "Middle East (Bahrain)"),
            ("mx-central-1", "Mexico (Central)"),
            ("sa-east-1", "South America (Sao Paulo)"),
            ("us-east-1", "US East (N. Virginia)"),
            ("us-east-2", "US East (Ohio)"),
            ("us-west-1", "US West (N. California)"),
            ("us-west-2", "US West (Oregon)"),
        ),
    ),
    Partition(
        "aws-us-gov",
        "AWS GovCloud (US)",
        "console.amazonaws-us-gov.com",
        (
            ("us-gov-east-1", "AWS GovCloud (US-East)"),
            ("us-gov-west-1", "AWS GovCloud (US-West)"),
        ),
    ),
    Partition(
        "aws-cn",
        "AWS China",
        "console.amazonaws.cn",
        (
            ("cn-north-1", "China (Beijing)"),
            ("cn-northwest-1", "China (Ningxia)"),
        ),
    ),
    Partition(
        "aws-eusc",
        "AWS European Sovereign Cloud",
        "console.amazonaws-eusc.eu",
        (("eusc-de-east-1", "AWS European Sovereign Cloud (Germany)"),),
    ),
)


def template_url(base_url: str, name: str) -> str:
    """Return a published file's URL; empty if it is not published."""
    return f"{base_url}/{__version__}/{name}" if base_url else ""


def quick_create(
    partition: Partition, region: str, template: str, stack: str, parameters: Mapping[str, str]
) -> str:
    """Return a link to the console's filled-in form; launch.js makes the same link.

    A link cannot set the service role or the capabilities.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stacks-quick-create-links.html
    """
    query = {
        "templateURL": template,
        "stackName": stack,
        **{f"param_{name}": value for name, value in parameters.items()},
    }
    # JavaScript's encodeURIComponent leaves the same characters unescaped.
    filled = urlencode(query, safe="!~*'()", quote_via=quote)
    return f"{console(partition, region)}#/stacks/quickcreate?{filled}"


def console(partition: Partition, region: str) -> str:
    """Return the address of CloudFormation's console in a region."""
    return f"https://{region}.{partition.console}/cloudformation/home?region={region}"
