"""Clients that look like boto3's, and call the emulated account."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any

from botocore.model import OperationModel
from botocore.paginate import Paginator

from dt_logs_rehearsal.account import elbv2, small_services
from dt_logs_rehearsal.account.errors import Refused, client_error, metadata
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.models import operations, paginators, service_model, validate
from dt_logs_rehearsal.account.s3 import buckets, notifications, objects, policies, settings
from dt_logs_rehearsal.account.sns import subscriptions, topics
from dt_logs_rehearsal.account.world import Call, Caller, Operation, Operations, Response, World

Hook = Callable[[str, str, Mapping[str, Any]], None]

SERVICES: Mapping[str, tuple[ModuleType, ...]] = {
    "cloudwatch": (small_services,),
    "elbv2": (elbv2,),
    "logs": (small_services,),
    "s3": (buckets, notifications, objects, policies, settings),
    "s3control": (small_services,),
    "sns": (topics, subscriptions),
    "sts": (small_services,),
}


@cache
def answers(service: str) -> Operations:
    """Return a service's functions by operation; they have the names of boto3's methods."""
    return {
        model.name: getattr(module, method)
        for module in SERVICES[service]
        for method, model in operations(service).items()
        if hasattr(module, method)
    }


def no_hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Do nothing: the default for both hooks."""


class Client:
    """A service's client, with boto3's method names, keyword arguments, answers and errors.

    The hook `before` runs before each call with valid parameters, and `after` after each call that
    succeeds; no lock is held meanwhile. If `before` raises, the call does not take effect. If
    `after` raises, the call has taken effect, but appears to have failed.
    """

    def __init__(
        self,
        world: World,
        service: str,
        caller: Caller,
        region: str,
        before: Hook = no_hook,
        after: Hook = no_hook,
        old: bool = False,
    ) -> None:
        model, partition = service_model(service, old), world.partition
        self.meta = SimpleNamespace(service_model=model, region_name=region, partition=partition)
        self._world = world
        self._service = service
        self._caller = caller
        self._before = before
        self._after = after
        self._models = operations(service, old)

    def __getattr__(self, name: str) -> Callable[..., Response]:
        model = self._models.get(name) if not name.startswith("_") else None
        if model is None:
            raise AttributeError(f"{self._service} has no operation {name!r}")
        operation = answers(self._service).get(model.name)
        if operation is None:
            raise NotImplementedError(f"{model.name} of {self._service} is not emulated")
        method = partial(self._call, model, operation)
        setattr(self, name, method)
        return method

    def get_paginator(self, name: str) -> "Paginator[Any]":
        """Return boto3's own paginator; it calls this client."""
        model = self._models[name]
        config = paginators(self._service).get_paginator(model.name)
        return Paginator(getattr(self, name), config, model)

    def _call(self, model: OperationModel, operation: Operation, /, **params: Any) -> Response:
        validate(self._service, model, params)
        self._before(self._service, model.name, params)
        call = Call(self._service, model.name, params, self._caller, self.meta.region_name)
        try:
            with self._world.lock:
                authorise(self._world, call)
                response = operation(self._world, call)
        except Refused as refused:
            raise client_error(model.name, refused) from None
        self._after(self._service, model.name, params)
        return {**response, "ResponseMetadata": metadata(200)}
