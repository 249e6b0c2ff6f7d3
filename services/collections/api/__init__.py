"""The HTTP API of collections: parse, call, render."""
