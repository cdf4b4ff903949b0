"""Which properties CloudFormation changes only by replacing the resource, as its schemas say.

The resource provider schemas come with cfn-lint, which takes a second to import.
"""

import re
from functools import cache

_TYPE = re.compile(r"[A-Za-z0-9]{1,64}(::[A-Za-z0-9]{1,64}){2}")


@cache
def create_only(kind: str) -> tuple[tuple[str, ...], ...] | None:
    """Return the properties of a type that a replacement alone changes, as paths; None: not known.

    What is so under conditions only counts as well [CloudFormation CLI user guide, resource type
    schema: createOnlyProperties, conditionalCreateOnlyProperties].
    """
    if not _TYPE.fullmatch(kind):
        return None
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return None
    return tuple(
        tuple(pointer.split("/")[2:])
        for name in ("createOnlyProperties", "conditionalCreateOnlyProperties")
        for pointer in schema.get(name) or ()
    )
