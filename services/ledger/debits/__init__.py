"""Direct debits: mandates, runs of collections, what came back and what is tried again. The README of `bank` beside this
folder says how money comes in; a run only asks for it."""
