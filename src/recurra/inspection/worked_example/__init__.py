"""The pen-and-paper exercise for any cell: a short sequence worked forward and backward, every number shown."""

from __future__ import annotations

from recurra.inspection.worked_example.example import Check, Row, Section, WorkedExample
from recurra.inspection.worked_example.text import example_text
from recurra.inspection.worked_example.working import work_example

__all__ = ["Check", "Row", "Section", "WorkedExample", "example_text", "work_example"]
