"""`verify`, `diff`, `policy` and `explain`: a template's origin, changes and permissions."""

import argparse
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
from hypothesis import example, given
from hypothesis import strategies as st
from support.commands import Ran, Run
from support.strategies import STEADY, places, with_value

from dt_logs_cfn import Settings, Vendor, __version__, build_release, verify_template
from dt_logs_cfn.commands import diff
from dt_logs_cfn.release.build import installed_templates
from dt_logs_cfn.template import embedding
from dt_logs_cfn.template.grants import GRANTS
from dt_logs_cfn.template.policies import POLICY_NAMES

FILES = build_release(SETTINGS).files


def template(name: str = NAME) -> Template:
    return template_in(FILES[name])


NAMES = (NAME, DOCUMENTED, SERVICE_ROLE)
UNSIGNED = "not signed: there is no SHA256SUMS beside it"
UNKNOWN = "unknown whether it was withdrawn: there is no versions.json beside its folder"
BESIDE = f"t.json: {UNSIGNED}\nt.json: {UNKNOWN}\n"
VENDOR = "for in aws account 111122223333 and endpoint https://logs.example.com/alb"
ADDED = len(statements_of(template()))
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


def test_a_released_template_is_identical(verify: Verify) -> None:
    for form in (*map(FILES.get, NAMES), *map(template, NAMES)):  # white space is ignored
        assert form
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
ABOVE = "dt_logs_handler/../../x.py"
OUTSIDE = embedding._pack({ABOVE: b""})


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
        (lambda t: with_payload(t, OUTSIDE), [f"{CODE} handler has a file '{ABOVE}')"]),
        (
            tampered,
            [
                *("Description changed", "Parameters/DataTheoremAccountId/Default changed"),
                f"{CODE} function's code is not the bootstrap of a release)",
            ],
        ),
    ],
)
def test_every_difference_is_named_and_hostile_code_is_not_extracted(
    verify: Verify, here: Path, change: Callable[[Template], Template], differences: list[str]
) -> None:
    changed = change(template())

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
    parsed = template()
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
@example(place=("Resources", FUNCTION, "Properties", "Code", "ZipFile"), value=None)
@example(place=("Metadata", "DTLogsAnalysis", "Settings", "aws"), value=1)
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
    told = f"the handler of release {__version__}"
    changes = "dt_logs_handler/evil.py added, dt_logs_handler/main.py changed"
    for content, code, line in (
        (FILES["handler.zip"], 0, f"identical to {told}"),
        (embedding._pack(sources), 1, f"differs from {told}: {changes}"),
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


RIGHT_ADDED = f"{ROLE}: right added: iam:* on *"
SOURCE_CHANGES = f"{FUNCTION}: dt_logs_handler/__init__.py changes"


@pytest.fixture
def old(here: Path) -> Path:
    """Write the released template as old.json, and all released templates to build/<version>."""
    (here / "old.json").write_bytes(FILES[NAME])
    folder = here / "build" / __version__
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_bytes(FILES[name])
    return here


def compared(run: Run, here: Path, new: Template, *options: str) -> Ran:
    (here / "new.json").write_text(json.dumps(new, indent=4, sort_keys=True))
    return run("diff", "old.json", "new.json", *options)


def test_the_worst_comes_first_and_the_sources_last(run: Run, old: Path) -> None:
    same = compared(run, old, template())  # whatever the form
    assert same == Ran(0, "old.json -> new.json: identical\n", "")
    new = with_source(with_a_right(template()), "__init__.py", b"one\n")
    new["Outputs"]["X"] = {"Value": "x"}

    assert compared(run, old, new).out == (
        "old.json -> new.json: major\n\n"
        "new.json\n"
        f"  major  {RIGHT_ADDED}\n"
        "  minor  output X is new\n"
        f"  patch  {SOURCE_CHANGES}\n\n"
        "dt_logs_handler/__init__.py in new.json\n"
        "--- old/dt_logs_handler/__init__.py\n"
        "+++ new/dt_logs_handler/__init__.py\n"
        "@@ -0,0 +1 @@\n"
        "+one\n"
    )
    found = json.loads(compared(run, old, new, "--json").out)
    right, _, source = found["changes"]
    assert found["level"] == "major"
    place = {"template": "new.json", "file": "", "diff": ""}
    assert right == {"level": "major", "kind": "right", "what": RIGHT_ADDED, **place}
    assert (source["kind"], source["file"]) == ("handler", "dt_logs_handler/__init__.py")
    assert source["diff"].endswith("@@ -0,0 +1 @@\n+one")


def test_releases_are_compared_template_by_template(run: Run, old: Path) -> None:
    (old / "next").mkdir()
    for name in (NAME, DOCUMENTED):
        new = with_source(template(name), "__init__.py", b"one\n")
        (old / "next" / name).write_text(json.dumps(new))
    (old / NAME).write_text(json.dumps(with_a_right(template())))

    ran = run("diff", __version__, "next")

    assert ran.code == 1
    assert ran.out.startswith(
        f"{__version__} -> next: major\n\n"
        f"{SERVICE_ROLE}\n  major  the template is gone\n\n"
        f"{DOCUMENTED}\n  patch  {SOURCE_CHANGES}\n\n"
        f"{NAME}\n  patch  {SOURCE_CHANGES}\n\n"
        f"dt_logs_handler/__init__.py in {DOCUMENTED} and {NAME}\n"
    )
    assert ran.out.count("+++ new/") == 1
    assert run("diff", "next", __version__).out.startswith(
        f"next -> {__version__}: minor\n\n{SERVICE_ROLE}\n  minor  the template is new\n"
    )
    # A single template is compared with the release's template of the same name.
    changed = f"{NAME}: major\n\n{NAME}\n  major  {RIGHT_ADDED}\n"
    assert run("diff", __version__, NAME).out == f"{__version__} -> {changed}"
    for words, told in (
        ((__version__, "old.json"), "does not have the template old.json"),
        (("old.json", "none.json"), "none.json cannot be read"),
        (("old.json", "9.9.9"), "build/9.9.9 has no template"),
    ):
        assert told in run("diff", *words).refusal
    assert run("diff").code == 2


def test_a_url_is_fetched(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"https://example.com/1/{NAME}?token=x"

    def fetch(asked: str, limit: int) -> bytes:
        content = json.dumps(with_a_right(template())).encode()
        assert (asked, len(content) < limit) == (url, True)
        return content

    parser = argparse.ArgumentParser()
    diff.configure(parser)
    assert diff.run(parser.parse_args(["old.json", url]), fetch) == 1
    assert capsys.readouterr().out == (
        f"old.json -> https://example.com/1/{NAME}: major\n\n{NAME}\n  major  {RIGHT_ADDED}\n"
    )


def test_the_installed_version_is_what_others_are_compared_with(run: Run, here: Path) -> None:
    text = installed_templates()[NAME]
    for changed, code, level in (
        (text, 0, "identical"),
        (text.replace('"Timeout":900', '"Timeout":899'), 1, "patch"),
    ):
        (here / NAME).write_text(changed)
        ran = run("diff", NAME)
        told = f"{NAME} -> the installed version {__version__}: {level}"
        assert (ran.code, ran.out.splitlines()[0]) == (code, told)


def test_no_terminal_is_driven_and_a_long_line_is_cut(run: Run, old: Path) -> None:
    evil = "\x1b[2J\r\x07\u202e\u2028\x9b"
    new = with_source(with_a_right(template(), f"x:{evil}"), "x.py", f"a{evil}b\n".encode())
    new["Outputs"][f"O{evil}\nfine"] = {"Value": "x"}

    out = compared(run, old, new).out

    assert out.isascii()
    assert all(line.isprintable() for line in out.splitlines())
    escaped = r"\x1b[2J\r\x07\u202e\u2028\x9b"
    assert f"  major  {ROLE}: right added: x:{escaped} on *\n" in out
    assert f"  minor  output O{escaped}\\nfine is new\n" in out
    assert f"+a{escaped}b\n" in out
    (old / evil).write_bytes(FILES[NAME])
    assert escaped in run("diff", evil, "new.json").out
    assert compared(run, old, new, "--json").out.isascii()

    line = compared(run, old, with_a_right(template(), "x:" + "a" * 2_000)).out.splitlines()[3]
    assert len(line) < 500
    assert line.endswith("a... and 1,655 characters more, see --json")


def test_values_take_the_place_of_placeholders_and_the_rest_is_named(run: Run) -> None:
    documented = ("policy", "cloudformation-role-documented", "--account", "111122223333")
    names = ("--role-name", "/teams/logs/dt-*", "--function-name", "dt-*")
    filled, partly = run(*documented, "--region", "cn-north-1", *names), run(*documented)

    assert run("policy").out.split() == [*POLICY_NAMES]
    assert (filled.code, filled.err) == (0, "")
    assert [statement["Resource"] for statement in json.loads(filled.out)["Statement"]] == [
        "arn:aws-cn:iam::111122223333:role/teams/logs/dt-*",
        "arn:aws-cn:lambda:cn-north-1:111122223333:function:dt-*",
    ]
    assert "${Account}" not in partly.out
    assert partly.err == (
        "Fill in before you use it: ${FunctionName}, ${Region}, ${RoleNameWithPath}\n"
    )
    for region, partition in (
        *(("us-east-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-northwest-1", "aws-cn")),
        ("eusc-de-east-1", "aws-eusc"),
    ):
        ran = run("policy", "lambda-execution-documented", "--region", region)
        assert json.loads(ran.out)["Statement"][0]["Resource"] == f"arn:{partition}:logs:*:*:*"
        assert ran.err == ""


def test_every_right_is_told_with_its_step_and_its_reason(run: Run) -> None:
    least, as_data = run("explain"), json.loads(run("explain", "--json").out)
    documented = ("explain", "--privileges", "documented")
    text, data = run(*documented).out, json.loads(run(*documented, "--json").out)

    granted = [action for grant in GRANTS for action in grant.actions]
    flat = " ".join(least.out.split())
    assert least.code == 0
    assert all(f"{grant.step}: {grant.why}" in flat for grant in GRANTS)
    assert all(action in flat for action in granted)
    assert "if aws:ResourceAccount is ${Account}" in flat
    assert max(map(len, least.out.splitlines())) <= 100
    assert sorted(each["action"] for each in as_data["rights"]) == sorted(granted)
    assert as_data["refused"] and as_data["open"]
    used = len({each for each in granted if each.startswith("s3:")})
    assert data["s3_actions"]["used"] == used
    assert f"on every bucket; {used} are used." in text
    assert "  sns:CreateTopic on " in text
    assert "sns:CreateTopic" in [each["action"] for each in data["rights"]]


AUDIT = {
    "Effect": "Allow",
    "Principal": {"AWS": "111122223333"},
    "Action": "s3:GetObject",
    "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::audit/*"},
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}
READABLE = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:${AWS::Partition}:iam::*"}
POWER_USER = "arn:${AWS::Partition}:iam::aws:policy/PowerUser"
ODD = {"Fn::Sub": ['{"Effect": "Allow", "Action": ${A}}', {"A": '"iam:*"'}]}


def test_what_a_template_allows_beyond_ours_however_it_is_written(run: Run, here: Path) -> None:
    made = template()
    (here / "t.json").write_text(json.dumps(made))
    ours = run("explain", "--added-in", "t.json").out
    managed = [{"Fn::Sub": POWER_USER}, {"Ref": "Text"}]
    made["Resources"] |= {
        "Audit": policy({"Statement": AUDIT}, "S3::BucketPolicy"),
        "Attached": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": managed}},
        "Text": policy({"Fn::Sub": json.dumps({"Statement": [READABLE]})}),
        "OddText": policy(ODD),
    }
    (here / "t.json").write_text(json.dumps(made))

    as_text = run("explain", "--added-in", "t.json").out.partition("Added in t.json:\n")[2]
    as_data = json.loads(run("explain", "--added-in", "t.json", "--json").out)["added"]

    assert ours.endswith("\nt.json does not add policy statements.\n")
    assert as_text.startswith(
        '  Audit allows {"AWS": "111122223333"} s3:GetObject\n'
        "    on arn:${AWS::Partition}:s3:::audit/*\n"
        '    if {"Bool": {"aws:SecureTransport": "true"}}\n'
    )
    assert " ".join(as_text.partition("  Attached")[2].split()) == (
        f"allows what managed policy {POWER_USER} allows"
        " Text allows iam:* on arn:${AWS::Partition}:iam::*"
        f" OddText allows what this text says: {json.dumps(ODD)}"
    )
    assert [each["actions"] for each in as_data][::2] == [["s3:GetObject"], ["iam:*"]]


def policy(document: dict[str, Any], kind: str = "IAM::ManagedPolicy") -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": {"PolicyDocument": document}}
