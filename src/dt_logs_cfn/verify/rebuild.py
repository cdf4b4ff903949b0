"""Check whether a template from any source is what this release would have built.

The template's Metadata records what it was built from. We rebuild it from that, and compare
everything. The template is not trusted: its record is part of the result, sizes are limited, and
its code is unpacked and read but never run. Nothing that it names is imported: to rebuild a
customized template, pass the callable.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.terminal import shown_ascii
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding
from dt_logs_cfn.template.customizing import Customize, built
from dt_logs_cfn.template.json_tree import Path, differences
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.resources import FUNCTION
from dt_logs_cfn.template.templates import Origin, origin
from dt_logs_handler.documents import Json

_CODE = ("Resources", FUNCTION, "Properties", "Code", "ZipFile")


@dataclass(frozen=True)
class Verdict:
    """What a template records that it was built from, and where it differs from that.

    A difference is a path into the template, or a file of the handler, followed by "added",
    "missing" or "changed".

    >>> Verdict(Origin("0.1.0", Settings(), None), ("Outputs/RoleArn missing",)).identical
    False
    """

    origin: Origin
    differences: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the template means exactly what this release would have built."""
        return not self.differences


def verify_template(text: str, customize: Customize | None = None) -> Verdict:
    """Compare a template's text with this release, built from the template's own settings.

    `customize` is the callable that the release was built with, if any. With it, the template is
    identical; without it, the differences are what it changed. Nothing that the template names is
    imported or run. White space and the order of keys do not count, as in CloudFormation.

    Raises VerifyError or SettingsError if the text is not one of our templates, or is from
    another release, and BuildError if `customize` does what it may not.

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
    # The template's own name for the customization proves nothing, so it is not compared.
    again = built(source.settings, source.kind, customize, source.customized_by)
    return Verdict(source, tuple(_differences(found, again)))


def handler_sources(text: str) -> dict[str, bytes]:
    """Return the sources of the handler in a template, by name; nothing is run.

    Raises VerifyError if there are none, or they are damaged.
    """
    code = _at(parse_template(text), _CODE)
    if not isinstance(code, str):
        raise VerifyError("The template does not contain a handler.", "Give a template of a stack.")
    return embedding.unpack(embedding.extract(code))


def handler_differences(archive: bytes) -> tuple[str, ...]:
    """Return the files in which a handler.zip differs from this release's; nothing is run.

    Raises VerifyError for a zip that a release could not have.
    """
    return tuple(_named(embedding.unpack(archive)))


def _differences(found: Mapping[str, Json], built: Mapping[str, Json]) -> Iterator[str]:
    for path, what in differences(dict(found), dict(built)):
        if path == _CODE and what == "changed":
            yield from _handler_differences(_at(found, path), _at(built, path))
        else:
            yield f"{'/'.join(map(shown_ascii, path))} {what}"


def _handler_differences(found: Json, built: Json) -> Iterator[str]:
    if not isinstance(found, str) or not isinstance(built, str):
        yield f"{'/'.join(_CODE)} changed"
        return
    try:
        sources = embedding.unpack(embedding.extract(found))
    except VerifyError as error:
        yield f"{'/'.join(_CODE)} changed ({error.what.rstrip('.')})"
        return
    yield from _named(sources) or ["handler packed differently"]


def _named(sources: Mapping[str, bytes]) -> list[str]:
    """Return each source that differs from this release's, and how."""
    ours = embedding.handler_files()
    found = []
    for name in sorted(sources.keys() | ours.keys()):
        if sources.get(name) == ours.get(name):
            continue
        what = "added" if name not in ours else "missing" if name not in sources else "changed"
        found.append(f"{name} {what}")
    return found


def _at(value: Mapping[str, Json], path: Path) -> Json:
    """Return the value at a path of names, or None if there is none."""
    found: Json = dict(value)
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found
