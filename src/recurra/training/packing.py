"""Nested Python values with tensors in them, as JSON beside named tensors: no pickle anywhere."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from recurra.errors import CheckpointError

_SCALARS = (bool, int, float, str, type(None))


def pack(value: Any, tensors: dict[str, Tensor], name: str) -> Any:
    """Return a JSON form of a value, moving its tensors into ``tensors`` under names that begin with ``name``.

    Raises:
        CheckpointError: When the value holds something other than tensors, scalars, strings, dicts, lists and tuples.
    """
    if isinstance(value, Tensor):
        # a copy of its own: files hold no tensors that share memory, and training goes on in place
        tensors[name] = value.detach().cpu().clone().contiguous()
        return {"$tensor": name}
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, dict):
        return {"$dict": [[key, pack(item, tensors, f"{name}.{key}")] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        items = [pack(item, tensors, f"{name}.{index}") for index, item in enumerate(value)]
        return {"$tuple": items} if isinstance(value, tuple) else items
    raise CheckpointError(
        f"a checkpoint expected tensors, scalars, strings, dicts, lists and tuples for {name}; "
        f"got {type(value).__name__}"
    )


def unpack(packed: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the value that ``pack`` took apart."""
    if isinstance(packed, list):
        return [unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "$tensor" in packed:
        return tensors[packed["$tensor"]]
    if "$tuple" in packed:
        return tuple(unpack(item, tensors) for item in packed["$tuple"])
    return {key: unpack(item, tensors) for key, item in packed["$dict"]}
