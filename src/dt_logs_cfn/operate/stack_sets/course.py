"""How far a roll-out is, and what goes on without us when somebody stops following it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dt_logs_cfn.operate.stack_sets.operations import CreateStackSet, Operation
from dt_logs_cfn.operate.stack_sets.progress import Progress
from dt_logs_cfn.operate.stack_sets.requests import call_as
from dt_logs_cfn.operate.stack_sets.rollout import Rollout


@dataclass(frozen=True)
class Done:
    """An operation that was carried out, and what it came to."""

    operation: Operation
    progress: Progress


@dataclass
class Course:
    """How far a roll-out is; kept while it runs, since Ctrl-C may come at any moment.

    `ours` is the id of an operation that is under way, or is being started, which AWS may not have
    answered yet; `theirs` is of one that is waited for, whoever started it.
    """

    operations: Sequence[Operation] = ()
    done: list[Done] = field(default_factory=list)
    ours: str = ""
    answered: bool = False
    theirs: str = ""

    @property
    def under_way(self) -> str:
        """The id of an operation that goes on, or may, by itself; making a stack set is none."""
        return self.theirs or ("" if self._making else self.ours)

    @property
    def _making(self) -> bool:
        return bool(self.ours) and isinstance(self.operations[len(self.done)], CreateStackSet)

    def told(self, rollout: Rollout) -> str:
        """Return what goes on by itself, and how to follow it, or that nothing does."""
        over, number = len(self.done), len(self.operations)
        before = f"{over} of {number} operations are over" if over else ""
        if self.theirs:
            return (
                f"Operation {self.theirs}, which was under way already, goes on;"
                f" {before or 'nothing of this roll-out was started'}."
                " The same command waits for it again, and this shows it:"
                f" {following(rollout, self.theirs)}"
            )
        if self._making:
            return "The stack set may have been made, without any stack. The same command goes on."
        if not self.ours:
            nothing = f"{before}, and nothing goes on. The same command does what is left."
            return nothing if over else "Nothing was started."
        after = number - over - 1
        rest = f"; {after} after it {'is' if after == 1 else 'are'} not started" if after else ""
        goes_on = "goes on" if self.answered else "may have been started, and then goes on"
        return (
            f"Operation {self.ours} {goes_on} by itself{rest}. The same command follows it again,"
            f" and so does: {following(rollout, self.ours)}"
        )


def following(rollout: Rollout, operation_id: str) -> str:
    """Return the AWS CLI's command that shows an operation, between backticks."""
    as_whom = call_as(rollout)
    more = f" --call-as {as_whom}" if as_whom != "SELF" else ""
    return (
        f"`aws cloudformation describe-stack-set-operation --stack-set-name {rollout.name}"
        f" --operation-id {operation_id}{more}`"
    )
