"""Describe each step of a plan in lines that begin with `+`, `-` or `~`; pure.

Added and removed policy statements and notifications are shown in full, because people review them.
A tag may hold a token, so an address in it is shown only up to its host.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dt_logs_cfn.cli.terminal import changed, shown_value
from dt_logs_handler import model, notifications
from dt_logs_handler.documents import (
    Configuration,
    Statement,
    compact,
    parsed,
    same_statement,
    statements,
    texts,
)
from dt_logs_handler.names import Stack, load_balancer_name
from dt_logs_handler.register import SID


@dataclass(frozen=True)
class PlannedChange:
    """One step, its subject, and its changes in lines that begin with `+`, `-` or `~`."""

    step: str
    subject: str
    diff: tuple[str, ...]


def changes(plan: model.Plan, state: model.State, stack: Stack) -> list[PlannedChange]:
    """Return the changes of a plan's steps, in the order of the steps."""
    shown = _Shown(state, stack)
    return [
        PlannedChange(type(step).__name__, shown.subject(step), tuple(shown.diff(step)))
        for step in plan.steps
    ]


@dataclass
class _Shown:
    """Describes steps; remembers edited documents, because several steps may edit one document."""

    state: model.State
    stack: Stack
    policies: dict[str, str | None] = field(default_factory=dict)
    configurations: dict[str, Configuration] = field(default_factory=dict)

    def subject(self, step: model.Step) -> str:
        match step:
            case model.SetLogging():
                return f"load balancer {load_balancer_name(step.load_balancer)}"
            case (
                model.EnsureTopic() | model.Subscribe() | model.Unsubscribe() | model.DeleteTopic()
            ):
                return f"topic {step.topic}"
            case model.SetFilter():
                return f"subscription {step.subscription}"
        return f"bucket {step.bucket}"

    def diff(self, step: model.Step) -> Iterator[str]:
        match step:
            case model.CreateBucket():
                yield "+ the bucket itself, private and with SSE-S3 (the defaults of S3)"
                yield from (_tag("+", *each) for each in sorted(step.tags.items()))
            case model.SecureBucket():
                yield from _secured(self._bucket(step.bucket))
            case model.SetTags():
                yield from _tags(self._bucket(step.bucket), step)
            case model.SetRetention():
                days = str(self._bucket(step.bucket).retention or "")
                yield _replaced("days until logs expire", days, str(step.days))
            case model.EditPolicy():
                yield from self._policy(step)
            case model.EditNotifications():
                yield from self._notifications(step)
            case model.SetLogging():
                yield from _logging(step.was, step.to)
            case model.SetFilter():
                yield from self._filter(step)
            case model.EnsureTopic():
                # The documented role may not read topics, so each run asks SNS to create the topic.
                there = "" if step.known_absent else ", unless it is there"
                yield f"+ the topic itself{there}"
                yield from (_tag("+", *each) for each in sorted(step.tags.items()))
            case model.Subscribe():
                there = "" if step.known_absent else ", unless it is there"
                only = f", for {step.filter_policy} only" if step.filter_policy else ""
                yield f"+ subscription of {step.endpoint.shown}{only}{there}"
            case model.Unsubscribe():
                yield f"- subscription of {step.endpoint.shown}"
            case model.DeleteTopic():
                yield "- the topic itself, with its subscriptions"
            case model.DeleteTestFile():
                yield f"- object {step.location.test_file(self.stack)}"
            case model.DeleteBucket():
                yield "- the bucket itself, unless it holds logs"

    def _bucket(self, name: str) -> model.Bucket:
        """Return a bucket as it was read; an empty one if it does not exist or was unreadable."""
        found = self.state.buckets.get(name)
        return found if isinstance(found, model.Bucket) else model.Bucket(name)

    def _policy(self, step: model.EditPolicy) -> Iterator[str]:
        before = self.policies.get(step.bucket, self._bucket(step.bucket).policy)
        after = step.edit.applied(before)
        self.policies[step.bucket] = after
        old, new = map(of_policy, (before, after))
        gone = [each for each in old if not any(same_statement(each, other) for other in new)]
        come = [each for each in new if not any(same_statement(each, other) for other in old)]
        for each in gone:
            to = _rewritten(each, come)
            if to is None:
                yield f"- policy {compact(each)}"
            else:
                come.remove(to)
                yield from _amended(each, to)
        yield from (f"+ policy {compact(each)}" for each in come)

    def _notifications(self, step: model.EditNotifications) -> Iterator[str]:
        before = self.configurations.get(step.bucket, self._bucket(step.bucket).notifications)
        after = step.edit.applied(before)
        self.configurations[step.bucket] = after
        old, new = (list(notifications.entries(each)) for each in (before, after))
        yield from (f"- notification {compact(each[1])}" for each in old if each not in new)
        yield from (f"+ notification {compact(each[1])}" for each in new if each not in old)

    def _filter(self, step: model.SetFilter) -> Iterator[str]:
        for topic in filter(None, (self.state.topics or {}).values()):
            for each in topic.subscriptions:
                if each.arn == step.subscription:
                    yield f"- filter {each.filter_policy}"
        yield f"+ filter {step.filter_policy}"


