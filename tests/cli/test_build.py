"""`build` writes complete, reproducible releases, and never changes a released one."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cli.altered import CUSTOMIZATION, DOCUMENTED, NAME, template_in, with_a_right
from cli.altered import SETTINGS as ONE
from support.commands import Run

from dt_logs_cfn import Settings, Vendor, __version__, build_release, compare, write_release
from dt_logs_cfn.diff import enough, problems
from dt_logs_cfn.diff.change import Level
from dt_logs_cfn.errors import BuildError, ReleaseError
from dt_logs_cfn.release.build import CHECKSUMS, Release, installed_settings, size_warnings
from dt_logs_cfn.release.folder import mark, released
from dt_logs_cfn.settings import PARTITIONS

OTHER = Settings((Vendor("aws", "444455556666", "https://logs.example.com/alb"),))
FILES = build_release(ONE).files
COMMITTED = Path(__file__).parents[2] / "build" / __version__


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, including hidden files, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def checksums(files: dict[str, bytes]) -> bytes:
    """Return the content of SHA256SUMS for these files."""
    lines = (f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(files.items()))
    return "".join(lines).encode()


def test_a_build_writes_every_file_with_its_size_and_checksum(run: Run, here: Path) -> None:
    built, as_data = run("build"), json.loads(run("build", "--json").out)

    files = tree(here / "build" / __version__)
    assert built.code == 0
    assert tree(here / "build") == {f"{__version__}/{name}": c for name, c in FILES.items()}
    assert files.keys() == tree(COMMITTED).keys()
    assert f"build/{__version__}/{NAME}" in built.out
    assert as_data == {
        "version": __version__,
        "folder": f"build/{__version__}",
        "files": {name: len(content) for name, content in FILES.items()},
        "warnings": list(build_release(ONE).warnings),
    }
    current = run("build", "--check"), run("build", "--check", "--json")
    assert [(each.code, each.out) for each in current] == [(0, ""), (0, '{"differs":[]}\n')]
    assert files.pop(CHECKSUMS) == checksums(files)
    assert json.loads(files.pop("manifest.json")) == {
        "version": __version__,
        "handler": {"sha256": hashlib.sha256(files["handler.zip"]).hexdigest()},
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
    }


def test_the_committed_release_is_what_the_source_builds() -> None:
    """This pins every byte of the policies, the packed handler, the page and the modules."""
    assert compare(build_release(installed_settings()), COMMITTED) == ()


def test_nothing_of_the_machine_is_in_a_release(here: Path) -> None:
    elsewhere = {"HOME": "/nowhere", "LC_ALL": "C", "TZ": "Asia/Kathmandu"}
    elsewhere |= {"PYTHONHASHSEED": "4711", "SOURCE_DATE_EPOCH": "1"}
    command = [sys.executable, "-m", "dt_logs_cfn", "build", "--out", "x"]
    subprocess.run(command, env={**os.environ, **elsewhere}, check=True, capture_output=True)

    assert tree(here / "x" / __version__) == dict(FILES)


@pytest.mark.parametrize("linked", [False, True])
def test_a_release_takes_the_place_of_the_one_before_it_or_fails_and_leaves_it(
    tmp_path: Path, linked: bool
) -> None:
    """Files that are no longer written are removed, and so are pipes and a killed build's files."""
    out = tmp_path / "out"
    out.mkdir()
    folder = real = out / __version__
    if linked:
        real = tmp_path / "real"
        folder.symlink_to(real)  # at first, the link's target does not exist
    assert write_release(build_release(ONE), out) == folder
    before = real.stat().st_ino
    write_release(build_release(ONE), out)
    assert real.stat().st_ino == before  # an identical release is left untouched
    (real / "left-over.json").write_text("{}")
    os.mkfifo(real / "pipe")
    (real / "nowhere").symlink_to(tmp_path / "gone")
    extra = {"left-over.json", "nowhere", "pipe"}
    assert {each.name for each in compare(build_release(ONE), folder)} == extra

    unwritable = replace(build_release(OTHER), files={**FILES, "manifest.json/below-a-file": b""})
    with pytest.raises(ReleaseError):
        write_release(unwritable, out)
    assert tree(real) == {**FILES, "left-over.json": b"{}"}
    killed = real.parent / f".{real.name}.new"
    killed.mkdir()
    (killed / "half").write_text("")
    write_release(build_release(OTHER), out)

    assert tree(real) == dict(build_release(OTHER).files)
    assert (list(out.iterdir()), folder.is_symlink()) == ([folder], linked)
    assert {*tmp_path.iterdir()} == {out, tmp_path / "real"} if linked else {out}


