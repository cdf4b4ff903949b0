"""Everything that a vendor releases, made in memory from the settings and nothing else.

The same settings give the same bytes on every machine: no clock, no path, no environment. So a
customer who rebuilds a release can compare it byte by byte.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.pages import launch
from dt_logs_cfn.pages.contents import Contents
from dt_logs_cfn.release.pipelines import (
    STACK_SET_PARAMETERS,
    TERRAFORM,
    TERRAFORM_STACK_SET,
    stack_set_parameters,
    terraform,
    terraform_stack_set,
)
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template import embedding
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_cfn.template.templates import service_role_template, stack_template

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
HANDLER_ZIP = "handler.zip"
LAUNCH_PAGE = "index.html"
ROLE_TEMPLATE = "cloudformation-role.template.json"
STACK_TEMPLATES = {
    "dt-logs-analysis.template.json": Privileges.LEAST_PRIVILEGE,
    "dt-logs-analysis-documented.template.json": Privileges.DOCUMENTED,
}

# What CreateStack takes as TemplateBody; a larger one would have to be fetched from S3.
TEMPLATE_LIMIT = 51_200
TEMPLATE_WARNING = TEMPLATE_LIMIT * 9 // 10


@dataclass(frozen=True)
class Release:
    """The files of one version by their names inside its folder, and what to look at soon."""

    version: str
    files: Mapping[str, bytes]
    warnings: tuple[str, ...] = ()


def build_release(settings: Settings) -> Release:
    """Build every file of a release.

    Repeatable: equal settings give equal bytes. Raises BuildError if a template is larger than
    CloudFormation takes directly.
    """
    templates = _templates(settings)
    files = {
        **templates,
        **{f"policies/{name}.json": _json(policy_document(name)) for name in POLICY_NAMES},
        HANDLER_ZIP: embedding.handler_zip(),
        **_for_pipelines(settings),
    }
    names = {kind: name for name, kind in STACK_TEMPLATES.items()}
    files[LAUNCH_PAGE] = launch.page(Contents(settings, {**files}, names, ROLE_TEMPLATE)).encode()
    files[MANIFEST] = _json(_manifest(files))
    files[CHECKSUMS] = _checksums(files)
    return Release(__version__, files, size_warnings(templates, settings))


def size_warnings(templates: Mapping[str, bytes], settings: Settings) -> tuple[str, ...]:
    """Return a sentence for each template that fills over 90 % of what CloudFormation takes.

    Raises BuildError if one is beyond it.
    """
    warnings = []
    for name, content in templates.items():
        size = len(content)
        if size > TEMPLATE_LIMIT:
            raise BuildError(
                f"{name} has {size:,} bytes; CloudFormation takes {TEMPLATE_LIMIT:,} directly.",
                _what_to_shorten(content, settings, size - TEMPLATE_LIMIT),
            )
        if size > TEMPLATE_WARNING:
            warnings.append(f"{name} has {size:,} bytes of {TEMPLATE_LIMIT:,}, over 90 %.")
    return tuple(warnings)


def _what_to_shorten(template: bytes, settings: Settings, excess: int) -> str:
    """Name the setting that takes most of a template, if all settings take at least the excess."""
    vendors = Settings(settings.vendors).to_metadata().items()
    places = {text: (name, of) for of, values in vendors for name, text in values.items()}
    taken = {text: template.count(json.dumps(text).encode()) * len(text) for text in places}
    if sum(taken.values()) < excess:
        return "Shorten the handler or the descriptions."
    longest = max(taken, key=taken.__getitem__)
    name, of = places[longest]
    return f"Shorten {name} of partition {of} in release.cfg: it has {len(longest):,} characters."


def _templates(settings: Settings) -> dict[str, bytes]:
    stacks = {
        name: canonical.dumps(stack_template(settings, kind).to_dict(), indentation="").encode()
        for name, kind in STACK_TEMPLATES.items()
    }
    return {**stacks, ROLE_TEMPLATE: _json(service_role_template(settings).to_dict())}


def _for_pipelines(settings: Settings) -> dict[str, bytes]:
    template = stack_template(settings, Privileges.LEAST_PRIVILEGE).to_dict()
    return {
        TERRAFORM: terraform(template).encode(),
        TERRAFORM_STACK_SET: terraform_stack_set(template).encode(),
        STACK_SET_PARAMETERS: stack_set_parameters(template).encode(),
    }


def _manifest(files: Mapping[str, bytes]) -> dict[str, object]:
    return {
        "version": __version__,
        "handler": {"sha256": embedding.handler_sha256()},
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }


def _checksums(files: Mapping[str, bytes]) -> bytes:
    return "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(files.items())
    ).encode()


def _json(value: object) -> bytes:
    return canonical.dumps(value).encode()
