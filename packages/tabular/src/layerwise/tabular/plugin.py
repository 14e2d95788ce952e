"""The record of `layerwise-tabular`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _entry(place: str, summary: str) -> Entry:
    return Entry(f"layerwise.tabular.{place}", summary)


plugin = Plugin(
    name="tabular",
    api=1,
    entries={
        "data": {
            "Schema": _entry("schema:Schema", "what a table is, without its rows"),
            "Tabular": _entry("table:Tabular", "rows of a table"),
            "TabularPandas": _entry("pandas_table:TabularPandas", "a frame made ready"),
        },
        "layer": {
            "CategoryEmbeddings": _entry(
                "models.inputs:CategoryEmbeddings", "columns of categories as numbers"
            ),
            "Rescale": _entry("models.outputs:Rescale", "outputs on the scale of targets"),
        },
        "learner": {
            "tabular_learner": _entry("learner:tabular_learner", "a model for a table"),
        },
        "loss": {
            "SeveralLosses": _entry(
                "several_losses:SeveralLosses", "of several targets of different kinds"
            ),
        },
        "model": {
            "FTTransformer": _entry(
                "models.ft_transformer:FTTransformer", "attention among the columns"
            ),
            "TabularModel": _entry("models.mlp:TabularModel", "perceptron over embeddings"),
            "TabularResNet": _entry("models.resnet:TabularResNet", "perceptron with short cuts"),
        },
        "splitter": {
            "TimeSplitter": _entry("series:TimeSplitter", "the last rows validate"),
            "tokenizer_split": _entry(
                "models.ft_transformer:tokenizer_split", "parameter groups of an FTTransformer"
            ),
        },
        "training": {
            "tabular": Entry("layerwise.tabular.training:tabular_training", "a column of a table"),
        },
        "transform": {
            "Categorify": _entry("procs:Categorify", "categories to codes"),
            "FillMissing": _entry("procs:FillMissing", "gaps to values and flags"),
            "NormalizeColumns": _entry("procs:NormalizeColumns", "numbers to one scale"),
            "NormalizeQuantiles": _entry("quantiles:NormalizeQuantiles", "numbers by their rank"),
            "TabularProc": _entry("procs:TabularProc", "a step for columns"),
            "TargetEncode": _entry("target_encoding:TargetEncode", "categories to target means"),
        },
        "type": {
            "FillStrategy": _entry("procs:FillStrategy", "what stands for a missing number"),
            "TabDataLoader": _entry("loader:TabDataLoader", "loads rows"),
            "TabWeightedDL": _entry("loader:TabWeightedDL", "loads rows by weight"),
        },
    },
)
"""What tabular offers by name."""
