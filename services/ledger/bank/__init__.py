"""Reconciliation: bank statements against the books. The README beside this file is the way in."""
