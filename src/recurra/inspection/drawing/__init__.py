"""Networks drawn folded and unfolded: as SVG, and as text for a terminal."""
