"""The transcriptions by the names of the cells."""

from __future__ import annotations

from tests.oracles import group_1, group_2, group_3, group_4, recurrences

_OTHERS = group_1.ORACLES | group_2.ORACLES | group_3.ORACLES | group_4.ORACLES

FORWARD = {name: forward for name, (forward, _, _) in recurrences.ORACLES.items()}
FORWARD |= {name: forward for name, (forward, _) in _OTHERS.items()}
"""Name to ``forward(x, state, weights)``, which returns the outputs (T, B, ·) and the last states, a tuple."""

COUNTS = {name: count for name, (_, _, count) in recurrences.ORACLES.items()}
COUNTS |= {name: count for name, (_, count) in _OTHERS.items()}
"""Name to the number of parameters for d inputs and n units, d != n."""

BACKWARD = {name: backward for name, (_, backward, _) in recurrences.ORACLES.items()}
"""Name to the gradients derived by hand, of the cells for which the courses derive them."""
