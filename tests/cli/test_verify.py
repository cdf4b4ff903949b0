"""`verify` recognises what is ours, names every difference, and trusts nothing that it reads."""

import base64
import bz2
import io
import json
import zipfile
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
    with_source,
)
from cli.running import Run
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

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


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path to every value inside a value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = [path] if path else []
    for key, item in items:
        found += places(item, (*path, key))
    return found


PLACES = places(template())


@pytest.mark.parametrize("name", [NAME, DOCUMENTED, SERVICE_ROLE])
def test_a_released_template_is_identical(run: Run, here: Path, name: str) -> None:
    (here / "t.json").write_bytes(FILES[name])

    ran = run("verify", "t.json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"t.json: identical to release {__version__}, ")
    assert ran.out.endswith(f"{VENDOR}\n{BESIDE}")


def test_form_does_not_count(run: Run, here: Path) -> None:
    (here / "t.json").write_text(json.dumps(template(), indent=4, sort_keys=True))

    assert run("verify", "t.json").code == 0


def test_one_byte_of_the_handler(run: Run, here: Path) -> None:
    changed = embedding.handler_files()["dt_logs_handler/main.py"] + b"#"
    (here / "t.json").write_text(json.dumps(with_source(template(), "main.py", changed)))

    ran = run("verify", "t.json")

    assert (ran.code, ran.err) == (1, "")
    assert ran.out == (
        f"t.json: differs from release {__version__}, least-privilege, "
        f"{VENDOR}: dt_logs_handler/main.py changed\n{BESIDE}"
    )


def test_one_right_added(run: Run, here: Path) -> None:
    count = len(statements_of(template()))
    (here / "t.json").write_text(json.dumps(with_a_right(template())))

    ran = run("verify", "t.json", "--json")

    path = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement/{count}"
    assert ran.code == 1
    assert json.loads(ran.out) == {
        "result": "differs",
        "differences": [f"{path} added"],
        "version": __version__,
        "privileges": "least-privilege",
        "settings": {
            "aws": {
                "vendor_account_id": "111122223333",
                "notification_endpoint": "https://logs.example.com/alb",
            }
        },
        "customized_by": None,
        "signature": {"state": "unsigned", "told": UNSIGNED},
        "version_status": {"state": "unknown", "told": UNKNOWN},
    }


def test_another_vendor_is_another_vendor_even_if_all_agrees(run: Run, here: Path) -> None:
    other = Settings((Vendor("aws", "666677778888", "https://evil.example.com/"),))
    (here / "t.json").write_bytes(build_release(other).files[NAME])

    ran = run("verify", "t.json", "--config", "release.cfg")

    assert ran.code == 1
    assert "in aws account 666677778888 and endpoint https://evil.example.com/" in ran.out
    assert "it is for another vendor than release.cfg names" in ran.out


def test_the_folder_s_release_cfg_does_not_decide_whom_a_template_is_for(
    run: Run, here: Path
) -> None:
    other = Settings((Vendor("aws", "666677778888", "https://logs.example.org/"),))
    (here / "t.json").write_bytes(build_release(other).files[NAME])

    assert run("verify", "t.json").code == 0


def test_a_default_that_the_settings_do_not_say_is_a_difference() -> None:
    parsed = template()
    parsed["Parameters"]["DataTheoremAccountId"]["Default"] = "666677778888"

    verdict = verify_template(json.dumps(parsed))

    assert verdict.differences == ("Parameters/DataTheoremAccountId/Default changed",)


def test_many_differences_stay_on_one_line(run: Run, here: Path) -> None:
    parsed = template()
    for name in range(24):
        parsed["Outputs"][f"O{name}\n\x1b[2J"] = {"Value": "x"}
    (here / "t.json").write_text(json.dumps(parsed))

    ran = run("verify", "t.json")

    differs, *_ = ran.out.splitlines()
    assert "\x1b" not in ran.out
    assert "Outputs/O0\\n\\x1b[2J added" in ran.out
    assert differs.endswith(", and 4 more")


@STEADY
@given(place=st.sampled_from(PLACES), value=st.sampled_from([None, True, 1, "", "x", [], {}]))
def test_no_change_goes_unseen(place: tuple[str | int, ...], value: Any) -> None:
    """A template with any one value replaced is identical only if the new value equals the old."""
    parsed = template()
    inner: Any = parsed
    for key in place[:-1]:
        inner = inner[key]
    before = inner[place[-1]]
    inner[place[-1]] = value
    try:
        identical = verify_template(json.dumps(parsed)).identical
    except Exception as error:
        assert type(error).__name__ in {"VerifyError", "SettingsError"}
    else:
        assert identical == (json.dumps(value) == json.dumps(before))


def test_another_release_is_named(run: Run, here: Path) -> None:
    parsed = template()
    parsed["Metadata"]["DTLogsAnalysis"]["Version"] = "9.9.9\n"
    (here / "t.json").write_text(json.dumps(parsed))

    assert f"is from release 9.9.9\\n, not {__version__}" in run("verify", "t.json").failure


def test_the_handlers_zip(run: Run, here: Path) -> None:
    (here / "handler.zip").write_bytes(FILES["handler.zip"])

    ran = run("verify", "handler.zip")

    assert ran.code == 0
    assert ran.out.startswith(f"handler.zip: identical to the handler of release {__version__}\n")


def test_one_byte_of_the_handlers_zip(run: Run, here: Path) -> None:
    sources = {**embedding.handler_files()}
    sources["dt_logs_handler/main.py"] += b"#"
    sources["dt_logs_handler/evil.py"] = b"print(1)"
    (here / "handler.zip").write_bytes(embedding._pack(sources))

    ran = run("verify", "handler.zip")

    assert ran.code == 1
    assert ran.out.splitlines()[0] == (
        f"handler.zip: differs from the handler of release {__version__}:"
        " dt_logs_handler/evil.py added, dt_logs_handler/main.py changed"
    )


def test_a_zip_bomb(run: Run, here: Path) -> None:
    with zipfile.ZipFile(here / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("dt_logs_handler/main.py", b"0" * 100_000_000)

    assert "unpacks to more than it holds" in run("verify", "bomb.zip").failure


def test_nothing_or_two_things_to_verify(run: Run) -> None:
    assert run("verify").code == 2
    assert run("verify", "t.json", "--stack", "s").code == 2


def test_sources_are_extracted_to_be_read(run: Run, here: Path) -> None:
    (here / "t.json").write_bytes(FILES[NAME])

    ran = run("verify", "t.json", "--extract", "out/sources")

    folder = here / "out" / "sources"
    assert ran.code == 0
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    } == embedding.handler_files()


def test_extracting_overwrites_nothing(run: Run, here: Path) -> None:
    (here / "t.json").write_bytes(FILES[NAME])
    (here / "out").mkdir()
    (here / "out" / "mine.txt").write_text("mine")

    assert "out is not empty" in run("verify", "t.json", "--extract", "out").failure
    assert "cannot be written" in run("verify", "t.json", "--extract", "t.json").failure
    assert [path.name for path in (here / "out").iterdir()] == ["mine.txt"]


def test_there_is_no_handler_in_the_service_role_template(run: Run, here: Path) -> None:
    (here / "t.json").write_bytes(FILES["cloudformation-role.template.json"])

    assert "does not contain a handler" in run("verify", "t.json", "--extract", "out").failure
    assert not (here / "out").exists()


def with_payload(unpacked: bytes) -> str:
    """Return a template whose code is our bootstrap around this content."""
    parsed = template()
    code = code_of(parsed)["ZipFile"]
    before, after = embedding._BEFORE, embedding._AFTER
    assert code.startswith(before)
    packed = base64.b85encode(bz2.compress(unpacked)).decode().replace("$", ",")
    code_of(parsed)["ZipFile"] = f"{before}{packed}{after}"
    return json.dumps(parsed)


def zip_with(name: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(name, "")
    return archive.getvalue()


@pytest.mark.parametrize(
    "unpacked",
    [
        pytest.param(b"\0" * 2**26, id="bomb"),
        pytest.param(b"", id="nothing"),
        pytest.param(zip_with("dt_logs_handler/../../../etc/cron.d/x.py"), id="outside"),
        pytest.param(zip_with("/etc/cron.d/x.py"), id="absolute"),
        pytest.param(zip_with("dt_logs_handler/main.py"), id="packed otherwise"),
        pytest.param(embedding._pack({"dt_logs_handler/main.py": b"\xff"}), id="no text"),
    ],
)
def test_a_hostile_payload_is_refused_and_nothing_is_written(
    run: Run, here: Path, unpacked: bytes
) -> None:
    (here / "t.json").write_text(with_payload(unpacked))

    told = run("verify", "t.json")
    assert told.code == 1
    assert "ZipFile changed (The handler" in told.out
    assert run("verify", "t.json", "--extract", "out").code == 3
    assert not (here / "out").exists()


def test_what_else_is_tampered_with_is_named_beside_hostile_code(run: Run, here: Path) -> None:
    parsed = template()
    code_of(parsed)["ZipFile"] += "\nimport os\n"
    parsed["Description"] = "another"
    (here / "t.json").write_text(json.dumps(parsed))

    told = run("verify", "t.json")

    assert told.code == 1
    assert "Description changed" in told.out
    assert "not the bootstrap" in told.out


def test_code_beside_the_bootstrap_is_refused() -> None:
    parsed = template()
    code_of(parsed)["ZipFile"] += "\nimport os\n"

    with pytest.raises(VerifyError, match="not the bootstrap"):
        handler_sources(json.dumps(parsed))
