"""The loan engine: facts in, a loan account and its journal out. Pure; see README.md beside this file."""
