"""What RNN, LSTM and GRU add to torch's layers of the same name."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import Cell, Init, State
from recurra.cells.gates import Block, check_init, reinitialize
from recurra.cells.torch_cell import TorchCell
from recurra.errors import ShapeError
from recurra.layers.stack import Stack, run_layer
from recurra.loop import TORCH_STEPS, check_engine, check_states


class DropIn(torch.nn.RNNBase):
    """Base of the layers that stand in for torch's.

    Arguments, parameters, state dict, checks and random draws are torch's.

    A subclass derives from torch's layer too, and names the cell whose equations that layer runs.
    """

    engine: str
    init: Init

    def __init__(self, *args: Any, engine: str = "auto", init: Init = "torch", **kwargs: Any) -> None:
        who = type(self).__name__
        # both stand before torch's constructor, which draws the parameters
        self.engine = check_engine(who, engine)
        self.init = check_init(who, init)
        super().__init__(*args, **kwargs)

    def cell_class(self) -> type[TorchCell]:
        """Return the class of the cell that each layer runs."""
        raise NotImplementedError

    def _attributes(self) -> list[list[dict[str, str]]]:
        """Name this module's tensors by their name in the cell, for each layer and direction."""
        roles = ["weight_ih", "weight_hh"]
        roles += ["bias_ih", "bias_hh"] if self.bias else []
        roles += ["weight_hr"] if self.proj_size else []
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [
            [{role: f"{role}_l{layer}{suffix}" for role in roles} for suffix in suffixes]
            for layer in range(self.num_layers)
        ]

    def reset_parameters(self) -> None:
        """Draw all parameters anew: as torch does, or by ``init`` gate by gate."""
        if self.init == "torch":
            super().reset_parameters()
            return
        cell_class = self.cell_class()
        for layer in self._attributes():
            for attributes in layer:
                blocks = {
                    role: [Block(role, self.proj_size)]
                    if role == "weight_hr"
                    else [Block(gate, self.hidden_size) for gate in cell_class.gates]
                    for role in attributes
                }
                reinitialize(
                    self,
                    attributes,
                    blocks,
                    self.hidden_size,
                    recurrent=cell_class.recurrent_weights,
                    init=self.init,
                    gate_biases=cell_class.gate_biases,
                )

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: State | None = None,
        *,
        lengths: Any = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run the layers over sequences.

        Args:
            input: (T, B, I), (B, T, I) if ``batch_first``, (T, I) for a single sequence, or a PackedSequence.
            hx: The states before the first step, as in torch; ``None`` is zeros.
            lengths: Valid steps of each row (B,), 0 allowed; outputs behind them are zero.
            reset: Bool, of the form of ``input`` without its last axis: the state entering that step is zero.

        Returns:
            The output in the form of ``input``, and the states after each row's last step, as in torch.

        Raises:
            ShapeError: When ``lengths`` or ``reset`` is of another shape or type.
            ArgumentError: When a PackedSequence comes with ``lengths``.
            UnsupportedCellError: When ``engine`` is "torch" and ``reset`` is given.
            RuntimeError: When ``input`` or ``hx`` is of another size, as in torch.
            ValueError: When ``input`` has another number of axes or another type, as in torch.
        """
        if lengths is None and reset is None and self._is_torchs(input):
            if isinstance(input, PackedSequence):
                # torch.nn.LSTM does not: a float32 batch of equal lengths and a wrong width would read past its weights
                self._check_as_torch(input, hx)
            return super().forward(input, hx)  # type: ignore[no-any-return]
        if isinstance(hx, list):
            hx = tuple(hx)
        self._check_as_torch(input, hx)
        stack = Stack(
            who=type(self).__name__,
            cells=self._view_cells(),
            dropout=self.dropout,
            is_training=self.training,
            engine=self.engine,
        )
        return run_layer(stack, input, hx, lengths=lengths, reset=reset, batch_first=self.batch_first)

    def _is_torchs(self, input: Tensor | PackedSequence) -> bool:
        """Whether torch's own forward runs a call without lengths and resets: asked for, or the fastest there is."""
        if self.engine != "auto" or self.weight_ih_l0.device.type != "cpu" or torch.compiler.is_compiling():
            return self.engine in ("auto", "torch")
        if not isinstance(input, Tensor) or input.dim() != 3:
            return False
        num_steps = input.shape[1 if self.batch_first else 0]
        return num_steps <= TORCH_STEPS[self.mode.lower()]

    def _view_cells(self) -> list[list[Cell]]:
        cell_class = self.cell_class()
        return [
            [
                cell_class.from_weights(**{role: getattr(self, attribute) for role, attribute in attributes.items()})
                for attributes in layer
            ]
            for layer in self._attributes()
        ]

    def _check_as_torch(self, input: Tensor | PackedSequence, hx: State | None) -> None:
        """Raise what torch's forward raises for arguments of a wrong shape or type."""
        # torch's checks read these references, which a replaced or parametrised weight leaves behind
        self._update_flat_weights()
        batch_sizes = None
        if isinstance(input, PackedSequence):
            data, batch_sizes = input.data, input.batch_sizes
        elif isinstance(input, Tensor) and input.dim() in (2, 3):
            data = input if input.dim() == 3 else input.unsqueeze(0 if self.batch_first else 1)
        else:
            shape = tuple(input.shape) if isinstance(input, Tensor) else type(input).__name__
            raise ShapeError(f"{type(self).__name__} expected input of two or three axes, got {shape}")
        if hx is None:
            self.check_input(data, batch_sizes)
            return
        is_bare = len(self.cell_class().states) == 1
        check_states(f"{type(self).__name__} expected hx", hx, None, is_bare=is_bare, lead=())
        if isinstance(input, Tensor) and input.dim() == 2:
            hx = hx.unsqueeze(1) if isinstance(hx, Tensor) else tuple(s.unsqueeze(1) for s in hx)
        self.check_forward_args(data, hx, batch_sizes)  # type: ignore[arg-type]  # a tuple in torch.nn.LSTM

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # torch keeps a second list of its weights, whose computed (parametrised) entries cannot be copied
        kept = {name: value for name, value in self.__dict__.items() if not name.startswith("_flat_weight")}
        kept["_flat_weights_names"] = self._flat_weights_names
        replica = type(self).__new__(type(self))
        memo[id(self)] = replica
        replica.__dict__.update(copy.deepcopy(kept, memo))
        replica._init_flat_weights()
        return replica

    def extra_repr(self) -> str:
        """Return torch's text, and what is not at its default."""
        parts = [super().extra_repr()]
        parts += [f"{name}={getattr(self, name)!r}" for name in ("engine",) if self.engine != "auto"]
        parts += [f"init={self.init!r}"] if self.init != "torch" else []
        return ", ".join(parts)
