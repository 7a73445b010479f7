"""What cells are and cost."""

from __future__ import annotations

from recurra.inspection.cell_table import CellFacts, TableSettings, iter_facts

__all__ = ["CellFacts", "TableSettings", "iter_facts"]