def test_builds_at_once_leave_one_whole_release(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dt_logs_cfn import *\n"
        "release = build_release(Settings((Vendor('aws', sys.argv[1]),)))\n"
        "for _ in range(20): write_release(release, Path(sys.argv[2]))\n"
    )
    accounts = ("111122223333", "444455556666")
    builders = [
        subprocess.Popen([sys.executable, "-c", code, account, str(tmp_path)])
        for account in accounts * 2
    ]

    assert [builder.wait() for builder in builders] == [0, 0, 0, 0]

    each = [dict(build_release(Settings((Vendor("aws", name),))).files) for name in accounts]
    assert tree(tmp_path / __version__) in each
    assert [path.name for path in tmp_path.iterdir()] == [__version__]


def test_what_cannot_be_built_or_written_is_told_in_a_line(run: Run, here: Path) -> None:
    """What is not a release is not replaced."""
    assert "is not a folder" in run("build", "--check").refusal
    for taken, told in (
        (f"a/{__version__}/thesis.txt", "exists, but is not a release"),
        (f"b/{__version__}", "--out"),
        ("c", "--out"),
    ):
        path = here / taken
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("years of work")
        assert told in run("build", "--out", taken[0]).refusal
        assert path.read_text() == "years of work"
    (here / __version__).symlink_to(here / __version__)  # a link to itself
    assert "cannot be written" in run("build", "--out", ".").refusal
    assert "/dev/null/releases" in run("build", "--out", "/dev/null/releases").refusal

    (here / "release.cfg").rename(here / "ours.cfg")
    ours, nobodys = run("build", "--config", "ours.cfg"), run("build", "--out", "out")
    said = "release.cfg is not in this folder: building without a vendor."
    assert [(each.code, said in each.err) for each in (ours, nobodys)] == [(0, False), (0, True)]
    assert compare(build_release(ONE), here / "build" / __version__) == ()
    assert compare(build_release(Settings()), here / "out" / __version__) == ()
    (here / "release.cfg").write_text("[aws]\nvendor_account_id = 12\n")
    assert "vendor_account_id of partition aws is '12'" in run("build").refusal
    assert "other.cfg cannot be read" in run("build", "--config", "other.cfg").refusal


def test_check_shows_what_differs_as_a_unified_diff(run: Run, here: Path) -> None:
    run("build")
    folder = here / "build" / __version__
    write_release(build_release(OTHER), here / "build")
    (folder / "handler.zip").write_bytes(b"\xff")
    (folder / CHECKSUMS).unlink()
    (folder / "notes.txt").write_text("mine")
    before = tree(folder)

    ran, as_data = run("build", "--check"), run("build", "--check", "--json")

    assert (ran.code, as_data.code, tree(folder)) == (1, 1, before)
    differs = {name for name in {*FILES, *before} if FILES.get(name) != before.get(name)}
    assert json.loads(as_data.out) == {"differs": sorted(differs)}
    at = f"build/{__version__}"
    assert f"--- {at}/{NAME}\n+++ built/{NAME}\n@@" in ran.out
    assert re.search(r"^-.*444455556666.*\n\+.*111122223333", ran.out, re.M)
    assert f"Binary files {at}/handler.zip and built/handler.zip differ" in ran.out
    assert f"--- /dev/null\n+++ built/{CHECKSUMS}\n" in ran.out
    assert f"--- {at}/notes.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-mine\n" in ran.out
    # Each diff turns the file on disk into the file that would be written.
    for each in compare(build_release(ONE), folder):
        if each.name != "handler.zip":
            patch = ["patch", "-s", "-E", str(folder / each.name)]
            subprocess.run(patch, input=each.diff.encode(), check=True)
    assert tree(folder) == {**FILES, "handler.zip": b"\xff"}


