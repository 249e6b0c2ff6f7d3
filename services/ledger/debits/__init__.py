"""Direct debits: mandates, runs of collections, what came back and what is tried again. The README is the way in."""
