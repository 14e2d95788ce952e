"""Arithmetic over many tensors at once that reads like arithmetic on one.

A stepper sees all parameters as one `TensorList`; each operation is one `torch._foreach_*` call, so
that the equation of a paper costs a few calls and not a Python loop over parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import torch
from torch import Tensor

__all__ = ["Operand", "TensorList"]

Operand: TypeAlias = "TensorList | Tensor | float"
"""What stands beside a `TensorList`: another one, a number, or a vector with one entry a tensor."""

_Tensors: TypeAlias = list[Tensor] | tuple[Tensor, ...]

_REDUCTIONS = frozenset({"norm", "sum", "mean", "max", "min", "amax", "amin", "std", "var", "dot"})


class TensorList:
    """Tensors that are added, scaled and stepped together, each with its gradient in `grad`.

    On CPU an optimizer passes pieces of the parameters that fit the caches ("tiles"), so an entry
    may be a part of a parameter; only elementwise operations are offered. A stepper that needs
    the norms of whole tensors yields the lists (`larc_layer_lr` shows how).

    Operands are other lists, numbers, or a vector with one entry for each tensor. Methods that end
    in an underscore, and `+=`, `-=`, `*=`, `/=`, change the tensors in place.

    Args:
        tensors: the tensors; they are kept, not copied.
        grad: their gradients, where there are any.

    Example:
        >>> p = TensorList([torch.tensor([1.0, 2.0]), torch.tensor(3.0)])
        >>> (2 * p + 1).tensors
        (tensor([3., 5.]), tensor(7.))
        >>> p -= p / 2
        >>> p.tensors
        [tensor([0.5000, 1.0000]), tensor(1.5000)]
        >>> (p * torch.tensor([10.0, 100.0])).tensors
        (tensor([ 5., 10.]), tensor(150.))
    """

    __slots__ = ("_grad", "tensors")

    def __init__(self, tensors: _Tensors, grad: TensorList | None = None):
        self.tensors = tensors
        self._grad = grad

    @property
    def grad(self) -> TensorList:
        """The gradients. Setting it changes what later steppers of this step see, not `p.grad`."""
        if self._grad is None:
            raise ValueError("these tensors have no gradients: only the parameters of a step do")
        return self._grad

    @grad.setter
    def grad(self, value: TensorList) -> None:
        self._grad = value

    @property
    def data(self) -> TensorList:
        """The list itself, so that steppers written with `p.data` and `p.grad.data` work."""
        return self

    def __len__(self) -> int:
        return len(self.tensors)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    def __getitem__(self, index: int) -> Tensor:
        return self.tensors[index]

    def __repr__(self) -> str:
        return f"TensorList({[tuple(t.shape) for t in self.tensors]})"

    def __getattr__(self, name: str) -> NoReturn:
        if name in _REDUCTIONS:
            raise AttributeError(
                f"TensorList has no {name!r}: its entries may be parts of parameters. Yield the "
                "list from the stepper to get the L2 norms of whole tensors: `norms = yield p`"
            )
        raise AttributeError(
            f"TensorList has no {name!r}; use map({name}) for what has no method here"
        )

    def map(
        self, function: Callable[..., Tensor], *others: TensorList, **kwargs: Any
    ) -> TensorList:
        """`function` applied to each tensor (and those of `others`); must work elementwise.

        Example:
            >>> TensorList([torch.tensor([-1.0, 1.0])]).map(torch.relu).tensors
            [tensor([0., 1.])]
        """
        columns = zip(self.tensors, *(other.tensors for other in others), strict=True)
        return TensorList([function(*row, **kwargs) for row in columns])

    def clone(self) -> TensorList:
        """A copy of each tensor."""
        return TensorList(torch._foreach_clone(self.tensors))

    def zeros_like(self) -> TensorList:
        """Zeros of the same shapes."""
        return TensorList([torch.zeros_like(t) for t in self.tensors])

    def _scaled(self, value: Operand) -> Any:
        """`value` as torch's foreach functions take it."""
        if isinstance(value, TensorList):
            return value.tensors
        if isinstance(value, Tensor):
            return _one_a_tensor(value, len(self.tensors))
        return value

    # Out of place

    def __add__(self, other: Operand) -> TensorList:
        return TensorList(torch._foreach_add(self.tensors, self._scaled(other)))

    __radd__ = __add__

    def __sub__(self, other: Operand) -> TensorList:
        return TensorList(torch._foreach_sub(self.tensors, self._scaled(other)))

    def __rsub__(self, other: float) -> TensorList:
        return TensorList(torch._foreach_neg(self.tensors)).add_(other)

    def __mul__(self, other: Operand) -> TensorList:
        return TensorList(torch._foreach_mul(self.tensors, self._scaled(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> TensorList:
        return TensorList(torch._foreach_div(self.tensors, self._scaled(other)))

    def __rtruediv__(self, other: float) -> TensorList:
        return TensorList(torch._foreach_reciprocal(self.tensors)).mul_(other)

    def __neg__(self) -> TensorList:
        return TensorList(torch._foreach_neg(self.tensors))

    def __pow__(self, exponent: Operand) -> TensorList:
        if exponent == 2:
            # foreach's pow is several times slower than a product.
            return TensorList(torch._foreach_mul(self.tensors, self.tensors))
        return TensorList(torch._foreach_pow(self.tensors, self._scaled(exponent)))

    def add(self, other: Operand, *, alpha: float = 1) -> TensorList:
        """`self + alpha * other`."""
        if isinstance(other, TensorList):
            return TensorList(torch._foreach_add(self.tensors, other.tensors, alpha=alpha))
        return self + other * alpha

    def addcmul(self, first: TensorList, second: TensorList, *, value: float = 1) -> TensorList:
        """`self + value * first * second`."""
        tensors = torch._foreach_addcmul(self.tensors, first.tensors, second.tensors, value=value)
        return TensorList(tensors)

    def addcdiv(self, first: TensorList, second: TensorList, *, value: float = 1) -> TensorList:
        """`self + value * first / second`."""
        tensors = torch._foreach_addcdiv(self.tensors, first.tensors, second.tensors, value=value)
        return TensorList(tensors)

    def lerp(self, end: TensorList, weight: float) -> TensorList:
        """`self + weight * (end - self)`."""
        return TensorList(torch._foreach_lerp(self.tensors, end.tensors, weight))

    def sqrt(self) -> TensorList:
        """Square roots."""
        return TensorList(torch._foreach_sqrt(self.tensors))

    def abs(self) -> TensorList:
        """Absolute values."""
        return TensorList(torch._foreach_abs(self.tensors))

    def sign(self) -> TensorList:
        """Signs: -1, 0 or 1."""
        return TensorList(torch._foreach_sign(self.tensors))

    def exp(self) -> TensorList:
        """Exponentials."""
        return TensorList(torch._foreach_exp(self.tensors))

    def log(self) -> TensorList:
        """Natural logarithms."""
        return TensorList(torch._foreach_log(self.tensors))

    def reciprocal(self) -> TensorList:
        """`1 / self`."""
        return TensorList(torch._foreach_reciprocal(self.tensors))

    def clamp(self, low: float | None = None, high: float | None = None) -> TensorList:
        """Values cut to `low` and `high`."""
        tensors: _Tensors = self.tensors
        if low is not None:
            tensors = torch._foreach_clamp_min(tensors, low)
        if high is not None:
            tensors = torch._foreach_clamp_max(tensors, high)
        return TensorList(tensors)

    def maximum(self, other: Operand) -> TensorList:
        """The larger of each two values."""
        return TensorList(torch._foreach_maximum(self.tensors, self._scaled(other)))

    def minimum(self, other: Operand) -> TensorList:
        """The smaller of each two values."""
        return TensorList(torch._foreach_minimum(self.tensors, self._scaled(other)))

    # In place

    def __iadd__(self, other: Operand) -> TensorList:
        torch._foreach_add_(self.tensors, self._scaled(other))
        return self

    def __isub__(self, other: Operand) -> TensorList:
        torch._foreach_sub_(self.tensors, self._scaled(other))
        return self

    def __imul__(self, other: Operand) -> TensorList:
        torch._foreach_mul_(self.tensors, self._scaled(other))
        return self

    def __itruediv__(self, other: Operand) -> TensorList:
        torch._foreach_div_(self.tensors, self._scaled(other))
        return self

    def add_(self, other: Operand, *, alpha: float | Tensor = 1) -> TensorList:
        """`self += alpha * other`; alpha may be a vector with one entry for each tensor."""
        if isinstance(alpha, Tensor):
            return self._add_each_(other, alpha)
        if isinstance(other, TensorList):
            torch._foreach_add_(self.tensors, other.tensors, alpha=alpha)
            return self
        return self.__iadd__(other * alpha)

    def _add_each_(self, other: Operand, alpha: Tensor) -> TensorList:
        scales = self._scaled(alpha)
        if not isinstance(other, TensorList) or isinstance(scales[0], Tensor):
            return self.__iadd__(other * alpha)
        # On CPU a loop with numbers saves the product, which is a pass over memory.
        for tensor, term, scale in zip(self.tensors, other.tensors, scales, strict=True):
            tensor.add_(term, alpha=scale)
        return self

    def sub_(self, other: Operand, *, alpha: float | Tensor = 1) -> TensorList:
        """`self -= alpha * other`."""
        return self.add_(other, alpha=-alpha)

    def mul_(self, other: Operand) -> TensorList:
        """`self *= other`."""
        return self.__imul__(other)

    def div_(self, other: Operand) -> TensorList:
        """`self /= other`."""
        return self.__itruediv__(other)

    def addcmul_(self, first: TensorList, second: TensorList, *, value: float = 1) -> TensorList:
        """`self += value * first * second`."""
        torch._foreach_addcmul_(self.tensors, first.tensors, second.tensors, value=value)
        return self

    def addcdiv_(self, first: TensorList, second: TensorList, *, value: float = 1) -> TensorList:
        """`self += value * first / second`."""
        torch._foreach_addcdiv_(self.tensors, first.tensors, second.tensors, value=value)
        return self

    def lerp_(self, end: TensorList, weight: float) -> TensorList:
        """`self += weight * (end - self)`."""
        torch._foreach_lerp_(self.tensors, end.tensors, weight)
        return self

    def sqrt_(self) -> TensorList:
        """Square roots, in place."""
        torch._foreach_sqrt_(self.tensors)
        return self

    def copy_(self, source: TensorList) -> TensorList:
        """The values of `source`, in place."""
        torch._foreach_copy_(self.tensors, source.tensors)
        return self

    def zero_(self) -> TensorList:
        """Zeros, in place."""
        torch._foreach_zero_(self.tensors)
        return self


def _one_a_tensor(values: Tensor, count: int) -> Sequence[Any]:
    """A vector as one scalar for each of `count` tensors, without a wait for another device."""
    if values.ndim == 0:
        values = values.expand(count)
    if values.shape != (count,):
        raise ValueError(
            f"a tensor of shape {tuple(values.shape)} beside a list of {count} tensors; give a "
            f"number, a TensorList, or a vector of {count} numbers, one for each tensor"
        )
    if values.device.type == "cpu":
        scalars: list[float] = values.tolist()
        return scalars
    return values.unbind()