def test_a_template_beyond_the_limit_is_an_error_and_one_near_it_a_warning(
    run: Run, here: Path
) -> None:
    assert size_warnings({"a.json": b"x" * 46_080}, ONE) == ()
    assert size_warnings({"a.json": b"x" * 46_081}, ONE) == (
        "a.json has 46,081 bytes of 51,200, over 90 %.",
    )
    assert len(size_warnings({"a.json": b"x" * 51_200}, ONE)) == 1
    with pytest.raises(BuildError, match=r"a\.json has 51,201 bytes.*Shorten the handler"):
        size_warnings({"a.json": b"x" * 51_201}, ONE)

    (here / "release.cfg").write_text(
        "[aws]\nvendor_account_id = 111122223333\n"
        f"notification_endpoint = https://logs.example.com/{'a' * 2_000}\n"
        "[aws-us-gov]\n"
        f"notification_endpoint = https://logs.example.com/{'b' * 2_010}\n"
        f"base_url = https://logs.example.com/{'c' * 1_990}\n"
        f"[aws-cn]\nbase_url = https://logs.example.com/{'d' * 1_980}\n"
    )
    failure = run("build").refusal
    assert "CloudFormation accepts 51,200 directly" in failure
    assert (
        "Shorten notification_endpoint of partition aws-us-gov in release.cfg:"
        " it has 2,035 characters." in failure
    )
    assert not (here / "build").exists()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            NAME, marks=pytest.mark.xfail(reason="the handler has to become smaller", strict=True)
        ),
        DOCUMENTED,
    ],
)
def test_stack_templates_leave_room_when_all_partitions_are_set(name: str) -> None:
    """With any vendor settings, room must remain for fixes: CloudFormation takes 51,200 bytes."""
    endpoint = f"https://logs.example.com/{'a' * 275}"
    base = "https://of-{}.s3.us-east-1.amazonaws.com/a"
    vendors = (
        Vendor(each, f"11112222333{number}", endpoint, base.format(each))
        for number, each in enumerate(PARTITIONS)
    )
    assert len(endpoint) == 300
    assert len(build_release(Settings(tuple(vendors))).files[name]) <= 46_000


