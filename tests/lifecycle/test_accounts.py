"""In random accounts, others' settings remain, and the advice in each refusal works."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from support.looks import TEST_FILE, reads

from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.report.changes import diff
from lifecycle.accounts import KINDS, Drawn, Kind, accounts, taken
from lifecycle.cloudformation import properties
from lifecycle.fixes import Reader
from lifecycle.scenarios import Answer, data

_LISTED = ("topics", "subscriptions", "account_blocks")
_OURS = re.compile("DTLogsAnalysis1|dt-logs-analysis-1-")
_ROUNDS = 12  # the limit for successive refusals in one account


class Life(Reader):
    """The life of one stack in a random account."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__(drawn.prepare)
        self.drawn = drawn
        self.forbidden = drawn.policies
        asked = dict(drawn.given)
        named = ["*"] if asked.pop("every") else self.arns
        self.given = properties(*named, **asked)

    def created(self) -> None:
        """Create the stack; after each failure, follow its reason, until the Create succeeds."""
        seen: list[str] = []
        while True:
            answer = self.send("Create", self.given)
            if answer["Status"] == "SUCCESS":
                break
            assert answer["Reason"] not in seen, answer["Reason"]
            seen.append(answer["Reason"])
            assert len(seen) < _ROUNDS, seen
            gone = self.send("Delete", self.given)
            unread = gone["Status"] == "FAILED" or "could not be read" in gone["Reason"]
            assert unread <= bool(self.forbidden), gone["Reason"]
            assert self.follows(answer["Reason"]), answer["Reason"]
            if unread:
                self.sent("Delete", self.given)
            assert self.left() == [], answer["Reason"]
        self.onboarded(answer)

    def onboarded(self, answer: Answer) -> None:
        """Follow the outputs' advice about omitted load balancers, until none is omitted."""
        seen: list[str] = []
        while (left_out := data(answer, "NotOnboarded") or str(answer["Reason"])) != "none":
            self.is_foreign_the_same()
            assert left_out not in seen and len(seen) < _ROUNDS, (seen, left_out)
            seen.append(left_out)
            assert self.follows(left_out), left_out
            # This Update may still fail if S3 refuses a write; see test_field_cases.py.
            answer = self.send("Update", {**self.given, "RunToken": str(len(seen))}, self.given)

    def updated(self) -> None:
        """Send an Update that changes only RunToken, and an Update back."""
        again = {**self.given, "RunToken": "again"}
        for new, old in ((again, self.given), (self.given, again)):
            self.sent("Update", new, old)
            self.is_foreign_the_same()

    def is_foreign_the_same(self) -> None:
        """Check that the stack has not changed others' settings."""
        was = foreign(self.untouched, self.untouched)
        assert not diff(was, foreign(self.account, self.untouched))

    def drifted(self) -> None:
        """Let the customer change buckets that the stack may already use."""
        for kind, bucket in self.drawn.later:
            if taken(kind, self.account, bucket):
                assert taken(kind, self.untouched, bucket)

    def deleted(self) -> None:
        """Delete the stack, following each failure's reason, and remove the reported leftovers."""
        seen: list[str] = []
        while (answer := self.send("Delete", self.given))["Status"] == "FAILED":
            assert answer["Reason"] not in seen, answer["Reason"]
            seen.append(answer["Reason"])
            assert self.follows(answer["Reason"]), answer["Reason"]
        self.tidies(answer["Reason"])
        assert self.left() == [], answer["Reason"]

    def left(self) -> list[str]:
        """Return the differences, except test files and missing topics with our name.

        A Delete may remove any topic with our name.
        """
        gone = re.compile(rf"{TEST_FILE}|^- SNS topic .*:dt-logs-analysis-1-")
        return [each for each in super().left() if not gone.search(each)]


def foreign(account: Account, customers: Account) -> Snapshot:
    """Return the current state of everything that the customer set up."""
    now, own = account.snapshot(), customers.snapshot()
    logging = {
        arn: now["load_balancers"][arn]
        for arn, found in own["load_balancers"].items()
        if found["access_logs.s3.enabled"] == "true"
    }
    buckets = {name: _foreign_settings(now["buckets"][name]) for name in own["buckets"]}
    return {"logging": logging, "buckets": buckets, **{k: _among(now, own, k) for k in _LISTED}}


def _foreign_settings(bucket: Snapshot) -> Snapshot:
    policy, announced = bucket["policy"] or {"Statement": []}, bucket["notifications"]
    theirs = [each for each in policy["Statement"] if not _OURS.search(str(each))]
    return {
        **{key: each for key, each in bucket.items() if key not in ("objects", "versions")},
        "policy": {**policy, "Statement": theirs},
        "notifications": {key: announced[key] for key in announced if not _OURS.search(key)},
    }


def _among(now: Snapshot, own: Snapshot, kind: str) -> Snapshot:
    return {name: now[kind][name] for name in own[kind] if not _OURS.search(name)}


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_every_refusal_can_be_cured_and_nothing_of_others_is_changed(
    kind: Kind, full: bool
) -> None:
    @settings(
        max_examples=20 if full else 5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(accounts(kind))
    def run(drawn: Drawn) -> None:
        life = Life(drawn)
        life.created()
        life.updated()
        for arn in life.arns:
            assert drawn.unsure or reads(life.account, arn), arn
        life.drifted()
        life.updated()
        life.deleted()

    run()
