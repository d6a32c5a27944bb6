"""The claims of the source article: one function each, that proves, measures or refutes it.

``claims.csv`` beside this file lists the article's claims with our verdict.
``python -m bpbook claims --check`` runs every function registered here.
"""

from bpbook.claims.registry import Claim, Result, claim, registered, table

__all__ = ["Claim", "Result", "claim", "registered", "table"]
