"""Check whether a template from any source equals the one that this release would build.

The template's Metadata records its origin. We rebuild the template from that record, and compare
the whole template. We do not trust the template: the result shows what it records, sizes are
limited, and its code is unpacked and read, but never run. We do not import anything that the
template names. To verify a customized template, pass the callable.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.terminal import shown_ascii
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding, templates
from dt_logs_cfn.template.customizing import Customize, built
from dt_logs_cfn.template.parsing import differences, parse_template
from dt_logs_cfn.template.templates import Origin, origin
from dt_logs_handler.documents import Json

_CODE = ("Resources", templates.FUNCTION, "Properties", "Code", "ZipFile")


@dataclass(frozen=True)
class Verdict:
    """A template's recorded origin, and its differences from a rebuild of that origin.

    A difference names a path into the template, or a file of the handler, and then says "added",
    "missing" or "changed". It can also say that the handler is packed differently.

    >>> Verdict(Origin("0.1.0", Settings(), None), ("Outputs/RoleArn missing",)).identical
    False
    """

    origin: Origin
    differences: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """True if the template equals the one that this release would build."""
        return not self.differences


def verify_template(text: str, customize: Customize | None = None) -> Verdict:
    """Compare a template's text with this release, built from the template's own settings.

    `customize` is the callable that the release was built with, if any. With it, a genuine template
    is identical; without it, the differences are the callable's changes. Nothing that the template
    names is imported or run. White space and the order of keys do not count, as in CloudFormation.

    Raises VerifyError or SettingsError if the text is not one of our templates, or is from another
    release, and BuildError if `customize` fails or makes a forbidden change.

    >>> release = build_release(Settings())
    >>> text = release.templates["dt-logs-analysis.template.json"]
    >>> verify_template(text).identical
    True
    >>> verify_template(text.replace('"MemorySize":512', '"MemorySize":128')).differences
    ('Resources/DTLogsAnalysisLambdaFunction/Properties/MemorySize changed',)
    """
    found = parse_template(text)
    source = origin(found)
    if source.version != __version__:
        raise VerifyError(
            f"The template is from release {shown_ascii(source.version)}, not {__version__}.",
            "Verify it with that release.",
        )
    # Copy the template's claim about its customization: the claim proves nothing, so it is not a
    # difference if the caller passes the callable.
    again = built(source.settings, source.kind, customize, source.customized_by)
    return Verdict(source, tuple(_differences(found, again)))


def handler_sources(text: str) -> dict[str, bytes]:
    """Return the sources of the handler in a template, by name, without running anything.

    Raises VerifyError if the handler is missing or damaged.
    """
    code = _code(parse_template(text))
    if code is None:
        raise VerifyError("The template does not contain a handler.", "Give a template of a stack.")
    return embedding.unpack(embedding.extract(code))


def handler_differences(archive: bytes) -> tuple[str, ...]:
    """Return how a handler.zip's files differ from those of this release, without running them.

    Raises VerifyError for a zip that no release could contain.
    """
    found, ours = (
        {name: content.decode() for name, content in files.items()}
        for files in (embedding.unpack(archive), embedding.handler_files())
    )
    changes = differences(dict(found), dict(ours))
    return tuple(sorted(f"{path[0]} {what}" for path, what in changes))


def _differences(found: Mapping[str, Json], built: Mapping[str, Json]) -> Iterator[str]:
    for path, what in differences(dict(found), dict(built)):
        if path == _CODE and what == "changed":
            yield from _code_differences(_code(found))
        else:
            yield f"{'/'.join(map(shown_ascii, path))} {what}"


def _code_differences(code: str | None) -> Iterator[str]:
    changed = f"{'/'.join(_CODE)} changed"
    if code is None:
        yield changed
        return
    try:
        found = handler_differences(embedding.extract(code))
    except VerifyError as error:
        yield f"{changed} ({error.what.rstrip('.')})"
    else:
        yield from found or ["handler packed differently"]


def _code(template: Mapping[str, Json]) -> str | None:
    """Return the code of a template's function, or None if there is none."""
    match template:
        case {"Resources": {templates.FUNCTION: {"Properties": {"Code": {"ZipFile": str(code)}}}}}:
            return code
    return None
