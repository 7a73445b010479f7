"""Decoding: from a model's logits to ids and text, with a step function and no knowledge of models."""

from recurra.decoding.beam import beam_search
from recurra.decoding.generation import Generation, generate_ids
from recurra.decoding.hypotheses import Hypothesis
from recurra.decoding.sampling import SamplingPolicy
from recurra.decoding.stopping import StopString

__all__ = ["Generation", "Hypothesis", "SamplingPolicy", "StopString", "beam_search", "generate_ids"]
