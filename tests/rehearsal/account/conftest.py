"""The account that most tests of the emulated account start with."""

from __future__ import annotations

import pytest
from rehearsal.account.helpers import QUEUE, TOPIC, topic_policy

from dt_logs_rehearsal.account import Account


@pytest.fixture
def account() -> Account:
    """Return an account with the bucket `logs`, and a topic and a queue to which S3 may send."""
    account = Account()
    account.add_bucket("logs")
    account.add_topic("t", topic_policy(TOPIC))
    account.add_destination(QUEUE)
    return account
