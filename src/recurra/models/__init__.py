"""Models: layers put together for a job."""

from recurra.models.cross_entropy import linear_cross_entropy
from recurra.models.language_model import LanguageModel, Prediction
from recurra.models.ngram import KneserNey, Unigram
from recurra.models.output_layers import AdaptiveSoftmax, FullSoftmax
from recurra.models.weight_transfer import copy_weights
from recurra.models.word_cache import WordCache

__all__ = [
    "AdaptiveSoftmax",
    "FullSoftmax",
    "KneserNey",
    "LanguageModel",
    "Prediction",
    "Unigram",
    "WordCache",
    "copy_weights",
    "linear_cross_entropy",
]
