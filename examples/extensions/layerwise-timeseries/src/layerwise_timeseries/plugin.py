"""The record of `layerwise-timeseries`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _of(module: str, summary: str, names: str) -> dict[str, Entry]:
    return {name: Entry(f"layerwise_timeseries.{module}:{name}", summary) for name in names.split()}


plugin = Plugin(
    name="timeseries",
    api=1,
    entries={
        "block": _of("blocks", "series of any length", "SeriesBlock"),
        "command": {
            "train.timeseries": Entry(
                "layerwise_timeseries.commands:train", "learn the classes of series"
            ),
        },
        "layer": _of("models.inception_time", "of InceptionTime", "InceptionBlock"),
        "learner": _of("learner", "a model for series", "series_learner"),
        "model": {
            **_of("models.inception_time", "convolutions of three lengths", "InceptionTime"),
            **_of("models.rocket", "random convolutions and a linear layer", "Rocket"),
        },
        "transform": {
            **_of("augment", "varies series of training",
                  "CropTime MaskTime NoiseSeries ScaleSeries SeriesAugment WarpTime"),
            **_of("padding", "series of a batch to one length", "PadSeries"),
            **_of("scaling", "channels to one scale", "StandardizeSeries"),
            **_of("types", "numbers to a series", "ToSeries"),
        },
        "type": _of("types", "channels over time", "TensorSeries"),
    },
)  # fmt: skip
"""Its names by kind, for `layerwise.core.registry`."""
