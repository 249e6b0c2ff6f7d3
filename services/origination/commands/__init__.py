"""What may be asked of origination: pure functions from what is known to events, and the refusals by name."""
