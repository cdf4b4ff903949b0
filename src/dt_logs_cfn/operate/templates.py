"""Load the template to deploy: the installed version's, or a verified one from a folder or URL."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.release.build import STACK_TEMPLATES, TEMPLATE_LIMIT, installed_templates
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.parsing import LIMIT, decoded, parse_template, read_template
from dt_logs_cfn.verify.fetching import fetch, shown_url
from dt_logs_cfn.verify.rebuild import verify_template
from dt_logs_handler.documents import Json

_MOST = 5  # the most differences to name


@dataclass(frozen=True)
class Template:
    """A template's text, which is sent to AWS, and a description of its source."""

    text: str
    description: str = ""

    @property
    def sha256(self) -> str:
        """The text's SHA-256 digest in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def document(self) -> dict[str, Json]:
        """The template as JSON values. Raises VerifyError if the text is not a template."""
        return parse_template(self.text)


def requested(
    template: Template, given: Mapping[str, str], kept: Iterable[str], tags: Mapping[str, str]
) -> dict[str, object]:
    """Return the fields that the requests for a change set and for a stack set share.

    The parameters in `kept` keep their values. Tags, if given, replace all earlier ones.
    """
    found: dict[str, object] = {
        "TemplateBody": template.text,
        "Parameters": [
            *({"ParameterKey": name, "ParameterValue": given[name]} for name in sorted(given)),
            *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
        ],
        # The template creates a role, and names it if a parameter gives a name.
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }
    if tags:
        found["Tags"] = [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
    return found


def from_installed(privileges: Privileges) -> Template:
    """Return a template that the installed version builds. Raises SettingsError, BuildError."""
    text = installed_templates()[STACK_TEMPLATES[privileges]]
    return Template(text, f"release {__version__}, {privileges.value}, from the installed version")


def from_release(folder: Path, privileges: Privileges) -> Template:
    """Return a verified template of a release on disk. Raises VerifyError, OperatingError."""
    path = folder / STACK_TEMPLATES[privileges]
    if not path.exists():
        inner = folder / __version__
        raise OperatingError(
            f"{folder} has no {path.name}, so it is not the folder of a release.",
            f"Give {inner}." if inner.is_dir() else "Give the folder that has the templates.",
        )
    return _verified(read_template(path), str(path), privileges)


def from_url(url: str, privileges: Privileges | None) -> Template:
    """Return the verified template at a URL. Raises FetchError, VerifyError, OperatingError.

    We send CloudFormation the verified text, not the URL, because the file at the URL may change.
    """
    text = decoded(fetch(url, LIMIT), shown_url(url))
    return _verified(text, shown_url(url), privileges)


def _verified(text: str, where: str, privileges: Privileges | None) -> Template:
    verdict = verify_template(text)
    if not verdict.identical:
        listed = ", ".join(verdict.differences[:_MOST])
        more = len(verdict.differences) - _MOST
        raise OperatingError(
            f"{where} differs from the template that this release builds: {listed}"
            f"{f', and {more} more' if more > 0 else ''}.",
            "Deploy a template of this release, or use the template's own release.",
        )
    found = verdict.origin.privileges
    if found is None:
        raise OperatingError(
            f"{where} is the service role's template.", "Give the template of the stack."
        )
    if privileges is not None and found is not privileges:
        raise OperatingError(
            f"{where} has {found.value} privileges, not {privileges.value}.",
            "Omit --privileges, or give the other template.",
        )
    # Verification ignores white space; CloudFormation's size limit counts it.
    fits = len(text.encode()) <= TEMPLATE_LIMIT
    body = text if fits else canonical.dumps(parse_template(text), indentation="")
    return Template(body, f"release {verdict.origin.version}, {found.value}, {where}")
