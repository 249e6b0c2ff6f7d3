"""What every loan is worth at a period end: the lender's policy, the figures, and the run that states them as events.

`measuring.measure` is the whole calculation, pure; `running.value_period` reads the books and records what differs.
What the events do to the books is the engine's (`services/ledger/engine/valued.py`).
"""