def of_policy(policy: str | None) -> list[Statement]:
    """Return a bucket policy's statements; an empty list if the bucket has no policy."""
    return statements(parsed(policy or "{}"))


def _rewritten(was: Statement, come: Sequence[Statement]) -> Statement | None:
    """Return the new statement that replaces ours with another Sid or resources; None if none does.

    Our Sids begin with the stack and the location; the rest may change with each run.
    """
    ours = re.match(f"{SID}[0-9]+Read[0-9a-f]{{12}}[0-9a-f]{{8}}", str(was.get("Sid", "")))
    for each in come if ours else ():
        same = {**each, "Sid": "", "Resource": ""} == {**was, "Sid": "", "Resource": ""}
        if same and ours and str(each.get("Sid", "")).startswith(ours[0]):
            return each
    return None


def _amended(was: Statement, to: Statement) -> Iterator[str]:
    """Yield a statement's changes: its Sid, and the object patterns added and removed."""
    yield f"~ policy statement {was['Sid']}: now {to['Sid']}"
    old, new = (texts(each.get("Resource")) for each in (was, to))
    yield from (f"-   resource {each}" for each in old if each not in new)
    yield from (f"+   resource {each}" for each in new if each not in old)


def _secured(found: model.Bucket) -> Iterator[str]:
    block = found.public_access_block
    on = model.Bucket(found.name, public_access_block=block).secure
    return _differing(
        ("encryption", found.encryption, "AES256"),
        ("object ownership", found.ownership, "BucketOwnerEnforced"),
        ("public access block", "all on" if on else compact(dict(block)), "all on"),
    )


def _tags(found: model.Bucket, step: model.SetTags) -> Iterator[str]:
    now = found.tags
    yield from (_tag("-", key, now[key]) for key in sorted(step.drop))
    for key, value in sorted(step.tags.items()):
        if now.get(key) != value:
            yield f"~ tag {shown_value(key)}: {changed(now.get(key, ''), value, '(none)')}"


def _tag(sign: str, key: str, value: str) -> str:
    return f"{sign} tag {shown_value(key)}={shown_value(value)}"


def _logging(was: model.Logging, to: model.Logging) -> Iterator[str]:
    return _differing(
        ("access_logs.s3.enabled", str(was.enabled).lower(), str(to.enabled).lower()),
        ("access_logs.s3.bucket", was.bucket, to.bucket),
        ("access_logs.s3.prefix", was.prefix, to.prefix),
    )


def _differing(*values: tuple[str, str, str]) -> Iterator[str]:
    """Yield a line for each value that changes; `values` are names with old and new values."""
    return (_replaced(*each) for each in values if each[1] != each[2])


def _replaced(name: str, old: str, new: str) -> str:
    return f"~ {name}: {old or '(none)'} -> {new or '(none)'}"
