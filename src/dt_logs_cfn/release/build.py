"""Build all files of a vendor's release in memory, from the settings and any customization.

The same input gives the same bytes on every machine; clock, paths and environment do not matter. So
a customer can rebuild a release and compare every byte.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.pages import launch
from dt_logs_cfn.release.pipelines import pipeline_files
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template import customizing, embedding
from dt_logs_cfn.template.customizing import Customize, Templates
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_cfn.template.templates import TemplateKind

MANIFEST = "manifest.json"
CHECKSUMS = "SHA256SUMS"
STACK_TEMPLATES = {
    Privileges.LEAST_PRIVILEGE: "dt-logs-analysis.template.json",
    Privileges.DOCUMENTED: "dt-logs-analysis-documented.template.json",
}
_NAMES = {
    **{TemplateKind(each.value): name for each, name in STACK_TEMPLATES.items()},
    TemplateKind.SERVICE_ROLE: "cloudformation-role.template.json",
}

# The vendor's settings. In a checkout, `release.cfg` in the top folder is a link to this file.
_SETTINGS = Path(__file__).parents[1] / "release.cfg"

# The limit of CreateStack's TemplateBody; CloudFormation reads a larger template only from S3.
TEMPLATE_LIMIT = 51_200


@dataclass(frozen=True)
class Release:
    """The files of one version, by their POSIX names inside its folder.

    `warnings` are sentences about problems that need attention soon. `customized_by` names the
    function that changed the templates, as MODULE:FUNCTION, or is empty.
    """

    version: str
    files: Mapping[str, bytes]
    warnings: tuple[str, ...] = ()
    customized_by: str = ""

    @property
    def sha256(self) -> str:
        """The SHA-256 of SHA256SUMS, which covers every other file."""
        return sha256(self.files[CHECKSUMS])

    @property
    def templates(self) -> dict[str, str]:
        """The text of each CloudFormation template, by file name.

        >>> [*build_release(Settings()).templates][0]
        'dt-logs-analysis.template.json'
        """
        return {name: self.files[name].decode() for name in _NAMES.values()}


def build_release(settings: Settings, customize: Customize | None = None) -> Release:
    """Build every file of a release, in memory.

    `customize` is called with each template (a `troposphere.Template`) and its `TemplateKind`. It
    may add resources, outputs, parameters, conditions and tags, and add policy statements to the
    service role. It may change the Lambda function, but not the function's code, handler or role.
    docs/library.md lists all that `customize` may change. `customize` runs twice for each template.
    If it changes a template, the release records the name of `customize`.

    Repeatable: equal arguments give equal bytes. Raises BuildError if a template is larger than the
    51,200 bytes that CloudFormation accepts directly, or if `customize` fails or makes a forbidden
    change.

    >>> release = build_release(Settings((Vendor("aws", "111122223333"),)))
    >>> len(release.files["dt-logs-analysis.template.json"]) < 51_200
    True
    >>> def name_the_function(template, kind):
    ...     if kind is not TemplateKind.SERVICE_ROLE:
    ...         template.resources["DTLogsAnalysisLambdaFunction"].FunctionName = "alb-logs"
    >>> build_release(Settings(), name_the_function).customized_by.endswith("name_the_function")
    True
    """
    templates = {kind: customizing.built(settings, kind, customize) for kind in _NAMES}
    ours = {kind: customizing.built(settings, kind) for kind in _NAMES} if customize else templates
    changes = customizing.customization(templates, ours)
    by = changes.by if changes else ""
    texts = {_NAMES[kind]: _text(kind, each) for kind, each in templates.items()}
    files = {
        **texts,
        **_policies(templates, ours),
        "handler.zip": embedding.handler_zip(),
        **pipeline_files(
            templates[TemplateKind.LEAST_PRIVILEGE], templates[TemplateKind.DOCUMENTED]
        ),
    }
    contents = launch.Contents(settings, {**files}, _NAMES, changes)
    files["index.html"] = launch.page(contents).encode()
    files[MANIFEST] = _json(_manifest(files, by))
    sums = (f"{sha256(content)}  {name}\n" for name, content in sorted(files.items()))
    files[CHECKSUMS] = "".join(sums).encode()
    return Release(__version__, files, size_warnings(texts, settings, by), by)


def installed_settings() -> Settings:
    """Return the settings in the package's `release.cfg`. Raises SettingsError."""
    return Settings.load(_SETTINGS)


@cache
def installed_templates(customize: Customize | None = None) -> Mapping[str, str]:
    """Return the templates built with the installed settings, by file name.

    Raises SettingsError, and BuildError as `build_release` does.
    """
    return build_release(installed_settings(), customize).templates


def sha256(content: bytes) -> str:
    """Return the SHA-256 of some content in hexadecimal, as in SHA256SUMS."""
    return hashlib.sha256(content).hexdigest()


def size_warnings(
    templates: Mapping[str, bytes], settings: Settings, by: str = ""
) -> tuple[str, ...]:
    """Return a sentence for each template that is larger than 90 % of CloudFormation's limit.

    `by` names the function that customized the templates, if any. Raises BuildError if a template
    exceeds the limit.
    """
    warnings = []
    for name, content in templates.items():
        size = len(content)
        if size > TEMPLATE_LIMIT:
            raise BuildError(
                f"{name} has {size:,} bytes; CloudFormation accepts {TEMPLATE_LIMIT:,} directly.",
                _what_to_shorten(content, settings, size - TEMPLATE_LIMIT, by),
            )
        if size > TEMPLATE_LIMIT * 9 // 10:
            warnings.append(f"{name} has {size:,} bytes of {TEMPLATE_LIMIT:,}, over 90 %.")
    return tuple(warnings)


def _what_to_shorten(template: bytes, settings: Settings, excess: int, by: str) -> str:
    """Say what to shorten: the setting that takes the most space.

    If all settings together take less than the excess, name other parts instead.
    """
    places = {
        text: (name, vendor.partition)
        for vendor in settings.vendors
        for name, text in vendor.to_metadata().items()
    }
    taken = {text: template.count(json.dumps(text).encode()) * len(text) for text in places}
    if sum(taken.values()) < excess:
        return f"Shorten {f'what {by} adds' if by else 'the handler or descriptions'}."
    longest = max(taken, key=taken.__getitem__)
    name, of = places[longest]
    return f"Shorten {name} of partition {of} in release.cfg: it has {len(longest):,} characters."


def _text(kind: TemplateKind, template: Mapping[str, Any]) -> bytes:
    """Return a template as published. A stack template has long lines, because it must be small."""
    if kind is TemplateKind.SERVICE_ROLE:
        return canonical.dumps(template).encode()
    return canonical.dumps(template, indentation="", width=240).encode()


def _policies(templates: Templates, ours: Templates) -> dict[str, bytes]:
    """Return the policy files; the lifecycle policy includes a customization's statements."""
    documents = {name: policy_document(name) for name in POLICY_NAMES}
    role = TemplateKind.SERVICE_ROLE
    documents["cloudformation-role-lifecycle"]["Statement"] += customizing.added_service_statements(
        templates[role], ours[role]
    )
    return {f"policies/{name}.json": _json(each) for name, each in documents.items()}


def _manifest(files: Mapping[str, bytes], by: str) -> dict[str, object]:
    return {
        "version": __version__,
        **({"customized_by": by} if by else {}),
        "handler": {"sha256": embedding.handler_sha256()},
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content)}
            for name, content in sorted(files.items())
        },
    }


def _json(value: object) -> bytes:
    return canonical.dumps(value).encode()
