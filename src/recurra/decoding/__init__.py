"""Decoding: from a model's logits to ids and text, with a step function and no knowledge of models."""

from recurra.decoding.generation import Generation, generate_ids
from recurra.decoding.sampling import SamplingPolicy
from recurra.decoding.stopping import StopString

__all__ = ["Generation", "SamplingPolicy", "StopString", "generate_ids"]
