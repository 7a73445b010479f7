"""Models: layers put together for a job."""

from recurra.models.char_features import CharFeatures
from recurra.models.classifier import Classifier
from recurra.models.classifier_bodies import AverageBody, ConvolutionBody, RecurrentBody
from recurra.models.cross_entropy import linear_cross_entropy
from recurra.models.language_model import LanguageModel, Prediction
from recurra.models.ngram import KneserNey, Unigram
from recurra.models.output_layers import AdaptiveSoftmax, FullSoftmax
from recurra.models.tagger import Tagger
from recurra.models.translator import Translator
from recurra.models.translator_state import TranslatorState
from recurra.models.weight_transfer import copy_weights
from recurra.models.word_cache import WordCache

__all__ = [
    "AdaptiveSoftmax",
    "AverageBody",
    "CharFeatures",
    "Classifier",
    "ConvolutionBody",
    "FullSoftmax",
    "KneserNey",
    "LanguageModel",
    "Prediction",
    "RecurrentBody",
    "Tagger",
    "Translator",
    "TranslatorState",
    "Unigram",
    "WordCache",
    "copy_weights",
    "linear_cross_entropy",
]
