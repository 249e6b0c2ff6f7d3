"""`python -m lendlog` is `lendlog`."""

from lendlog.cli import main

main()
