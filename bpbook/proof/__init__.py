"""Run an op on symbols, and prove that its own vjp is SymPy's derivative of its own forward."""

from bpbook.proof.prove import Proof, prove
from bpbook.proof.symbols import Symbols, probabilities, symbols

__all__ = ["Proof", "Symbols", "probabilities", "prove", "symbols"]
