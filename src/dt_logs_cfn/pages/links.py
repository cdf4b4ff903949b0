"""Make the URLs for a launch: of a template, and of its form in the console.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stacks-quick-create-links.html
documents the parameters; none sets the service role or the capabilities.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from dt_logs_cfn import __version__
from dt_logs_cfn.pages.regions import Partition


def template_url(base_url: str, name: str) -> str:
    """Return a published file's URL; empty if it is not published."""
    return f"{base_url}/{__version__}/{name}" if base_url else ""


def quick_create(
    partition: Partition, region: str, template: str, stack: str, parameters: Mapping[str, str]
) -> str:
    """Return a link to the console's filled-in form; launch.js makes the same link."""
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
