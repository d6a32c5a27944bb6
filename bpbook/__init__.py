"""Backpropagation, the book you can run, and that proves its own formulas."""

__version__ = "0.1.0"
