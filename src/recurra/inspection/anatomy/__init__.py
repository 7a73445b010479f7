"""What a cell consists of, what it costs, and what of it runs where."""
