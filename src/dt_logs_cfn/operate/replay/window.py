"""The time window of a replay, and a check that logs in it have not expired; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_handler.documents import Configuration, Json, listed

_LATE = timedelta(hours=1)  # more than ELB needs to store a log after its five-minute interval
_FIRST = datetime(2016, 8, 11, tzinfo=timezone.utc)  # the launch of application load balancers
_FORM = "Give a time such as 2026-11-28T10:00Z."


@dataclass(frozen=True)
class Window:
    """The time in which S3 stored objects: from `since` to just before `until`, both in UTC."""

    since: datetime
    until: datetime

    def days(self) -> Iterator[date]:
        """Return the days whose folders may hold the window's objects, in order."""
        first = (self.since - _LATE).date()
        count = (self.until.date() - first).days + 1
        return (first + timedelta(days=each) for each in range(count))

    def __str__(self) -> str:
        """Return the `replay` options for this window."""
        return f"--since {shown(self.since)} --until {shown(self.until)}"


def shown(time: datetime) -> str:
    """Return a time in the format of `replay`'s options."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def window(since: str, until: str | None, now: float) -> Window:
    """Return the window that the options ask for; cut it off before _FIRST and after `now`.

    Raises OperatingError if a time lacks a time zone or the start is in the future, and UsageError
    for other invalid options.
    """
    begin, present = _time("--since", since), datetime.fromtimestamp(int(now), timezone.utc)
    end = min(_time("--until", until), present) if until else present
    if begin >= present:
        raise OperatingError(f"--since {since} is in the future.", f"It is {shown(present)} now.")
    if begin >= end:
        raise UsageError(f"--until {until} is not after --since {since}.", "Give a later --until.")
    return Window(max(begin, _FIRST), end)


def _time(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "zZ" else text)
        if found.tzinfo:
            return found.astimezone(timezone.utc).replace(microsecond=0)
    except (OverflowError, ValueError) as error:
        raise UsageError(f"{option} {text[:80]!r} is not a time.", _FORM) from error
    raise OperatingError(f"{option} {text} has no time zone.", _FORM)


def check_kept(bucket: str, lifecycle: Configuration, logs: str, found: Window, now: float) -> None:
    """Raise OperatingError if the window's logs may have expired under a bucket's lifecycle rules.

    `logs` is the prefix of the logs' keys. Considers only rules that expire all of these logs
    after a number of days.
    """
    for rule in map(_fields, listed(lifecycle.get("Rules"))):
        below = _fields(rule.get("Filter") or {"Prefix": rule.get("Prefix", "")})
        days = _fields(rule.get("Expiration")).get("Days")
        matches = [*below] in ([], ["Prefix"]) and logs.startswith(str(below.get("Prefix", "")))
        if rule.get("Status") != "Enabled" or not matches or not isinstance(days, int):
            continue
        kept = datetime.fromtimestamp(now, timezone.utc) - timedelta(days=days)
        if found.since < kept:
            raise OperatingError(
                f"Bucket {bucket} keeps logs for {days} days, and --since {shown(found.since)} is"
                " longer ago.",
                f"Give --since {shown(kept + timedelta(minutes=1))} or later.",
            )


def _fields(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
