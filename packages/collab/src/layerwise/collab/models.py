"""Models of what users think of items: products of factors, and a network on both embeddings.

Shapes: B batch, C candidates of a row, U users, I items (`#na#` among both), K factors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from layerwise.core.errors import DataError, nearest
from layerwise.core.nn.activations import SigmoidRange, sigmoid_range
from layerwise.core.nn.embedding import Embedding
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.nn.module import Module
from layerwise.core.transforms.category import CategoryMap

__all__ = ["CollabModel", "EmbeddingDotBias", "EmbeddingNN"]

Pairs = Tensor | Sequence[Tensor]
"""(B, 1 + C) codes, of a user and of candidates; or (B,) users and (C,) items, of all pairs."""

Range = tuple[float, float]


class CollabModel(Module):
    """A model of users and items that are codes, row 0 of each being `#na#`: an interface.

    Subclasses write `scores`, and name their embeddings in `tables`.

    Attributes:
        classes: the classes of users and of items, by the names of the columns, users first; None
            where nobody said (`name_rows`).
    """

    classes: Mapping[str, CategoryMap] | None = None

    def forward(self, x: Pairs) -> Tensor:
        """Scores of pairs.

        Args:
            x: (B, 2) codes of user and item; (B, 1 + C) with several items each; or the pair of
                (B,) users and (C,) items, which stands for all of their pairs.

        Returns:
            (B,) for one item each, else (B, C).
        """
        if not isinstance(x, Tensor):
            users, items = x
            return self.scores_of_all(users, items)
        if x.shape[1] == 2:
            return self.scores(*x.unbind(1))
        return self.scores(x[:, :1], x[:, 1:])

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs: (B,) for (B,) codes of users and of items, (B, C) for (B, 1), (B, C)."""
        raise NotImplementedError(f"{type(self).__name__} has to define `scores`")

    def scores_of_all(self, users: Tensor, items: Tensor) -> Tensor:
        """(B, C) scores of all pairs of (B,) users and (C,) items."""
        return self.scores(users[:, None], items.expand(len(users), -1))

    def tables(self, *, is_item: bool) -> list[nn.Embedding]:
        """The embeddings of items, or of users: a row for each code."""
        raise NotImplementedError(f"{type(self).__name__} has to define `tables`")

    def factors(self, codes: Tensor, *, is_item: bool) -> Tensor:
        """(..., K) what the model knows of the items or users with these (...) codes.

        Here it is their row of the first embedding.
        """
        rows: Tensor = self.tables(is_item=is_item)[0](codes)
        return rows

    @torch.no_grad()
    def fill_unseen(self, users: Tensor, items: Tensor) -> None:
        """Give all rows that were not trained the mean of those that were, in each embedding.

        Args:
            users: (U,) whether each row was trained.
            items: (I,) likewise.

        Raises:
            ValueError: if an embedding has another number of rows.
        """
        for trained, is_item in ((users, False), (items, True)):
            if not trained.any() or trained.all():
                continue
            for table in self.tables(is_item=is_item):
                weight = table.weight
                if len(weight) != len(trained):
                    raise ValueError(
                        f"the model has {len(weight)} rows of {'items' if is_item else 'users'}, "
                        f"and the data have {len(trained)}; make it anew for these classes"
                    )
                mask = trained.to(weight.device)
                weight[~mask] = weight[mask].mean(0)

    def name_rows(self, classes: Mapping[str, CategoryMap]) -> Self:
        """Take up the classes of users and items, as `dls.classes` has them; the model itself."""
        self.classes = classes
        return self

    def codes(self, arr: Any, *, is_item: bool) -> Tensor:
        """(N,) rows of the ids in `arr`, or of the one id that it is.

        Raises:
            DataError: for an id without a class; names the nearest.
            ValueError: if the model does not know the classes.
        """
        if self.classes is None:
            raise ValueError(
                f"this {type(self).__name__} does not know which row is whose, as after "
                "load_learner; say so with learn.model.name_rows(learn.dls.classes)"
            )
        name, classes = list(self.classes.items())[int(is_item)]
        is_one = isinstance(arr, str | bytes) or not isinstance(arr, Iterable)
        found = []
        for one in [arr] if is_one else arr:
            if one not in classes:
                close = nearest(str(one), map(str, classes))
                raise DataError(f"{one!r} is no {name} that the model was trained with.{close}")
            found.append(classes.o2i[one])
        device = self.tables(is_item=is_item)[0].weight.device
        return torch.tensor(found, device=device, dtype=torch.long)


