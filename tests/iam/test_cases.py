"""The evaluator decides as AWS documents it, and as an independent simulator does.

To add a case, add an entry to cases/*.json. `tox -e iam` installs and runs the simulator.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from .cases import ACCOUNT, SESSION, allowed, cases, policy
from .ours import identity_requests, resource_requests

SIMULATOR = pytest.mark.skipif(
    "IAM_SIMULATE" not in os.environ, reason="needs Node 20 and npm: run `tox -e iam`"
)
DIFFERENCES = {
    (each["file"], each["name"])
    for each in json.loads(Path(__file__).with_name("differences.json").read_text("utf-8"))
}


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['file']}: {case['name']}")
def test_the_decision_is_the_documented_one(case: dict[str, Any]) -> None:
    assert case["source"].startswith("https://docs.aws.amazon.com/")
    assert allowed(case) == case["allowed"]


def simulation(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case in the form that the simulator takes."""
    principal = case.get("principal", SESSION)
    own = [{"name": "own", "policy": json.loads(policy(case.get("identity", [])))}]
    asked: dict[str, Any] = {
        "request": {
            "principal": principal,
            "action": case.get("action", "s3:GetObject"),
            "resource": {
                "resource": case.get("target", "arn:aws:s3:::logs/a/b"),
                "accountId": case.get("owner", ACCOUNT),
            },
            "contextVariables": case.get("context", {}),
        },
        "identityPolicies": own if principal.startswith("arn:") and case.get("identity") else [],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if case.get("resource_policy"):
        asked["resourcePolicy"] = json.loads(policy(case["resource_policy"]))
    return asked


def compared(asked: Iterable[dict[str, Any]], at_least: int) -> None:
    """Fail if the decisions differ, or if the simulator judged too few cases to be meaningful."""
    every = [*asked]
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("simulate.mjs"))],
        input=json.dumps([simulation(case) for case in every]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = [*zip(every, json.loads(done.stdout), strict=True)]
    judged = [(case, each["decision"]) for case, each in pairs if "decision" in each]
    different = [
        {**case, "theirs": theirs}
        for case, theirs in judged
        if allowed(case) != (theirs == "Allowed")
        and (case["file"], case.get("name", "")) not in DIFFERENCES
    ]
    print(len(judged), "judged:", Counter(theirs for _, theirs in judged))
    print("not judged:", Counter(each["unjudged"] for _, each in pairs if "unjudged" in each))

    assert len(judged) >= at_least
    assert not different, json.dumps(different[:5])


@SIMULATOR
def test_the_documented_cases() -> None:
    compared(cases(), at_least=90)


@SIMULATOR
def test_our_roles_policies() -> None:
    compared(identity_requests(), at_least=600)


@SIMULATOR
def test_our_resources_policies() -> None:
    compared(resource_requests(), at_least=500)
