"""A customer who reads why a stack failed, finds what the reason names, and does what it says.

What a reason names must be in the account, otherwise the fix, a method of `Reader`, fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from dt_logs_handler.notifications import KINDS
from dt_logs_rehearsal.account import Account
from lifecycle.accounts import announcements
from lifecycle.cases import Case

Policy = dict[str, Any]


class Reader:
    """A customer with a stack, who may change the account."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def follows(self, text: str) -> bool:
        """Apply the first fix that matches a text, and tell whether there is one."""
        for pattern, fix in _FIXES:
            if found := re.search(pattern, text, re.DOTALL):
                fix(self, *found.groups())
                return True
        return False

    def _policy(self, bucket: str, change: Callable[[list[Policy]], object]) -> None:
        """Change the statements of a bucket's policy."""

        def edit(account: Account) -> None:
            found = account.world.buckets[bucket]
            document = json.loads(found.policy.latest or "{}")
            change(document["Statement"])
            account.world.change(found.policy, json.dumps(document))

        self.case.customer(edit)

    def _statement(self, bucket: str, sid: str) -> int:
        """Return the index of the statement that a text names by its Sid or its number."""
        text = self.case.account.world.buckets[bucket].policy.latest
        found = json.loads(text or "{}")["Statement"]
        if number := re.fullmatch("number ([0-9]+)", sid):
            return int(number[1]) - 1
        (index,) = (n for n, each in enumerate(found) if each.get("Sid") == sid)
        return index

    def encrypt(self, bucket: str) -> None:
        rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        self.case.customer(
            lambda account: account.s3.put_bucket_encryption(
                Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
            )
        )

    def own(self, bucket: str) -> None:
        controls: Any = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self.case.customer(
            lambda account: account.s3.put_bucket_ownership_controls(
                Bucket=bucket, OwnershipControls=controls
            )
        )

    def add_condition(self, sid: str, bucket: str, condition: str) -> None:
        index = self._statement(bucket, sid)
        added: dict[str, Any] = json.loads(condition)

        def change(statements: list[Policy]) -> None:
            found = statements[index].setdefault("Condition", {})
            for operator, keys in added.items():
                found[operator] = {**found.get(operator, {}), **keys}

        self._policy(bucket, change)

    def let_write(self, bucket: str) -> None:
        """Exempt AWS services from every Deny, because the text does not name the right one."""

        def change(statements: list[Policy]) -> None:
            denials = [each for each in statements if each["Effect"] == "Deny"]
            assert denials
            for each in denials:
                found = each.setdefault("Condition", {}).setdefault("Bool", {})
                assert found.setdefault("aws:PrincipalIsAWSService", "false") == "false"

        self._policy(bucket, change)

    def forget(self, sid: str, principal: str, bucket: str) -> None:
        assert principal in json.dumps(self.case.account.snapshot()["buckets"][bucket]["policy"])
        self._drop_principal(bucket, principal)

    def correct_principals(self, bucket: str, named: str) -> None:
        (unknown,) = self.case.account.world.unknown_principals & set(named.split(", "))
        self._drop_principal(bucket, unknown)

    def _drop_principal(self, bucket: str, principal: str) -> None:
        def change(statements: list[Policy]) -> None:
            kept = [each for each in statements if principal not in json.dumps(each["Principal"])]
            assert len(kept) == len(statements) - 1
            statements[:] = kept

        self._policy(bucket, change)

    def shorten(self, bucket: str) -> None:
        def edit(account: Account) -> None:
            found = account.world.buckets[bucket]
            document = json.loads(found.policy.latest or "{}")
            document.pop("Id")
            account.world.change(found.policy, json.dumps(document))

        self.case.customer(edit)

    def _notification(self, bucket: str, identifier: str) -> Iterator[tuple[str, dict[str, Any]]]:
        found = announcements(self.case.account, bucket)
        for kind in KINDS:
            for each in found.get(kind, []):
                if each["Id"] == identifier:
                    yield kind, each

    def _announce(self, bucket: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.case.customer(
            lambda account: account.s3.put_bucket_notification_configuration(
                Bucket=bucket,
                NotificationConfiguration=change(announcements(account, bucket)),  # type: ignore[arg-type]  # as S3 shows it
                SkipDestinationValidation=True,
            )
        )

    def narrow(self, bucket: str, identifier: str, arn: str, kind: str) -> None:
        ((found_kind, entry),) = self._notification(bucket, identifier)
        assert (found_kind, arn) == (kind, next(entry[key] for key in entry if key[-3:] == "Arn"))
        rules = [{"Name": "Prefix", "Value": f"elsewhere-{identifier}/"}]

        def change(found: dict[str, Any]) -> dict[str, Any]:
            for each in found[kind]:
                if each["Id"] == identifier:
                    each["Filter"] = {"Key": {"FilterRules": rules}}
            return found

        self._announce(bucket, change)

    def remove_some(self, bucket: str) -> None:
        def change(found: dict[str, Any]) -> dict[str, Any]:
            assert sum(len(found.get(kind, [])) for kind in KINDS) >= 100 - 3
            queues = found["QueueConfigurations"]
            return {**found, "QueueConfigurations": queues[3:]}

        self._announce(bucket, change)

    def remove_dead(self, bucket: str, arn: str) -> None:
        def change(found: dict[str, Any]) -> dict[str, Any]:
            kept = {
                kind: [e for e in found.get(kind, []) if arn not in e.values()] for kind in KINDS
            }
            assert kept != {kind: found.get(kind, []) for kind in KINDS}
            return {**found, **kept}

        self._announce(bucket, change)

    def delete_topic(self, arn: str) -> None:
        """Delete a topic with our name, which the stack's Delete may have deleted already."""
        assert arn in {**self.case.account.world.topics, **self.case.untouched.world.topics}
        self.case.customer(lambda account: account.sns.delete_topic(TopicArn=arn))

    def unsubscribe(self, arn: str) -> None:
        assert arn in self.case.account.world.subscriptions
        self.case.customer(lambda account: account.sns.unsubscribe(SubscriptionArn=arn))

    def remove_own(self, bucket: str, sids: str) -> None:
        """Remove the stack's statements, which only one of the accounts has, by their Sids.

        If a Delete names no Sid, only the statements for ELB are left: see `test_leaving.py`.
        """
        found = self.case.account.world.buckets[bucket]
        document = json.loads(found.policy.latest or "{}")
        wanted = "|".join(sids.split(", ")) or "DTLogsAnalysis1Deliver.*"
        pattern = re.compile(wanted)
        kept = [e for e in document["Statement"] if not pattern.fullmatch(e.get("Sid", ""))]
        assert kept != document["Statement"]
        text = json.dumps({**document, "Statement": kept})
        self.case.account.world.change(found.policy, text)

    def tidies(self, text: str) -> None:
        """Remove the statements that a Delete reports as left."""
        for sids, bucket in re.findall(
            r"statement ([^;]*?), by which Data Theorem reads nothing, in the policy of bucket"
            r" (\S+):",
            text,
        ):
            self.remove_own(bucket, sids)

    def allow(self, said: str) -> None:
        denied = json.dumps(self.case.forbidden)
        right = re.search(r"not authorized to perform: (\w+:\w+)", said, re.IGNORECASE)
        assert right and right[1].lower() in denied.lower(), said
        self.case.forbidden = ()


# Patterns of texts, each with its fix; the first match applies.
_FIXES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"Bucket (\S+) encrypts with \S+ by default.*SSE-S3 \(AES256\)", Reader.encrypt),
    (r"Bucket (\S+) has the object ownership .* to BucketOwnerEnforced", Reader.own),
    (
        r"Statement (.+?) of the policy of bucket (\S+) denies [^.]*\."
        r" Add the condition ({.*?}}) to",
        Reader.add_condition,
    ),
    (
        r"The policy of bucket (\S+) cannot be changed .* Remove the statement (.*?) from it",
        Reader.remove_own,
    ),
    (
        r"policy of bucket (\S+?)(?: can be changed by nobody)?: statement (.+?) names the"
        r" principal (\w+), .*Remove that principal",
        lambda reader, bucket, sid, principal: reader.forget(sid, principal, bucket),
    ),
    (
        r"does not accept the policy of bucket (\S+): .*the principal that does not exist"
        r" \((.*?)\)",
        Reader.correct_principals,
    ),
    (r"The policy of bucket (\S+) would grow .* Remove statements", Reader.shorten),
    (
        r"Bucket (\S+) announces objects below [^,]*? by the notification (\S+) to (\S+) \((\w+)\),"
        r".*Give it a prefix or suffix",
        Reader.narrow,
    ),
    (r"Bucket (\S+) has 100 notifications already.*Remove some", Reader.remove_some),
    (
        r"accept the notifications of bucket (\S+): [^:]*: (arn:[^, ]+): .*Remove each one whose",
        Reader.remove_dead,
    ),
    (r"aws sns delete-topic --topic-arn ([^) ]+)\), then", Reader.delete_topic),
    (r"aws sns unsubscribe --subscription-arn ([^) ]+)\), then", Reader.unsubscribe),
    (
        r"Access Denied for bucket: (\S+)\. .*a policy that lets Elastic Load Balancing write",
        Reader.let_write,
    ),
    (r"(.*)Allow it for the function's execution role", Reader.allow),
)
