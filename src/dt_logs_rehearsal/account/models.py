"""botocore's own service models: the operations and their parameters."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.handlers import validate_bucket_name
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.paginate import PaginatorModel
from botocore.validate import ParamValidator

_LOADER = Loader()
_VALIDATOR = ParamValidator()
# Parameters that S3 has added since late 2024; a Lambda runtime's boto3 may not know them.
_NEWER = {"CreateBucketRequest": ("BucketNamespace",), "CreateBucketConfiguration": ("Tags",)}


@cache
def service_model(service: str, old: bool = False) -> ServiceModel:
    """Return botocore's model of a service; if `old`, without S3's newer parameters."""
    document: dict[str, Any] = _LOADER.load_service_model(service, "service-2")
    if old and service == "s3":
        shapes = dict(document["shapes"])
        for name, members in _NEWER.items():
            known = shapes[name]["members"]
            kept = {key: value for key, value in known.items() if key not in members}
            shapes[name] = {**shapes[name], "members": kept}
        document = {**document, "shapes": shapes}
    return ServiceModel(document, service)


@cache
def operations(service: str, old: bool = False) -> Mapping[str, OperationModel]:
    """Return the operations of a service by the names that boto3's clients give them."""
    model = service_model(service, old)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


@cache
def paginators(service: str) -> PaginatorModel:
    """Return botocore's pagination rules for a service's operations."""
    document: Any = _LOADER.load_service_model(service, "paginators-1")
    return PaginatorModel(document)


# A partly emulated operation accepts only parameters that it honours or that are harmless.
_HARMLESS = frozenset(
    ("Bucket", "Key", "ChecksumAlgorithm", "ContentMD5", "ContentType", "ExpectedBucketOwner")
)
_HONOURED = {
    "CreateBucket": ("BucketNamespace", "CreateBucketConfiguration", "ObjectOwnership"),
    "CreateTopic": ("Name", "Attributes", "Tags"),
    "DeleteObject": ("VersionId",),
    "DescribeLoadBalancers": ("LoadBalancerArns", "Marker", "PageSize"),
    "GetObject": (),
    "ListBuckets": ("BucketRegion", "ContinuationToken", "MaxBuckets"),
    "ListObjectsV2": ("ContinuationToken", "FetchOwner", "MaxKeys", "Prefix", "StartAfter"),
    "PutObject": ("Body",),
}


def validate(service: str, operation: OperationModel, params: dict[str, Any]) -> None:
    """Raise ParamValidationError where boto3 would, before anything is sent.

    Raises NotImplementedError for a parameter that would otherwise be ignored silently.
    """
    shape = operation.input_shape
    if shape is not None and (report := _VALIDATOR.validate(params, shape)).has_errors():
        raise ParamValidationError(report=report.generate_report())
    if service == "s3":
        validate_bucket_name(params)
    honoured = _HONOURED.get(operation.name)
    strange = set(params) - _HARMLESS - set(honoured or ())
    if honoured is not None and strange:
        raise NotImplementedError(f"{operation.name}: {', '.join(sorted(strange))}")
