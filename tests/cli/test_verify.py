"""`verify` recognises our templates, names every difference, and trusts nothing in a template."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.altered import (
    DOCUMENTED,
    FUNCTION,
    NAME,
    ROLE,
    SERVICE_ROLE,
    SETTINGS,
    Template,
    code_of,
    statements_of,
    template_in,
    with_a_right,
    with_payload,
    with_source,
)
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Ran, Run
from support.strategies import STEADY, places, with_value

from dt_logs_cfn import Settings, Vendor, __version__, build_release, verify_template
from dt_logs_cfn.template import embedding

FILES = build_release(SETTINGS).files
UNSIGNED = "not signed: there is no SHA256SUMS beside it"
UNKNOWN = "unknown whether it was withdrawn: there is no versions.json beside its folder"
BESIDE = f"t.json: {UNSIGNED}\nt.json: {UNKNOWN}\n"
VENDOR = "for in aws account 111122223333 and endpoint https://logs.example.com/alb"
ADDED = len(statements_of(template_in(FILES[NAME])))
STATEMENT = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement/{ADDED}"
CODE = f"Resources/{FUNCTION}/Properties/Code/ZipFile changed (The"

Verify = Callable[..., Ran]


@pytest.fixture
def verify(run: Run, here: Path) -> Verify:
    """Return a function that writes a template or bytes to a file, and verifies the file."""

    def verify(content: Template | bytes, *options: str, name: str = "t.json") -> Ran:
        packed = content if isinstance(content, bytes) else json.dumps(content, indent=4).encode()
        (here / name).write_bytes(packed)
        return run("verify", name, *options)

    return verify


@pytest.mark.parametrize("name", [NAME, DOCUMENTED, SERVICE_ROLE])
def test_a_released_template_is_identical(verify: Verify, name: str) -> None:
    for form in (FILES[name], template_in(FILES[name])):  # white space is ignored
        ran = verify(form)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith(f"t.json: identical to release {__version__}, ")
        assert ran.out.endswith(f"{VENDOR}\n{BESIDE}")


def tampered(template: Template) -> Template:
    code_of(template)["ZipFile"] += "\nimport os\n"
    template["Description"] = "another"
    template["Parameters"]["DataTheoremAccountId"]["Default"] = "666677778888"
    return template


MAIN = embedding.handler_files()["dt_logs_handler/main.py"]
OUTSIDE = "dt_logs_handler/../../x.py"


@pytest.mark.parametrize(
    ("change", "differences"),
    [
        (lambda t: with_source(t, "main.py", MAIN + b"#"), ["dt_logs_handler/main.py changed"]),
        (with_a_right, [f"{STATEMENT} added"]),
        # `tests/generator/test_embedding.py` tests more hostile payloads.
        (
            lambda t: with_payload(t, b"\0" * 2**26),
            [f"{CODE} handler in the function's code is cut off or too large)"],
        ),
        (
            lambda t: with_payload(t, embedding._pack({OUTSIDE: b""})),
            [f"{CODE} handler has a file '{OUTSIDE}')"],
        ),
        (
            tampered,
            [
                "Description changed",
                "Parameters/DataTheoremAccountId/Default changed",
                f"{CODE} function's code is not the bootstrap of a release)",
            ],
        ),
    ],
)
def test_every_difference_is_named_and_hostile_code_is_not_extracted(
    verify: Verify, here: Path, change: Callable[[Template], Template], differences: list[str]
) -> None:
    changed = change(template_in(FILES[NAME]))

    as_text, as_data = verify(changed), verify(changed, "--json")

    assert (as_text.code, as_data.code, as_text.err + as_data.err) == (1, 1, "")
    assert as_text.out == (
        f"t.json: differs from release {__version__}, least-privilege, {VENDOR}:"
        f" {', '.join(differences)}\n{BESIDE}"
    )
    assert json.loads(as_data.out) == {
        "result": "differs",
        "differences": differences,
        "version": __version__,
        "privileges": "least-privilege",
        "settings": SETTINGS.to_metadata(),
        "customized_by": None,
        "signature": {"state": "unsigned", "told": UNSIGNED},
        "version_status": {"state": "unknown", "told": UNKNOWN},
    }
    harmful = any("ZipFile" in each for each in differences)
    assert verify(changed, "--extract", "out").code == (3 if harmful else 1)
    assert (here / "out").exists() != harmful


def test_another_vendor_is_another_vendor_even_if_all_agrees(verify: Verify) -> None:
    other = Settings((Vendor("aws", "666677778888", "https://evil.example.com/"),))
    made = build_release(other).files[NAME]

    ran = verify(made, "--config", "release.cfg")

    assert ran.code == 1
    assert "in aws account 666677778888 and endpoint https://evil.example.com/" in ran.out
    assert "it is for another vendor than release.cfg names" in ran.out
    assert verify(made).code == 0  # release.cfg counts only if an option names it


def test_many_differences_or_another_release_stay_on_one_line(verify: Verify) -> None:
    parsed = template_in(FILES[NAME])
    for name in range(24):
        parsed["Outputs"][f"O{name}\n\x1b[2J"] = {"Value": "x"}

    ran = verify(parsed)

    differs, *_ = ran.out.splitlines()
    assert "\x1b" not in ran.out
    assert "Outputs/O0\\n\\x1b[2J added" in ran.out
    assert differs.endswith(", and 4 more")
    parsed["Metadata"]["DTLogsAnalysis"]["Version"] = "9.9.9\n"
    assert f"is from release 9.9.9\\n, not {__version__}" in verify(parsed).refusal


@STEADY
@given(
    place=st.sampled_from(places(template_in(FILES[NAME]))),
    value=st.sampled_from([None, True, 1, "", "x", [], {}]),
)
def test_no_change_goes_unseen(place: tuple[str | int, ...], value: Any) -> None:
    """With one value replaced, a template is identical only if the value stays the same."""
    parsed = template_in(FILES[NAME])
    before = with_value(parsed, place, value)
    try:
        identical = verify_template(json.dumps(parsed)).identical
    except Exception as error:
        assert type(error).__name__ in {"VerifyError", "SettingsError"}
    else:
        assert identical == (json.dumps(value) == json.dumps(before))


def test_the_handlers_zip_and_nothing_or_two_things(verify: Verify, run: Run, here: Path) -> None:
    sources = {**embedding.handler_files()}
    sources["dt_logs_handler/main.py"] += b"#"
    sources["dt_logs_handler/evil.py"] = b"print(1)"
    told = f"the handler of release {__version__}"
    for content, code, line in (
        (FILES["handler.zip"], 0, f"identical to {told}"),
        (
            embedding._pack(sources),
            1,
            f"differs from {told}: dt_logs_handler/evil.py added, dt_logs_handler/main.py changed",
        ),
    ):
        ran = verify(content, name="handler.zip")
        assert (ran.code, ran.out.splitlines()[0]) == (code, f"handler.zip: {line}")
    with zipfile.ZipFile(here / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("dt_logs_handler/main.py", b"0" * 100_000_000)
    assert "unpacks to more than it holds" in run("verify", "bomb.zip").refusal
    assert run("verify").code == run("verify", "t.json", "--stack", "s").code == 2


def test_sources_are_extracted_to_be_read(verify: Verify, here: Path) -> None:
    assert verify(FILES[NAME], "--extract", "out/sources").code == 0

    folder = here / "out" / "sources"
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert found == embedding.handler_files()
    assert "out is not empty" in verify(FILES[NAME], "--extract", "out").refusal
    assert "cannot be written" in verify(FILES[NAME], "--extract", "t.json").refusal
    role = FILES[SERVICE_ROLE]
    assert "does not contain a handler" in verify(role, "--extract", "new").refusal
    assert sorted(each.name for each in here.iterdir()) == ["out", "release.cfg", "t.json"]
