"""Tamper evidence for people outside: heads of the log's trees, signed and published, and proofs against them (D14).

Reads the log of record and the positions of the books; writes `ledger.checkpoints.v1` and one folder, which holds
nothing secret: heads, hashes of records and rotations of the key. Whatever is in the folder but the heads is computed
anew from the log when it is missing.
"""
