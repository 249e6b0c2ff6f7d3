"""What may be asked of collections: the rules, pure, and the refusals by name."""
