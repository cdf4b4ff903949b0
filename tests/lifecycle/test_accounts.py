"""In random accounts, others' settings remain, and the advice in each refusal works.

A customer reads why a stack failed, and applies the fix that the reason describes. A fix fails if
the account lacks something that the reason names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from support.drifts import announce, announcements, denies, log_bucket
from support.looks import TEST_FILE, reads

from dt_logs_handler.notifications import KINDS as DESTINATIONS
from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.report.changes import diff
from lifecycle.accounts import BUCKETS, KINDS, UNSURE, Drawn, accounts, encrypted, setting, taken
from lifecycle.cloudformation import properties
from lifecycle.scenarios import Answer, Case, data

Document = dict[str, Any]
_LISTED = ("topics", "subscriptions", "account_blocks")
_OURS = re.compile("DTLogsAnalysis1|dt-logs-analysis-1-")
_ROUNDS = 12  # the limit for successive refusals in one account


class Life(Case):
    """The life of one stack in a random account, whose customer follows each message's advice."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn
        super().__init__(self._prepare)
        self.forbidden = [denies(drawn.forbidden)] if drawn.forbidden else []
        asked = dict(drawn.given)
        self.given = properties(*(["*"] if asked.pop("every") else self.arns), **asked)

    def _prepare(self, account: Account) -> list[str]:
        for bucket in BUCKETS:
            log_bucket(account, bucket)
        for kind, bucket in self.drawn.kinds:
            taken(kind, account, bucket)
        balancers = enumerate(self.drawn.balancers)
        return [account.add_load_balancer(f"alb{number}", **each) for number, each in balancers]

    def follow(self, text: str, seen: list[str]) -> None:
        """Apply the first fix whose pattern matches a message that has not been `seen` before."""
        assert text not in seen and len(seen) < _ROUNDS, (seen, text)
        seen.append(text)
        for pattern, fix in FIXES:
            if found := re.search(pattern, text, re.DOTALL):
                fix(self, *found.groups())
                return
        raise AssertionError(text)

    def created(self) -> None:
        """Create the stack; after each failure, follow its reason, until the Create succeeds."""
        seen: list[str] = []
        while (answer := self.ask("Create"))["Status"] == "FAILED":
            gone = self.ask("Delete")
            unread = gone["Status"] == "FAILED" or "could not be read" in gone["Reason"]
            assert unread <= bool(self.forbidden), gone["Reason"]
            self.follow(answer["Reason"], seen)
            if unread:
                self.delete()
            assert self.left() == [], answer["Reason"]
        self.onboarded(answer)

    def onboarded(self, answer: Answer) -> None:
        """Follow the outputs' advice about omitted load balancers, until none is omitted."""
        seen: list[str] = []
        while (left_out := data(answer, "NotOnboarded") or str(answer["Reason"])) != "none":
            self.is_foreign_the_same()
            self.follow(left_out, seen)
            # This Update may still fail if S3 refuses a write; see test_field_cases.py.
            answer = self.ask("Update", RunToken=str(len(seen)))

    def updated(self) -> None:
        """Send an Update that changes only RunToken, and an Update back."""
        for event in (self.update, self.back):
            event()
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
        while (answer := self.ask("Delete"))["Status"] == "FAILED":
            self.follow(answer["Reason"], seen)
        for sids, bucket in re.findall(
            r"statement ([^;]*?), which lets Data Theorem read nothing, in the policy of bucket"
            r" (\S+):",
            answer["Reason"],
        ):
            remove_own(self, bucket, sids)
        assert self.left() == [], answer["Reason"]

    def left(self) -> list[str]:
        """Return the differences, except test files and missing topics with our name.

        A Delete may remove any topic with our name.
        """
        gone = re.compile(rf"{TEST_FILE}|^- SNS topic .*:dt-logs-analysis-1-")
        return [each for each in super().left() if not gone.search(each)]

    def edit(self, bucket: str, change: Callable[[Document], object], ours: bool = False) -> None:
        """Change a bucket's policy without S3's checks; if `ours`, only in the stack's account."""
        for each in [self.account] if ours else [self.account, self.untouched]:
            found = each.world.buckets[bucket].policy
            policy = json.loads(found.latest or "{}")
            change(policy)
            each.world.change(found, json.dumps(policy))

    def announce(self, bucket: str, change: Callable[[Document], Document]) -> None:
        """Change a bucket's notifications."""
        self.customer(lambda each: announce(each, bucket, change(announcements(each, bucket))))


