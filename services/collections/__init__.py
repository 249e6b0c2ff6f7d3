"""Collections: a case per borrower in arrears, reminders, promises, and who may be contacted when.

Import it as `services.collections`; `services/` itself is never on the import path, where it would hide the standard
library's `collections`.
"""
