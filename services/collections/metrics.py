"""Metrics of the API's process: what became of contacts."""

from shared.telemetry import counter, gauge

CONTACTS = counter("lendlog_collections_contacts_total", "contacts", "Contacts by how they ended", "channel", "outcome")
DENIED = counter("lendlog_collections_denied_total", "attempts", "Attempts that the contact gate denied", "rule")
UNCLEAR = gauge(
    "lendlog_collections_unclear_contacts", "contacts", "Sent or not: nobody knows, and nothing repeats them"
)