def foreign(account: Account, customers: Account) -> Snapshot:
    """Return the current state of everything that the customer set up."""
    now, own = account.snapshot(), customers.snapshot()
    logging = {
        arn: now["load_balancers"][arn]
        for arn, found in own["load_balancers"].items()
        if found["access_logs.s3.enabled"] == "true"
    }
    buckets = {name: _foreign_settings(now["buckets"][name]) for name in own["buckets"]}
    listed = {
        kind: {name: now[kind][name] for name in own[kind] if not _OURS.search(name)}
        for kind in _LISTED
    }
    return {"logging": logging, "buckets": buckets, **listed}


def _foreign_settings(bucket: Snapshot) -> Snapshot:
    policy, announced = bucket["policy"] or {"Statement": []}, bucket["notifications"]
    theirs = [each for each in policy["Statement"] if not _OURS.search(str(each))]
    return {
        **{key: each for key, each in bucket.items() if key not in ("objects", "versions")},
        "policy": {**policy, "Statement": theirs},
        "notifications": {key: announced[key] for key in announced if not _OURS.search(key)},
    }


Fix = Callable[..., None]
FIXES: list[tuple[str, Fix]] = []  # patterns and fixes; the first match applies


def advised(pattern: str) -> Callable[[Fix], Fix]:
    """Return a decorator: it registers a function as the fix for messages that match a pattern."""

    def register(fix: Fix) -> Fix:
        FIXES.append((pattern, fix))
        return fix

    return register


@advised(r"Bucket (\S+) encrypts with \S+ by default.*SSE-S3 \(AES256\)")
def _encrypt(life: Life, bucket: str) -> None:
    life.customer(partial(encrypted("AES256"), bucket=bucket))


@advised(r"Bucket (\S+) has the object ownership .* to BucketOwnerEnforced")
def _own(life: Life, bucket: str) -> None:
    life.customer(partial(setting(ownership="BucketOwnerEnforced"), bucket=bucket))


@advised(
    r"Statement (.+?) of the policy of bucket (\S+) denies [^.]*\."
    r" (?:Merge|Add the condition) ({.*?}) (?:in)?to"
)
def _add_condition(life: Life, sid: str, bucket: str, condition: str) -> None:
    """Add a condition to the statement that the message names by its Sid or its number."""
    policy = json.loads(life.account.world.buckets[bucket].policy.latest or "{}")
    number = re.fullmatch("number ([0-9]+)", sid)
    named = [n for n, each in enumerate(policy["Statement"]) if each.get("Sid") == sid]
    (index,) = [int(number[1]) - 1] if number else named

    def change(document: Document) -> None:
        found = document["Statement"][index].setdefault("Condition", {})
        for operator, keys in json.loads(condition).items():
            found[operator] = {**found.get(operator, {}), **keys}

    life.edit(bucket, change)


@advised(r"The policy of bucket (\S+) cannot be changed .* Remove the statement (.*?) from it")
def remove_own(life: Life, bucket: str, sids: str) -> None:
    """Remove the stack's statements by their Sids, only from the account with the stack.

    A Delete that does not name Sids leaves only statements for ELB; see `test_leaving.py`.
    """
    pattern = re.compile("|".join(sids.split(", ")) or "DTLogsAnalysis1Deliver.*")

    def change(document: Document) -> None:
        found = document["Statement"]
        document["Statement"] = [e for e in found if not pattern.fullmatch(e.get("Sid", ""))]
        assert document["Statement"] != found

    life.edit(bucket, change, ours=True)


