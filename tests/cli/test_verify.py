"""`verify` recognises our templates, names every difference, and trusts nothing in a template."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.altered import (
    DOCUMENTED,
    NAME,
    ROLE,
    SERVICE_ROLE,
    Template,
    code_of,
    statements_of,
    template_in,
    with_a_right,
    with_payload,
    with_source,
)
from cli.running import Ran, Run
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY, places, with_value

from dt_logs_cfn import Settings, Vendor, __version__, build_release, verify_template
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding
from dt_logs_cfn.verify.rebuild import handler_sources

SETTINGS = Settings((Vendor("aws", "111122223333", "https://logs.example.com/alb"),))
FILES = build_release(SETTINGS).files
UNSIGNED = "not signed: there is no SHA256SUMS beside it"
UNKNOWN = "unknown whether it was withdrawn: there is no versions.json beside its folder"
BESIDE = f"t.json: {UNSIGNED}\nt.json: {UNKNOWN}\n"
VENDOR = "for in aws account 111122223333 and endpoint https://logs.example.com/alb"


def template() -> Template:
    return template_in(FILES[NAME])


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


def test_one_byte_of_the_handler(verify: Verify) -> None:
    changed = embedding.handler_files()["dt_logs_handler/main.py"] + b"#"

    ran = verify(with_source(template(), "main.py", changed))

    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"t.json: differs from release {__version__}, least-privilege, "
        f"{VENDOR}: dt_logs_handler/main.py changed\n{BESIDE}"
    )


def test_one_right_added(verify: Verify) -> None:
    count = len(statements_of(template()))

    ran = verify(with_a_right(template()), "--json")

    path = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement/{count}"
    settings = {
        "vendor_account_id": "111122223333",
        "notification_endpoint": "https://logs.example.com/alb",
    }
    assert ran.code == 1
    assert json.loads(ran.out) == {
        "result": "differs",
        "differences": [f"{path} added"],
        "version": __version__,
        "privileges": "least-privilege",
        "settings": {"aws": settings},
        "customized_by": None,
        "signature": {"state": "unsigned", "told": UNSIGNED},
        "version_status": {"state": "unknown", "told": UNKNOWN},
    }


def test_another_vendor_is_another_vendor_even_if_all_agrees(verify: Verify) -> None:
    other = Settings((Vendor("aws", "666677778888", "https://evil.example.com/"),))
    made = build_release(other).files[NAME]

    ran = verify(made, "--config", "release.cfg")

    assert ran.code == 1
    assert "in aws account 666677778888 and endpoint https://evil.example.com/" in ran.out
    assert "it is for another vendor than release.cfg names" in ran.out
    assert verify(made).code == 0  # release.cfg counts only if an option names it


def test_many_differences_or_another_release_stay_on_one_line(verify: Verify) -> None:
    parsed = template()
    for name in range(24):
        parsed["Outputs"][f"O{name}\n\x1b[2J"] = {"Value": "x"}

    ran = verify(parsed)

    differs, *_ = ran.out.splitlines()
    assert "\x1b" not in ran.out
    assert "Outputs/O0\\n\\x1b[2J added" in ran.out
    assert differs.endswith(", and 4 more")
    parsed["Metadata"]["DTLogsAnalysis"]["Version"] = "9.9.9\n"
    assert f"is from release 9.9.9\\n, not {__version__}" in verify(parsed).failure


@STEADY
@given(
    place=st.sampled_from(places(template())),
    value=st.sampled_from([None, True, 1, "", "x", [], {}]),
)
def test_no_change_goes_unseen(place: tuple[str | int, ...], value: Any) -> None:
    """With one value replaced, a template is identical only if the value stays the same."""
    parsed = template()
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

    same = verify(FILES["handler.zip"], name="handler.zip")
    other = verify(embedding._pack(sources), name="handler.zip")

    told = f"the handler of release {__version__}"
    assert (same.code, other.code) == (0, 1)
    assert same.out.startswith(f"handler.zip: identical to {told}\n")
    assert other.out.splitlines()[0] == (
        f"handler.zip: differs from {told}:"
        " dt_logs_handler/evil.py added, dt_logs_handler/main.py changed"
    )
    with zipfile.ZipFile(here / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("dt_logs_handler/main.py", b"0" * 100_000_000)
    assert "unpacks to more than it holds" in run("verify", "bomb.zip").failure
    assert run("verify").code == 2
    assert run("verify", "t.json", "--stack", "s").code == 2


def test_sources_are_extracted_to_be_read(verify: Verify, here: Path) -> None:
    assert verify(FILES[NAME], "--extract", "out/sources").code == 0

    folder = here / "out" / "sources"
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert found == embedding.handler_files()
    assert "out is not empty" in verify(FILES[NAME], "--extract", "out").failure
    assert "cannot be written" in verify(FILES[NAME], "--extract", "t.json").failure
    role = FILES[SERVICE_ROLE]
    assert "does not contain a handler" in verify(role, "--extract", "new").failure
    assert sorted(each.name for each in here.iterdir()) == ["out", "release.cfg", "t.json"]


@pytest.mark.parametrize(
    "unpacked",
    [
        pytest.param(b"\0" * 2**26, id="bomb"),
        pytest.param(b"", id="nothing"),
        pytest.param(embedding._pack({"dt_logs_handler/../../x.py": b""}), id="outside"),
        pytest.param(embedding._pack({"dt_logs_handler/main.py": b"\xff"}), id="no text"),
    ],
)
def test_a_hostile_payload_is_refused_and_nothing_is_written(
    verify: Verify, here: Path, unpacked: bytes
) -> None:
    """`tests/generator/test_embedding.py` tests more hostile payloads."""
    told = verify(with_payload(template(), unpacked))
    assert told.code == 1
    assert "ZipFile changed (The handler" in told.out
    assert verify(with_payload(template(), unpacked), "--extract", "out").code == 3
    assert not (here / "out").exists()


def test_what_else_is_tampered_with_is_named_beside_hostile_code(verify: Verify) -> None:
    parsed = template()
    code_of(parsed)["ZipFile"] += "\nimport os\n"
    parsed["Description"] = "another"
    parsed["Parameters"]["DataTheoremAccountId"]["Default"] = "666677778888"

    told = verify(parsed)

    assert told.code == 1
    assert "Description changed" in told.out
    assert "Parameters/DataTheoremAccountId/Default changed" in told.out
    assert "not the bootstrap" in told.out
    with pytest.raises(VerifyError, match="not the bootstrap"):
        handler_sources(json.dumps(parsed))