@pytest.fixture
def module(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module of customizing functions, with a name for this test only; return the name."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"changes_of_{here.parent.name}"
    failing = "\n\ndef fails(template, kind):\n    return template.no_such_thing\n"
    (here / f"{name}.py").write_text(CUSTOMIZATION + failing)
    return name


def test_a_customized_release_is_built_checked_and_verified(
    run: Run, here: Path, module: str
) -> None:
    by, template = f"{module}:add", f"build/{__version__}/{NAME}"
    codes = [run("build", "--customize", by).code, run("build", "--check", "--customize", by).code]
    codes.append(run("build", "--check").code)

    same, other = run("verify", template, "--customize", by), run("verify", template)

    assert [*codes, same.code, other.code] == [0, 0, 1, 0, 1]
    identical = f"identical to release {__version__}, customized by {by}, least-privilege, for "
    assert identical in same.out
    first, second, *_ = other.out.splitlines()
    assert first.endswith("Metadata/DTLogsAnalysis/CustomizedBy added, Outputs/Owner added")
    assert second == (
        f"{template}: it says that {by} customized it; pass your copy of that function with"
        " --customize"
    )
    as_data = json.loads(run("verify", template, "--json").out)
    assert (as_data["result"], as_data["customized_by"]) == ("differs", by)

    # A module that only a template names is not imported.
    (here / "t.json").write_text((here / template).read_text().replace(by, "booby_trap:spring"))
    (here / "booby_trap.py").write_text("open('sprung', 'w').close()")
    assert [run("verify", "t.json", *more).code for more in ((), ("--customize", by))] == [1, 0]
    assert not (here / "sprung").exists()


def test_a_function_that_does_not_exist_or_fails_is_told_in_a_line(
    run: Run, here: Path, module: str
) -> None:
    (here / "broken.py").write_text("raise ValueError('not\\nnow')")
    (here / "leaving.py").write_text("raise SystemExit(0)")
    (here / "needy.py").write_text("import nowhere")
    cannot = "cannot be imported:"
    fails = f"{module}:fails failed for the least-privilege template: AttributeError"
    for given, code, told in (
        ("add", 2, "'add' is not a function. Give --customize MODULE:FUNCTION."),
        ("no.such.module:add", 2, "Module no.such.module was not found, or has no function add."),
        ("json:no_such", 2, "Module json was not found, or has no function no_such."),
        ("json:__doc__", 2, "Module json was not found, or has no function __doc__."),
        ("broken:add", 3, "broken cannot be imported: ValueError: not now."),
        ("needy:add", 3, f"needy {cannot} ModuleNotFoundError: No module named 'nowhere'"),
        ("leaving:add", 3, "leaving cannot be imported: SystemExit: 0."),
        (f"{module}:fails", 3, fails),
        (f"{module}:fails", 3, f"Correct line 9 of {here / module}.py"),
    ):
        ran = run("build", "--customize", given)
        assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
        assert told in ran.err
    assert not (here / "build").exists()


WITH_RIGHT = {NAME: json.dumps(with_a_right(template_in(FILES[NAME]))).encode()}


def version(number: str, out: Path, **changed: bytes) -> Release:
    """Write a release with some files changed, and return it."""
    files = {**FILES, **changed}
    del files[CHECKSUMS]
    release = Release(number, {**files, CHECKSUMS: checksums(files)})
    write_release(release, out)
    return release


def test_a_right_added_needs_a_major_version(tmp_path: Path) -> None:
    mark(version("1.0.0", tmp_path), tmp_path)

    def said(number: str) -> tuple[str, ...]:
        return problems(version(number, tmp_path, **WITH_RIGHT), tmp_path)

    assert said("1.1.0") == (
        "1.1.0 is too small a step from 1.0.0: the changes are major."
        " `dt-logs-cfn diff 1.0.0 1.1.0` shows them; raise __version__.",
    )
    assert said("2.0.0") == ()
    mark(version("0.1.0", tmp_path), tmp_path)  # before 1.0.0, a new minor number is enough
    assert said("0.2.0") == ()
    assert "is too small a step from 0.1.0" in said("0.1.1")[0]
    # A fix of an old version is compared with that version, not with a later one.
    mark(version("2.0.0", tmp_path, **WITH_RIGHT), tmp_path)
    assert problems(version("1.0.1", tmp_path), tmp_path) == ()


def test_what_number_is_enough() -> None:
    for old, level, enough_are, too_small in (
        ("1.2.3", Level.MAJOR, ["2.0.0"], ["1.3.0"]),
        ("1.2.3", Level.MINOR, ["1.3.0", "2.0.0"], ["1.2.4"]),
        ("1.2.3", Level.PATCH, ["1.2.4", "1.2.10"], ["1.2.3", "1.2.2"]),
        ("1.2.3", Level.IDENTICAL, ["1.2.3"], ["1.2.2"]),
        ("0.1.0", Level.MAJOR, ["0.2.0", "1.0.0"], ["0.1.1"]),
        ("0.1.0", Level.MINOR, ["0.1.1"], ["0.1.0"]),
        ("0.1.0", Level.PATCH, ["0.1.1"], ["0.1.0"]),
    ):
        found = [new for new in enough_are + too_small if enough(old, new, level)]
        assert found == enough_are, (old, level)


def test_a_released_version_is_neither_built_over_nor_changed(run: Run, here: Path) -> None:
    marked = run("build", "--mark-released")
    assert f"{__version__} is now in build/RELEASED: commit it." in marked.err
    assert "RELEASED" not in run("build", "--mark-released").err  # it is there already
    out = here / "build"
    assert list(released(out)) == [__version__]
    assert run("build", "--check").code == 0
    shutil.copytree(out / __version__, out / "0.0.9")
    listed = (out / "RELEASED").read_text()
    (out / "RELEASED").write_text(listed + listed.replace(__version__, "0.0.9"))
    assert run("build", "--check").code == 0

    restore = "is not what was released: restore it."
    (out / "0.0.9" / "handler.zip").write_bytes(b"")
    (out / "0.0.9" / "more.txt").write_bytes(b"")
    changed = run("build", "--check")
    assert (changed.code, changed.err.splitlines()[1:]) == (
        1,
        [f"build/0.0.9/{name} {restore}" for name in ("handler.zip", "more.txt")],
    )
    # RELEASED lists each SHA256SUMS, not the other files.
    subprocess.run(("sha256sum", "-c", "RELEASED"), cwd=out, capture_output=True, check=True)
    (out / "0.0.9" / CHECKSUMS).write_text("")
    assert run("build", "--check").err.splitlines()[1:] == [f"build/0.0.9/{CHECKSUMS} {restore}"]

    (here / "release.cfg").write_text("[aws]\nvendor_account_id = 999999999999\n")
    other = "is released, and this source builds other files"
    assert f"Version {__version__} {other}" in run("build").refusal
    with pytest.raises(ReleaseError, match=other):
        problems(version(__version__, here / "x", **WITH_RIGHT), out)


def test_a_damaged_list_of_releases_is_refused(tmp_path: Path) -> None:
    release = version("1.0.0", tmp_path)
    (tmp_path / "RELEASED").write_text("1.0.0 is released\n")
    with pytest.raises(ReleaseError, match="a line that we did not write"):
        released(tmp_path)
    (tmp_path / "RELEASED").unlink()
    (tmp_path / ".RELEASED.new").mkdir()
    with pytest.raises(ReleaseError, match="RELEASED cannot be written"):
        mark(release, tmp_path)
    (tmp_path / "RELEASED").mkdir()
    with pytest.raises(ReleaseError, match="RELEASED cannot be read"):
        released(tmp_path)