@advised(
    r"policy of bucket (\S+?)(?: can be changed by nobody)?: statement (?:.+?) names the"
    r" principal (\w+), .*Remove that principal"
)
@advised(
    r"does not accept the policy of bucket (\S+): .*the principal that does not exist \((.*?)\)"
)
def _forget(life: Life, bucket: str, named: str) -> None:
    """Remove the statement whose principal does not exist; the message names all principals."""
    ids = [each for each in named.split(", ") if not each.startswith("arn:")]
    (principal,) = ids or life.account.world.unknown_principals & set(named.split(", "))

    def change(document: Document) -> None:
        (found,) = (e for e in document["Statement"] if principal in json.dumps(e["Principal"]))
        document["Statement"].remove(found)

    life.edit(bucket, change)


@advised(r"The policy of bucket (\S+) would grow .* Remove statements")
def _shorten(life: Life, bucket: str) -> None:
    life.edit(bucket, lambda document: document.pop("Id"))


@advised(
    r"Bucket (\S+) announces objects below [^,]*? by the notification (\S+) to (\S+) \((\w+)\),"
    r".*Give it a prefix or suffix"
)
def _narrow(life: Life, bucket: str, identifier: str, arn: str, kind: str) -> None:
    def change(found: Document) -> Document:
        (entry,) = (each for each in found[kind] if each["Id"] == identifier)
        assert arn in entry.values()
        rules = [{"Name": "Prefix", "Value": f"elsewhere-{identifier}/"}]
        entry["Filter"] = {"Key": {"FilterRules": rules}}
        return found

    life.announce(bucket, change)


@advised(r"Bucket (\S+) already has 100 event notifications.*Remove some")
def _remove_some(life: Life, bucket: str) -> None:
    def change(found: Document) -> Document:
        assert sum(len(found.get(kind, [])) for kind in DESTINATIONS) >= 100 - 3
        return {**found, "QueueConfigurations": found["QueueConfigurations"][3:]}

    life.announce(bucket, change)


@advised(r"accept the notifications of bucket (\S+): [^:]*: (arn:[^, ]+): .*Remove each one whose")
def _remove_dead(life: Life, bucket: str, arn: str) -> None:
    def change(found: Document) -> Document:
        there = {kind: found.get(kind, []) for kind in DESTINATIONS}
        kept = {kind: [e for e in there[kind] if arn not in e.values()] for kind in there}
        assert kept != there
        return {**found, **kept}

    life.announce(bucket, change)


@advised(r"aws sns delete-topic --topic-arn ([^) ]+)\), then")
def _delete_topic(life: Life, arn: str) -> None:
    """Delete a topic with our name, which the stack's Delete may already have deleted."""
    assert arn in {**life.account.world.topics, **life.untouched.world.topics}
    life.customer(lambda account: account.sns.delete_topic(TopicArn=arn))


@advised(r"aws sns unsubscribe --subscription-arn ([^) ]+)\), then")
def _unsubscribe(life: Life, arn: str) -> None:
    assert arn in life.account.world.subscriptions
    life.customer(lambda account: account.sns.unsubscribe(SubscriptionArn=arn))


@advised(r"Access Denied for bucket: (\S+)\. .*a policy that lets Elastic Load Balancing write")
def _let_write(life: Life, bucket: str) -> None:
    """Exempt AWS services from every Deny, because the message does not name the statement."""

    def change(document: Document) -> None:
        denials = [each for each in document["Statement"] if each["Effect"] == "Deny"]
        assert denials
        for each in denials:
            found = each.setdefault("Condition", {}).setdefault("Bool", {})
            assert found.setdefault("aws:PrincipalIsAWSService", "false") == "false"

    life.edit(bucket, change)


@advised(r"(.*)Allow it for the function's execution role")
def _allow(life: Life, said: str) -> None:
    right = re.search(r"not authorized to perform: (\w+:\w+)", said, re.IGNORECASE)
    assert right and right[1].lower() in json.dumps(life.forbidden).lower(), said
    life.forbidden = ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_can_be_cured_and_nothing_of_others_is_changed(kind: str, full: bool) -> None:
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
            assert reads(life.account, arn) or UNSURE & {each for each, _ in drawn.kinds}, arn
        life.drifted()
        life.updated()
        life.deleted()

    run()
