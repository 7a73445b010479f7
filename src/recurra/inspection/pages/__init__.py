"""What is explained, put together for a reader: as text, as LaTeX, as a page of HTML, as a drawing."""

from __future__ import annotations

from recurra.inspection.pages.building import explain_page
from recurra.inspection.pages.wishes import Wishes

__all__ = ["Wishes", "explain_page"]
