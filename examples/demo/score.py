"""How good a model is, beside what guessing gives and what it should reach."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Score", "share_of_commonest"]


@dataclass(frozen=True)
class Score:
    """How good a model is, and what that has to be compared with.

    Args:
        metric: its name.
        value: what the model reached on data that it has not been trained on.
        guess: what whoever knows no more than the targets of training would reach.
        goal: what is worse shows that something is wrong. Above `guess`, large values are good;
            below it, small ones are.
        form: how the numbers are written, a format of Python.
    """

    metric: str
    value: float
    guess: float
    goal: float
    form: str = ".1%"

    @property
    def is_reached(self) -> bool:
        """Whether the goal is; never for a value that is not a number."""
        is_rising = self.goal > self.guess
        return self.value >= self.goal if is_rising else self.value <= self.goal

    def row(self) -> dict[str, str]:
        """What the table says of it."""
        return {
            "metric": self.metric,
            "value": format(self.value, self.form),
            "guessing": format(self.guess, self.form),
        }

    def problem(self) -> str:
        """How it falls short of the goal; empty when it does not."""
        if self.is_reached:
            return ""
        value, goal = format(self.value, self.form), format(self.goal, self.form)
        return f"{self.metric} is {value}, and the goal {goal}"


def share_of_commonest(targets: Tensor) -> float:
    """The accuracy of whoever always names the commonest class.

    Args:
        targets: (N,) classes.
    """
    return float(targets.bincount().max() / len(targets))
