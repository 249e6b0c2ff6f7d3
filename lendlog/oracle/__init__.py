"""Cases that others published, run through the functions that serve events, and compared figure by figure.

A case is a JSON object with `id`, `kind` and, by kind, what is given and what is expected (docs/oracles.md).
"""