class EmbeddingDotBias(CollabModel):
    """The product of factors of user and item, and a bias of each (Koren, Bell, Volinsky 2009).

    `score = mean + bias(user) + bias(item) + factors(user) @ factors(item)`, squashed into a range
    if there is one.

    Args:
        n_factors: numbers for each user and item.
        n_users: users, `#na#` among them.
        n_items: items, likewise.
        y_range: the lowest and highest score; slightly more than the ratings have, since a sigmoid
            does not reach its ends. None: any number.
        mean: what factors and biases only correct: the mean rating, so that the decay of biases
            leads there and not to zero. Ratings in a range start in its middle and need none.

    Attributes:
        u_weight, i_weight: `Embedding` of (U, K) and (I, K) factors.
        u_bias, i_bias: `Embedding` of (U, 1) and (I, 1) biases.

    Example:
        >>> model = EmbeddingDotBias(3, n_users=10, n_items=20, y_range=(0, 5.5))
        >>> model(torch.tensor([[1, 7], [2, 7]])).shape, model(torch.tensor([[1, 7, 8, 9]])).shape
        (torch.Size([2]), torch.Size([1, 3]))
    """

    def __init__(
        self,
        n_factors: int,
        n_users: int,
        n_items: int,
        y_range: Range | None = None,
        mean: float = 0.0,
    ) -> None:
        self.y_range, self.mean = y_range, mean
        self.u_weight, self.i_weight = Embedding(n_users, n_factors), Embedding(n_items, n_factors)
        self.u_bias, self.i_bias = Embedding(n_users, 1), Embedding(n_items, 1)

    @classmethod
    def from_classes(
        cls,
        n_factors: int,
        classes: Mapping[str, CategoryMap],
        user: str | None = None,
        item: str | None = None,
        y_range: Range | None = None,
        mean: float = 0.0,
    ) -> Self:
        """The model for these classes, which `weight` and `bias` find ids by.

        Args:
            n_factors: numbers for each user and item.
            classes: by name of the column, as `dls.classes`.
            user: name of the users' column; the first when None.
            item: name of the items' column; the second when None.
            y_range: see the class.
            mean: see the class.

        Raises:
            ValueError: for a name that is not there; names the nearest.
        """
        names = [list(classes)[i] if name is None else name for i, name in enumerate((user, item))]
        for name in names:
            if name not in classes:
                raise ValueError(
                    f"no classes of a column {name!r}; there are those of "
                    f"{', '.join(map(repr, classes))}.{nearest(name, classes)}"
                )
        own = {name: classes[name] for name in names}
        n_users, n_items = map(len, own.values())
        model = cls(n_factors, n_users, n_items, y_range=y_range, mean=mean)
        return model.name_rows(own)

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs: (B,) for (B,) codes of users and of items, (B, C) for (B, 1), (B, C)."""
        user, item = self.factors(users, is_item=False), self.factors(items, is_item=True)
        biases = self.biases(users, is_item=False) + self.biases(items, is_item=True)
        return self._squashed(torch.linalg.vecdot(user, item) + biases.squeeze(-1))

    def scores_of_all(self, users: Tensor, items: Tensor) -> Tensor:
        """(B, C) scores of all pairs of (B,) users and (C,) items."""
        user, item = self.factors(users, is_item=False), self.factors(items, is_item=True)
        biases = self.biases(users, is_item=False) + self.biases(items, is_item=True).T
        return self._squashed(user @ item.T + biases)

    def factors(self, codes: Tensor, *, is_item: bool) -> Tensor:
        """(..., K) factors of the items or users with these (...) codes."""
        rows: Tensor = (self.i_weight if is_item else self.u_weight)(codes)
        return rows

    def biases(self, codes: Tensor, *, is_item: bool) -> Tensor:
        """(..., 1) bias of the items or users with these (...) codes."""
        rows: Tensor = (self.i_bias if is_item else self.u_bias)(codes)
        return rows

    def _squashed(self, scores: Tensor) -> Tensor:
        if self.mean:
            scores = scores + self.mean
        return scores if self.y_range is None else sigmoid_range(scores, *self.y_range)

    def tables(self, *, is_item: bool) -> list[nn.Embedding]:
        """Factors and biases of items, or of users."""
        return [self.i_weight, self.i_bias] if is_item else [self.u_weight, self.u_bias]

    @torch.no_grad()
    def weight(self, arr: Any, is_item: bool = True) -> Tensor:
        """(N, K) factors of the items in `arr`, or of its users; without a gradient, on the CPU."""
        return self.factors(self.codes(arr, is_item=is_item), is_item=is_item).cpu()

    @torch.no_grad()
    def bias(self, arr: Any, is_item: bool = True) -> Tensor:
        """(N,) bias of the items in `arr`, or of its users; without a gradient, on the CPU."""
        return self.biases(self.codes(arr, is_item=is_item), is_item=is_item).squeeze(-1).cpu()


class EmbeddingNN(CollabModel):
    """A network on the embeddings of user and item side by side.

    Args:
        emb_szs: (rows, length) of the embedding of users, and of items.
        layers: features after each layer between the embeddings and the score.
        ps: share of features that dropout hides after each of them; one number for all.
        embed_p: share of the numbers of embeddings that dropout hides.
        y_range: the lowest and highest score, see `EmbeddingDotBias`.
        use_bn: batch normalisation after each layer but the last.

    Raises:
        ValueError: if there are not two embeddings, or not one share for each layer.

    Attributes:
        embeds: the embedding of users, and of items.

    Example:
        >>> EmbeddingNN([(10, 4), (20, 6)], [8])(torch.tensor([[1, 7], [2, 7]])).shape
        torch.Size([2])
    """

    def __init__(
        self,
        emb_szs: Sequence[tuple[int, int]],
        layers: Sequence[int],
        ps: float | Sequence[float] = 0.0,
        embed_p: float = 0.0,
        y_range: Range | None = None,
        use_bn: bool = True,
    ) -> None:
        if len(emb_szs) != 2:
            raise ValueError(f"{len(emb_szs)} sizes of embeddings; give two: of users and of items")
        shares = list(ps) if isinstance(ps, Sequence) else [ps] * len(layers)
        if len(shares) != len(layers):
            raise ValueError(f"{len(shares)} shares ps for {len(layers)} layers; give one for each")
        self.embeds = nn.ModuleList([Embedding(rows, length) for rows, length in emb_szs])
        self.emb_drop = nn.Dropout(embed_p)
        widths = [sum(length for _, length in emb_szs), *layers]
        hidden = [
            LinBnDrop(n_in, n_out, bn=use_bn, p=p, act=nn.ReLU(inplace=True), lin_first=True)
            for n_in, n_out, p in zip(widths, layers, shares, strict=False)
        ]
        last: list[nn.Module] = [nn.Linear(widths[-1], 1)]
        if y_range is not None:
            last.append(SigmoidRange(*y_range))
        self.layers = nn.Sequential(*hidden, *last)

    def scores(self, users: Tensor, items: Tensor) -> Tensor:
        """Scores of pairs: (B,) for (B,) codes of users and of items, (B, C) for (B, 1), (B, C)."""
        item = self.embeds[1](items)
        user = self.embeds[0](users).expand(*items.shape, -1)
        both = torch.cat([user, item], dim=-1).flatten(0, -2)  # (B, C, K) -> (B * C, K)
        scores: Tensor = self.layers(self.emb_drop(both))
        return scores.view(items.shape)

    def tables(self, *, is_item: bool) -> list[nn.Embedding]:
        """The embedding of items, or of users."""
        return [cast(Embedding, self.embeds[int(is_item)])]
