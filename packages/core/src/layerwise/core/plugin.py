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
            **_of("callback.accumulate", "a step for several batches", "GradientAccumulation"),
            **_of("callback.azureml", "logs to Azure Machine Learning", "AzureMLCallback"),
            **_of("callback.channels_last", "lays pictures out for speed", "ChannelsLast"),
            **_of("callback.checkpoint", "writes states to go on from", "Checkpoint"),
            **_of("callback.clip", "a largest norm for gradients", "GradientClip"),
            **_of("callback.comet", "logs to Comet", "CometCallback"),
            **_of("callback.csv_log", "writes the table of epochs", "CSVLogger"),
            **_of("callback.data", "keeps every batch", "CollectDataCallback"),
            **_of("callback.ema", "averages the weights", "EMA"),
            **_of("callback.hook", "looks into layers", "ActivationStats HookCallback"),
            **_of("callback.json_log", "writes all that is logged", "JSONLogger"),
            **_of("callback.lr_find", "looks for a learning rate", "LRFinder"),
            **_of("callback.lsuv", "initialises weights on the first batch", "LSUV"),
            **_of("callback.mixup", "mixes items and their targets", "CutMix MixHandler MixUp"),
            **_of("callback.nan_guard", "no step with NaN", "NaNGuard TerminateOnNaNCallback"),
            **_of("callback.optuna", "ends trainings without prospects", "OptunaPruningCallback"),
            **_of("callback.oom", "batches that do not fit go in parts", "AutoMicroBatch"),
            **_of("callback.precision", "half precision where it is safe", "MixedPrecision"),
            **_of("callback.preds", "predicts with dropout", "MCDropoutCallback"),
            **_of("callback.profile", "measures where time goes", "ProfileCallback"),
            **_of("callback.progressive", "small pictures first", "ProgressiveResizing"),
            **_of("callback.rnn", "of recurrent language models",
                 "ModelResetter RNNCallback RNNRegularizer"),
            **_of("callback.sam", "steps towards flat minima", "SAM"),
            **_of("callback.schedule", "sets hyper-parameters by step", "ParamScheduler"),
            **_of("callback.show_graph", "draws the losses", "ShowGraphCallback"),
            **_of("callback.skip", "leaves out epochs", "SkipToEpoch"),
            **_of("callback.tensorboard", "logs to TensorBoard",
                 "TensorBoardBaseCallback TensorBoardCallback TensorBoardProjectorCallback"),
            **_of("callback.tracker", "follows a column of the table",
                 "EarlyStoppingCallback ReduceLROnPlateau SaveModelCallback TrackerCallback"),
            **_of("callback.training", "shortens epochs, keeps norm layers",
                 "BnFreeze ShortEpochCallback"),
            **_of("callback.wandb", "logs to Weights & Biases", "WandbCallback"),
            **_of("distributed.parallel", "trains on several GPUs", "ParallelTrainer"),
            **_of("distributed.trainer", "trains with several processes", "DistributedTrainer"),
            **_of("train.callback", "of every training", "Callback TrainEvalCallback"),
            **_of("train.predict", "gathers predictions", "FetchPredsCallback GatherPredsCallback"),
            **_of("train.progress", "shows how far training is", "ProgressCallback"),
            **_of("train.recorder", "keeps what was measured", "Recorder"),
        },
        "command": {
            **_of("cli.deploy", "writes a model for other programs", "export"),
            **_of("cli.evaluate", "measures an exported learner", "evaluate"),
            **_of("cli.predict", "predicts files, texts or rows", "predict"),
            **_of("cli.training", "goes on with a run of `layerwise train`", "resume"),
            **_of("serve.command", "answers requests over the web", "serve"),
        },
        "data": {**_of("data.array_loader", "samples in arrays", "ArrayDataset")},
        "function": {
            **_of("items", "does nothing", "noop"),
            **_of("nn.activations", "activation",
                 "inplace_relu mish sigmoid sigmoid_ sigmoid_range swish vleaky_relu"),
            **_of("nn.walk", "parameters of a model, for splitter", "params trainable_params"),
        },
        "layer": {
            **_of("nn.activations", "activation", "Mish SigmoidRange Swish"),
            **_of("nn.attention", "attends to all positions",
                 "PooledSelfAttention2d SelfAttention SimpleSelfAttention"),
            **_of("nn.conv", "convolution", "ConvLayer PixelShuffle_ICNR SimpleCNN"),
            **_of("nn.linear", "linear", "LinBnDrop"),
            **_of("nn.sized", "convolutional net for pictures of one size", "SizedCNN"),
            **_of("nn.embedding", "a row of numbers for each class", "Embedding"),
            **_of("nn.norm", "normalises", "BatchNorm BatchNorm1dFlat InstanceNorm"),
            **_of("nn.plumbing", "changes shapes or joins layers",
                 "Flatten Identity Lambda MergeLayer PartialLambda ProdLayer ResizeBatch "
                 "SequentialEx ToTensorBase View"),
            **_of("nn.pool", "pools",
                 "AdaptiveAvgPool AdaptiveConcatPool1d AdaptiveConcatPool2d AvgPool MaxPool "
                 "PoolFlatten"),
            **_of("nn.residual", "adds its input to its output",
                 "ResBlock SEBlock SEModule SEResNeXtBlock SeparableBlock"),
            **_of("nn.running_norm", "normalises by running sums", "RunningBatchNorm"),
            **_of("nn.time_distributed", "applies a module to each step", "TimeDistributed"),
        },
        "loss": {
            **_of("nn.base_loss", "over flattened outputs and targets", "BaseLoss ClassLoss"),
            **_of("nn.losses", "over flattened outputs and targets",
                 "BCELossFlat BCEWithLogitsLossFlat CrossEntropyLossFlat DiceLoss FocalLoss "
                 "FocalLossFlat L1LossFlat LabelSmoothingCrossEntropy "
                 "LabelSmoothingCrossEntropyFlat MSELossFlat"),
            **_of("train.outputs", "of a model that computes its loss itself", "ModelLoss"),
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
            **_of("optim.wrap", "an optimizer of torch", "OptimWrapper"),
            **_of("optim.several", "several, each with its part of the model", "Optimizers"),
        },
        "reader": {
            "Chained": Entry("layerwise.core.data.block:_Chained", "one reader after another"),
            **_of("data.readers", "from an item to what is in it",
                 "AttrGetter ColReader ItemGetter OfName RegexLabeller parent_label using_attr"),
            **_of("data.source", "from an item to what is in it",
                 "FileGetter ImageGetter get_files get_image_files get_text_files"),
        },
        "schedule": {
            "Power": Entry("layerwise.core.optim.schedules:_Power", "the curve of SchedPoly"),
            **_of("optim.schedules", "of a hyper-parameter",
                 "Annealer CombinedSchedule SchedCos SchedExp SchedLin SchedNo SchedPoly "
                 "combine_scheds combined_cos "
                 "sched_cos sched_exp sched_lin sched_no"),
        },
        "splitter": {
            **_of("data.split", "which items train, which validate",
                 "ColSplitter EndSplitter FileSplitter FuncSplitter GrandparentSplitter "
                 "IndexSplitter MaskSplitter RandomSplitter RandomSubsetSplitter"),
            **_of("data.stratify", "which items train, which validate", "TrainTestSplitter"),
        },
        "transform": {
            "Getter": Entry("layerwise.core.data.block:_Getter", "a reader, on the item whole"),
            **_of("transforms.category", "labels to numbers and back",
                 "Categorize EncodedMultiCategorize MultiCategorize OneHotEncode"),
            **_of("transforms.numeric", "of numbers",
                 "IntToFloatTensor Normalize RegressionSetup ToTensor"),
            **_of("transforms.random", "by chance, in training alone", "RandTransform"),
            **_of("transforms.transform", "there and back",
                 "DisplayedTransform InplaceTransform ItemTransform Transform"),
        },
        "type": {
            **{n: Entry(f"builtins:{n}", "of Python")
               for n in ("bool", "bytes", "dict", "float", "int", "list", "str", "tuple")},
            "Path": Entry("pathlib:Path", "of Python"),
            "PathLike": Entry("os:PathLike", "of Python"),
            "Tensor": Entry("torch:Tensor", "of torch"),
            "ndarray": Entry("numpy:ndarray", "of NumPy"),
            **_of("data.array_loader", "loads batches", "ArrayDL"),
            **_of("data.loaders", "loads batches", "TfmdDL"),
            **_of("data.partial", "loads batches", "PartialDL"),
            **_of("data.weighted", "loads batches", "WeightedDL"),
            **_of("items", "list", "L"),
            **_of("callback.precision", "a kind of half precision", "AMPMode"),
            **_of("metrics.collected", "what a metric makes of outputs", "ActivationType"),
            **_of("nn.norm", "how a layer is normalised", "NormType"),
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
