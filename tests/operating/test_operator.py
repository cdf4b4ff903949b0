"""What the person who runs a command is told, and how they are asked to confirm."""

from __future__ import annotations

import pytest

from dt_logs_cfn.cli.aws_options import Here
from dt_logs_cfn.cli.terminal import Operator, at_terminal
from dt_logs_cfn.errors import OperatingError


def interrupted(question: str) -> str:
    raise KeyboardInterrupt


def test_whoever_interrupts_a_question_is_told_how_things_are() -> None:
    lines = list[str]()
    operator = Operator(tell=lines.append, ask=interrupted)
    with pytest.raises(KeyboardInterrupt):
        operator.confirm("Go ahead?", yes=False)
    with pytest.raises(KeyboardInterrupt):
        operator.confirm("Remove these?", yes=False, unless="they stay")
    assert lines == [
        "It was not confirmed, so nothing was changed.",
        "It was not confirmed, so they stay.",
    ]


@pytest.mark.parametrize("answer", ["n", "", None])
def test_what_is_not_agreed_to_is_refused(answer: str | None) -> None:
    operator = Operator(ask=lambda question: answer)
    with pytest.raises(OperatingError, match="nothing was changed"):
        operator.confirm("Go ahead?", yes=False)
    operator.confirm("Go ahead?", yes=True)


def test_only_our_own_words_get_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    operator = at_terminal(Here("mine"))
    operator.tell("CREATE_FAILED  run `aws s3 ls`")  # a text that somebody else wrote
    operator.advise("So does `aws s3 ls`")
    assert capsys.readouterr().err.splitlines() == [
        "CREATE_FAILED  run `aws s3 ls`",
        "So does `aws s3 ls --profile mine`",
    ]
