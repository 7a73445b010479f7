"""Models: layers put together for a job."""

from recurra.models.language_model import LanguageModel, copy_weights

__all__ = ["LanguageModel", "copy_weights"]
