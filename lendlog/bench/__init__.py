"""Benchmarks: what the platform does on this machine, beside a peer, in the same run."""
