"""What data sets call the parts they are split into."""

from __future__ import annotations

TRAIN, VALIDATION, TEST = "train", "validation", "test"
PART_NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "dev": VALIDATION,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "test": TEST,
    "testing": TEST,
}
"""The part that each name, in lower case, stands for."""

__all__ = ["PART_NAMES", "TEST", "TRAIN", "VALIDATION"]
