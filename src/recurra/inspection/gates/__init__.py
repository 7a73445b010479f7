"""How gates answer, and when they open."""
