"""`FeatureDotBias`: factors that are the sum of those of an id and of its features.

Shapes: B batch, U users, I items, F features, K factors; ... any codes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from layerwise.collab.models import EmbeddingDotBias
from layerwise.core.nn.init import trunc_normal_

__all__ = ["FeatureDotBias"]


class FeatureDotBias(EmbeddingDotBias):
    """`EmbeddingDotBias` with features of users, of items, or both (Kula, 2015: LightFM).

    Factors and bias of an id are its own and those of each of its features, times the value. So an
    item without ratings, at the mean of all others, differs by what its features say.

    Args:
        n_factors: see `EmbeddingDotBias`.
        n_users: see `EmbeddingDotBias`.
        n_items: see `EmbeddingDotBias`.
        n_user_features: features of each user.
        n_item_features: features of each item.
        y_range: see `EmbeddingDotBias`.
        mean: see `EmbeddingDotBias`.

    Attributes:
        user_features: (U, F) values; they are part of the weights that are saved. `know` sets them.
        item_features: (I, F) values.

    Example:
        >>> model = FeatureDotBias(3, n_users=10, n_items=20, n_item_features=2)
        >>> model.know(items=torch.rand(20, 2))(torch.tensor([[1, 7], [2, 7]])).shape
        torch.Size([2])
    """

    user_features: Tensor
    item_features: Tensor

    def __init__(
        self,
        n_factors: int,
        n_users: int,
        n_items: int,
        n_user_features: int = 0,
        n_item_features: int = 0,
        y_range: tuple[float, float] | None = None,
        mean: float = 0.0,
    ) -> None:
        super().__init__(n_factors, n_users, n_items, y_range, mean)
        self.register_buffer("user_features", torch.zeros(n_users, n_user_features))
        self.register_buffer("item_features", torch.zeros(n_items, n_item_features))
        # The last column is the bias.
        self.u_feature_weight = _start(n_user_features, n_factors + 1)
        self.i_feature_weight = _start(n_item_features, n_factors + 1)

    def know(self, users: Tensor | None = None, items: Tensor | None = None) -> FeatureDotBias:
        """Take up features, as `feature_matrix` makes them; the model itself.

        Args:
            users: (U, F) of users.
            items: (I, F) of items.

        Raises:
            ValueError: if the model was made for others.
        """
        for own, given, name in (
            (self.user_features, users, "users"), (self.item_features, items, "items"),
        ):  # fmt: skip
            if given is None:
                continue
            if own.shape != given.shape:
                raise ValueError(
                    f"features of {name} of shape {tuple(given.shape)} for a model made for "
                    f"{tuple(own.shape)}; give those of the same ids and columns, or make the "
                    "model anew"
                )
            own.copy_(given)
        return self

    def factors(self, codes: Tensor, *, is_item: bool) -> Tensor:
        """(..., K) factors of the items or users with these (...) codes, features among them."""
        own = super().factors(codes, is_item=is_item)
        return own + self._of_features(codes, is_item, slice(None, -1))

    def biases(self, codes: Tensor, *, is_item: bool) -> Tensor:
        """(..., 1) bias of the items or users with these (...) codes, features among them."""
        own = super().biases(codes, is_item=is_item)
        return own + self._of_features(codes, is_item, slice(-1, None))

    def _of_features(self, codes: Tensor, is_item: bool, columns: slice) -> Tensor | float:
        features = self.item_features if is_item else self.user_features
        if not features.shape[1]:
            return 0.0
        weight = self.i_feature_weight if is_item else self.u_feature_weight
        return features[codes] @ weight[:, columns]


def _start(*shape: int) -> nn.Parameter:
    weight = torch.zeros(*shape)
    return nn.Parameter(trunc_normal_(weight, 0, 0.01) if weight.numel() else weight)
