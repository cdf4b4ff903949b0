"""A customer who reads why a stack failed, and applies the fix that the reason describes.

The fixes are methods of `Reader`. A fix fails if the account lacks something that the reason names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from support.drifts import announce, announcements

from dt_logs_handler.notifications import KINDS
from lifecycle.accounts import encrypted, setting
from lifecycle.scenarios import Case

Document = dict[str, Any]


class Reader(Case):
    """A customer with a stack, who may change the account."""

    def follows(self, text: str) -> bool:
        """Apply the first fix whose pattern matches a message; return False if none matches."""
        for pattern, fix in _FIXES:
            if found := re.search(pattern, text, re.DOTALL):
                fix(self, *found.groups())
                return True
        return False

    def _edit(self, bucket: str, change: Callable[[Document], object], ours: bool = False) -> None:
        """Change a bucket's policy without S3's checks; if `ours`, only in the stack's account."""
        for each in [self.account] if ours else [self.account, self.untouched]:
            found = each.world.buckets[bucket].policy
            document = json.loads(found.latest or "{}")
            change(document)
            each.world.change(found, json.dumps(document))

    def _statement(self, bucket: str, sid: str) -> int:
        """Return the index of the statement that a message names by its Sid or by its number."""
        found = json.loads(self.account.world.buckets[bucket].policy.latest or "{}")["Statement"]
        if number := re.fullmatch("number ([0-9]+)", sid):
            return int(number[1]) - 1
        (index,) = (n for n, each in enumerate(found) if each.get("Sid") == sid)
        return index

    def encrypt(self, bucket: str) -> None:
        self.customer(partial(encrypted("AES256"), bucket=bucket))

    def own(self, bucket: str) -> None:
        self.customer(partial(setting(ownership="BucketOwnerEnforced"), bucket=bucket))

    def add_condition(self, sid: str, bucket: str, condition: str) -> None:
        index = self._statement(bucket, sid)

        def change(document: Document) -> None:
            found = document["Statement"][index].setdefault("Condition", {})
            for operator, keys in json.loads(condition).items():
                found[operator] = {**found.get(operator, {}), **keys}

        self._edit(bucket, change)

    def let_write(self, bucket: str) -> None:
        """Exempt AWS services from every Deny, because the message does not name the statement."""

        def change(document: Document) -> None:
            denials = [each for each in document["Statement"] if each["Effect"] == "Deny"]
            assert denials
            for each in denials:
                found = each.setdefault("Condition", {}).setdefault("Bool", {})
                assert found.setdefault("aws:PrincipalIsAWSService", "false") == "false"

        self._edit(bucket, change)

    def forget(self, bucket: str, sid: str, principal: str) -> None:
        def change(document: Document) -> None:
            (found,) = (e for e in document["Statement"] if principal in json.dumps(e["Principal"]))
            document["Statement"].remove(found)

        self._edit(bucket, change)

    def correct_principals(self, bucket: str, named: str) -> None:
        (unknown,) = self.account.world.unknown_principals & set(named.split(", "))
        self.forget(bucket, "", unknown)

    def shorten(self, bucket: str) -> None:
        self._edit(bucket, lambda document: document.pop("Id"))

    def _announce(self, bucket: str, change: Callable[[Document], Document]) -> None:
        self.customer(lambda each: announce(each, bucket, change(announcements(each, bucket))))

    def narrow(self, bucket: str, identifier: str, arn: str, kind: str) -> None:
        def change(found: Document) -> Document:
            (entry,) = (each for each in found[kind] if each["Id"] == identifier)
            assert arn in entry.values()
            rules = [{"Name": "Prefix", "Value": f"elsewhere-{identifier}/"}]
            entry["Filter"] = {"Key": {"FilterRules": rules}}
            return found

        self._announce(bucket, change)

    def remove_some(self, bucket: str) -> None:
        def change(found: Document) -> Document:
            assert sum(len(found.get(kind, [])) for kind in KINDS) >= 100 - 3
            return {**found, "QueueConfigurations": found["QueueConfigurations"][3:]}

        self._announce(bucket, change)

    def remove_dead(self, bucket: str, arn: str) -> None:
        def change(found: Document) -> Document:
            kept = {
                kind: [e for e in found.get(kind, []) if arn not in e.values()] for kind in KINDS
            }
            assert kept != {kind: found.get(kind, []) for kind in KINDS}
            return {**found, **kept}

        self._announce(bucket, change)

    def delete_topic(self, arn: str) -> None:
        """Delete a topic with our name, which the stack's Delete may already have deleted."""
        assert arn in {**self.account.world.topics, **self.untouched.world.topics}
        self.customer(lambda account: account.sns.delete_topic(TopicArn=arn))

    def unsubscribe(self, arn: str) -> None:
        assert arn in self.account.world.subscriptions
        self.customer(lambda account: account.sns.unsubscribe(SubscriptionArn=arn))

    def remove_own(self, bucket: str, sids: str) -> None:
        """Remove the stack's statements by their Sids, only from the account with the stack.

        A Delete that does not name Sids leaves only statements for ELB; see `test_leaving.py`.
        """
        pattern = re.compile("|".join(sids.split(", ")) or "DTLogsAnalysis1Deliver.*")

        def change(document: Document) -> None:
            found = document["Statement"]
            document["Statement"] = [e for e in found if not pattern.fullmatch(e.get("Sid", ""))]
            assert document["Statement"] != found

        self._edit(bucket, change, ours=True)

    def tidies(self, text: str) -> None:
        """Remove the statements that a Delete reports as leftovers."""
        for sids, bucket in re.findall(
            r"statement ([^;]*?), which lets Data Theorem read nothing, in the policy of bucket"
            r" (\S+):",
            text,
        ):
            self.remove_own(bucket, sids)

    def allow(self, said: str) -> None:
        right = re.search(r"not authorized to perform: (\w+:\w+)", said, re.IGNORECASE)
        assert right and right[1].lower() in json.dumps(self.forbidden).lower(), said
        self.forbidden = ()


# Patterns of messages, each with its fix; the first match applies.
_FIXES: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"Bucket (\S+) encrypts with \S+ by default.*SSE-S3 \(AES256\)", Reader.encrypt),
    (r"Bucket (\S+) has the object ownership .* to BucketOwnerEnforced", Reader.own),
    (
        r"Statement (.+?) of the policy of bucket (\S+) denies [^.]*\."
        r" (?:Merge|Add the condition) ({.*?}}) (?:in)?to",
        Reader.add_condition,
    ),
    (
        r"The policy of bucket (\S+) cannot be changed .* Remove the statement (.*?) from it",
        Reader.remove_own,
    ),
    (
        r"policy of bucket (\S+?)(?: can be changed by nobody)?: statement (.+?) names the"
        r" principal (\w+), .*Remove that principal",
        Reader.forget,
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
    (r"Bucket (\S+) already has 100 event notifications.*Remove some", Reader.remove_some),
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
