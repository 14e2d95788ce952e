"""The record of `layerwise-text`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _of(module: str, summary: str, names: str) -> dict[str, Entry]:
    """An entry for each of the names that a module defines, in words of all of them."""
    return {name: Entry(f"layerwise.text.{module}:{name}", summary) for name in names.split()}


plugin = Plugin(
    name="text",
    api=1,
    entries={
        "block": {
            **_of("blocks", "texts, cut into tokens and numbered", "TextBlock"),
            **_of("tagging.blocks", "sentences whose words have labels", "TagBlock TokenBlock"),
        },
        "function": {
            **_of("rules", "makes a text plainer",
                 "fix_html lowercase replace_all_caps replace_maj replace_rep replace_space "
                 "replace_wrep rm_useless_spaces spec_add_spaces"),
            **_of("tokenizers.base", "cuts texts at a character", "BaseTokenizer"),
            **_of("tokenizers.hugging_face", "cuts texts as a model was trained with",
                 "HuggingFaceTokenizer"),
            **_of("tokenizers.regex", "cuts texts into words", "RegexTokenizer"),
            **_of("tokenizers.spacy_words", "cuts texts into words", "SpacyTokenizer"),
            **_of("tokenizers.subwords", "cuts texts into parts of words",
                 "SentencePieceTokenizer"),
        },
        "layer": {
            **_of("models.classifier", "of a classifier",
                 "PoolingLinearClassifier SentenceEncoder"),
            **_of("models.dropout", "dropout", "EmbeddingDropout RNNDropout WeightDropout"),
            **_of("models.language_model", "of a language model", "LinearDecoder SequentialRNN"),
        },
        "learner": {
            **_of("learner", "a model for texts", "language_model_learner text_classifier_learner"),
            **_of("tagging.learner", "a model for words", "token_classifier_learner"),
        },
        "metric": {
            **_of("metrics", "of tokens", "token_accuracy"),
            **_of("tagging.metrics", "of words with labels", "EntityF1 tag_accuracy"),
        },
        "model": {
            **_of("models.awd_lstm", "recurrent, with five dropouts", "AWD_LSTM"),
            **_of("models.classifier", "a classifier on an encoder", "get_text_classifier"),
            **_of("hugging_face.adapter", "a model of transformers", "HuggingFaceModel"),
            **_of("hugging_face.loading", "a model of transformers",
                 "hugging_face_classifier hugging_face_writer"),
            **_of("hugging_face.writer", "a language model of transformers", "HuggingFaceWriter"),
            **_of("models.language_model", "a language model on an encoder", "get_language_model"),
            **_of("models.recurrent", "recurrent", "GRUEncoder LSTMEncoder"),
            **_of("models.transformer", "attention to what came before", "TextTransformer"),
        },
        "splitter": {
            **_of("models.awd_lstm", "parameter groups of an AWD_LSTM",
                 "awd_lstm_clas_split awd_lstm_lm_split"),
            **_of("hugging_face.groups", "parameter groups of a model of transformers",
                 "hugging_face_lm_split hugging_face_split"),
            **_of("models.encoder", "parameter groups of a model of texts",
                 "encoder_clas_split encoder_lm_split"),
        },
        "training": {
            "text": Entry("layerwise.text.training:text_training", "labels of texts, or texts"),
        },
        "transform": {
            **_of("padding", "texts of a batch to one length", "Pad_Chunk Pad_Input"),
            **_of("reverse", "texts from their end", "ReverseText"),
            **_of("tagging.pieces", "sentences to pieces of words, and their labels",
                 "PadPieces TagPieces WordPieces"),
            **_of("tokenizer", "texts to tokens", "Tokenizer"),
            **_of("vocab", "tokens to numbers", "Numericalize"),
        },
        "type": {
            **_of("lm_loader", "loads texts as one long one", "LMDataLoader"),
            **_of("sorted_loader", "loads texts of like length together", "SortedDL"),
            **_of("tagging.sentences", "words and their labels", "Sentence"),
            **_of("tagging.types", "numbers of pieces and labels", "TensorPieces TensorTags"),
            **_of("types", "numbers of tokens", "LMTensorText TensorText"),
        },
    },
)  # fmt: skip
"""Its names by kind, for `layerwise.core.registry`."""
