"""From what an encoder remembers at the end of a sentence to what a decoder starts with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recurra.cells import State
from recurra.errors import ConfigError
from recurra.layers import Recurrent
from recurra.layers.states import LayerState, join_states, part_states
from recurra.layers.wrapping import memories_of
from recurra.loop import state_names
from recurra.loop.probing import as_tuple


class Bridge(nn.Module):
    """A learned map of the encoder's last states to the decoder's first ones.

        s_0 = tanh(W s_n + b)        for each layer of the decoder and each memory of its cell

    s_n is the memory of that name in the encoder's layer, both directions side by side. The top layers belong together,
    and those below them; a decoder that is deeper reads the encoder's lowest layer more than once. States that are no
    memories, such as clocks, start as the cell has it.

    Args:
        encoder: Layers of some cell, in one direction or two.
        decoder: Layers of the same cell in one direction, of any depth and width.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        self._num_directions = 2 if encoder.bidirectional else 1
        self._num_cells, self._is_stacked = encoder.num_cells, encoder.is_stacked
        theirs, widths = _widths(encoder), _widths(decoder)
        self._memories = memory_places(decoder.get_submodule("cell_l0"), widths[0])
        self._layers_below = [
            max(0, encoder.num_layers - decoder.num_layers + layer) for layer in range(decoder.num_layers)
        ]
        self.maps = nn.ModuleList()
        for below, own in zip(self._layers_below, widths, strict=True):
            ends = theirs[below * self._num_directions]
            maps = [nn.Linear(ends[place] * self._num_directions, own[place]) for place in self._memories]
            self.maps.append(nn.ModuleList(maps))

    def forward(self, last: LayerState, decoder: Recurrent) -> LayerState:
        """Return the decoder's first state, given the encoder's last one as :class:`Recurrent` returned it."""
        states = part_states(last, self._num_cells, is_stacked=self._is_stacked)
        directions = self._num_directions
        first: list[State] = []
        for layer, below in enumerate(self._layers_below):
            maps: Any = self.maps[layer]
            ends = [as_tuple(state) for state in states[below * directions : (below + 1) * directions]]
            joined = [torch.cat([end[place] for end in ends], -1) for place in self._memories]
            made = [torch.tanh(linear(end)) for linear, end in zip(maps, joined, strict=True)]
            if isinstance(states[0], Tensor):
                first.append(made[0])
            else:
                first.append(self._complete(made, decoder.get_submodule(f"cell_l{layer}"), len(ends[0])))
        return join_states(first, is_stacked=decoder.is_stacked)

    def _complete(self, made: list[Tensor], cell: Any, count: int) -> tuple[Tensor, ...]:
        """Return a state of ``count`` tensors: memories as they were made, the others as the cell starts them."""
        if len(made) == count:
            return tuple(made)
        own = list(as_tuple(cell.initial_state(len(made[0]))))
        for place, tensor in zip(self._memories, made, strict=True):
            own[place] = tensor
        return tuple(own)


class CopyBridge(nn.Module):
    """The encoder's last states as the decoder's first ones, unchanged, of as many layers and of the same widths.

    Raises:
        ConfigError: When the two differ in depth, width or direction.

    Source: Sutskever, Vinyals and Le 2014, arXiv 1409.3215.
    """

    def __init__(self, encoder: Recurrent, decoder: Recurrent) -> None:
        super().__init__()
        faults = []
        if encoder.bidirectional:
            faults.append("bridge = 'copy' expected an encoder that is not bidirectional, got one that is")
        if encoder.num_layers != decoder.num_layers:
            faults.append(
                f"bridge = 'copy' expected as many decoder_layers as encoder_layers={encoder.num_layers}, "
                f"got {decoder.num_layers}"
            )
        elif not encoder.bidirectional and encoder.state_widths != decoder.state_widths:
            faults.append(
                f"bridge = 'copy' expected states of the decoder as wide as the encoder's, {encoder.state_widths}, "
                f"got {decoder.state_widths}"
            )
        if faults:
            raise ConfigError(faults, hint="bridge = 'linear' maps one to the other")

    def forward(self, last: LayerState, decoder: Recurrent) -> LayerState:
        """Return the encoder's last state."""
        return last


def top_memory(encoder: Recurrent, last: LayerState) -> Tensor:
    """Return the first memory of the encoder's top layer, its directions side by side. Shape (B, D * width)."""
    states = part_states(last, encoder.num_cells, is_stacked=encoder.is_stacked)
    directions = 2 if encoder.bidirectional else 1
    place = memory_places(encoder.get_submodule("cell_l0"), _widths(encoder)[0])[0]
    return torch.cat([as_tuple(state)[place] for state in states[-directions:]], -1)


def top_memory_width(encoder: Recurrent) -> int:
    """Return the width of what :func:`top_memory` gives."""
    place = memory_places(encoder.get_submodule("cell_l0"), _widths(encoder)[0])[0]
    return _widths(encoder)[-1][place] * (2 if encoder.bidirectional else 1)


def memory_places(cell: nn.Module, widths: tuple[int, ...]) -> list[int]:
    """Return which of a cell's states are memories, by their places."""
    names = state_names(cell, len(widths))
    memories = memories_of(cell)
    return [place for place, name in enumerate(names) if memories is None or name in memories]


def _widths(layers: Recurrent) -> list[tuple[int, ...]]:
    """Return the widths of each cell's states."""
    return [layers.state_widths] * layers.num_cells if layers.is_stacked else list(layers.state_widths)
