"""The record of `layerwise-collab`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _of(module: str, summary: str, names: str) -> dict[str, Entry]:
    """An entry for each of `names`, which stand in one module of collab."""
    return {name: Entry(f"layerwise.collab.{module}:{name}", summary) for name in names.split()}


plugin = Plugin(
    name="collab",
    api=1,
    entries={
        "callback": {**_of("unseen", "the mean for whom training has not seen", "FillUnseen")},
        "data": {**_of("ratings", "users, items and ratings in arrays", "Ratings")},
        "learner": {**_of("learner", "factors of users and items", "collab_learner")},
        "loss": {
            **_of("losses", "ranks what was taken above the rest", "BPRLoss SampledSoftmaxLoss"),
        },
        "metric": {
            **_of("metrics", "of a ranking, up to place k",
                  "CoverageAtK HitRateAtK MAPAtK NDCGAtK PrecisionAtK RankingMetric RecallAtK"),
        },
        "model": {
            **_of("models", "factors and biases of users and items", "EmbeddingDotBias"),
            **_of("feature_model", "factors of ids and of what is known of them", "FeatureDotBias"),
            **_of("models", "a network on embeddings of user and item", "EmbeddingNN"),
        },
        "training": {
            "collab": Entry("layerwise.collab.training:collab_training", "ratings of items"),
        },
        "transform": {
            **_of("negatives", "items that a user did not take", "BatchNegatives DrawNegatives"),
        },
        "type": {**_of("types", "of recommendations", "Rating UserItem")},
    },
)  # fmt: skip
"""What collab offers by name."""
