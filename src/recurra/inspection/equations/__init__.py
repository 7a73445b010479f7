"""Equations of a cell, from the code of its step: recorded, differentiated, printed, parsed and checked."""
