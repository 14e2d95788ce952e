"""The record of `layerwise-core`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _of(module: str, summary: str, names: str) -> dict[str, Entry]:
    """An entry for each of `names`, which stand in one module of core."""
    return {name: Entry(f"layerwise.core.{module}:{name}", summary) for name in names.split()}


plugin = Plugin(
    name="core",
    api=1,
    entries={
        "block": {
            **_of("data.block", "kind of data",
                 "CategoryBlock MultiCategoryBlock RegressionBlock TransformBlock"),
        },
        "callback": {
            **_of("callback.csv_log", "writes the table of epochs", "CSVLogger"),
            **_of("callback.lr_find", "looks for a learning rate", "LRFinder"),
            **_of("callback.schedule", "sets hyper-parameters by step", "ParamScheduler"),
            **_of("callback.show_graph", "draws the losses", "ShowGraphCallback"),
            **_of("callback.skip", "leaves out epochs", "SkipToEpoch"),
            **_of("train.callback", "of every training", "Callback TrainEvalCallback"),
            **_of("train.predict", "gathers predictions", "FetchPredsCallback GatherPredsCallback"),
            **_of("train.progress", "shows how far training is", "ProgressCallback"),
            **_of("train.recorder", "keeps what was measured", "Recorder"),
        },
        "loss": {
            **_of("nn.base_loss", "over flattened outputs and targets", "BaseLoss ClassLoss"),
            **_of("nn.losses", "over flattened outputs and targets",
                 "BCELossFlat BCEWithLogitsLossFlat CrossEntropyLossFlat DiceLoss FocalLoss "
                 "FocalLossFlat L1LossFlat LabelSmoothingCrossEntropy "
                 "LabelSmoothingCrossEntropyFlat MSELossFlat"),
        },
        "metric": {
            **_of("metrics.classification", "for one class an item",
                 "BalancedAccuracy CohenKappa F1Score FBeta HammingLoss Jaccard MatthewsCorrCoef "
                 "Precision Recall accuracy error_rate top_k_accuracy"),
            **_of("metrics.collected", "any function, over the whole set", "AccumMetric"),
            **_of("metrics.loss", "part of the loss", "LossMetric"),
            **_of("metrics.metric", "average over a set",
                 "AvgLoss AvgMetric AvgSmoothLoss Metric ValueMetric"),
            **_of("metrics.multilabel", "for any number of classes an item",
                 "F1ScoreMulti FBetaMulti HammingLossMulti JaccardMulti MatthewsCorrCoefMulti "
                 "PrecisionMulti RecallMulti accuracy_multi"),
            **_of("metrics.multilabel_probability", "of the probabilities of labels",
                 "APScoreMulti BrierScoreMulti RocAucMulti"),
            **_of("metrics.pooled", "pooled over batches", "PooledMetric"),
            **_of("metrics.probability", "of the probabilities of classes",
                 "APScoreBinary BrierScore RocAuc RocAucBinary"),
            **_of("metrics.regression", "for numbers",
                 "ExplainedVariance PearsonCorrCoef R2Score SpearmanCorrCoef exp_rmspe mae mse "
                 "msle rmse"),
            **_of("metrics.segmentation", "for a class at each pixel",
                 "Dice DiceMulti JaccardCoeff JaccardCoeffMulti foreground_acc"),
            **_of("metrics.text", "for text", "CorpusBLEUMetric Perplexity perplexity"),
        },
        "optimizer": {
            **_of("optim.algorithms", "for opt_func",
                 "Adam Lamb Larc Lars Lookahead QHAdam RAdam RMSProp SGD ranger"),
        },
        "reader": {
            **_of("data.readers", "from an item to what is in it",
                 "AttrGetter ColReader ItemGetter RegexLabeller parent_label"),
            **_of("data.source", "from an item to what is in it",
                 "FileGetter ImageGetter get_files get_image_files get_text_files"),
        },
        "schedule": {
            **_of("optim.schedules", "of a hyper-parameter",
                 "SchedCos SchedExp SchedLin SchedNo SchedPoly combine_scheds combined_cos"),
        },
        "splitter": {
            **_of("data.split", "which items train, which validate",
                 "ColSplitter EndSplitter FileSplitter FuncSplitter GrandparentSplitter "
                 "IndexSplitter MaskSplitter RandomSplitter RandomSubsetSplitter"),
            **_of("data.stratify", "which items train, which validate", "TrainTestSplitter"),
        },
        "transform": {
            **_of("transforms.category", "labels to numbers and back",
                 "Categorize EncodedMultiCategorize MultiCategorize OneHotEncode"),
            **_of("transforms.numeric", "of numbers",
                 "IntToFloatTensor Normalize RegressionSetup ToTensor"),
            **_of("transforms.random", "by chance, in training alone", "RandTransform"),
            **_of("transforms.transform", "there and back",
                 "DisplayedTransform InplaceTransform ItemTransform Transform"),
        },
        "type": {
            **_of("arrays", "array that knows what it is",
                 "ArrayBase ArrayImage ArrayImageBW ArrayImageBase ArrayMask"),
            **_of("display.titled", "shows itself as a title",
                 "TitledFloat TitledInt TitledStr TitledTuple"),
            **_of("tensors", "tensor that knows what it is",
                 "TensorBase TensorCategory TensorFlowField TensorImage TensorImageBW "
                 "TensorImageBase TensorMask TensorMultiCategory TitledTensorScalar"),
            **_of("transforms.category", "label, or labels", "Category MultiCategory"),
        },
    },
)  # fmt: skip
"""Its names by kind, for `layerwise.core.registry`."""
