-- Manual entries as they were proposed through this API, and what became of them. The log has the same, as events.
CREATE TABLE manual_entry (
    entry_id    uuid PRIMARY KEY,        -- the id of its JournalEntryProposed
    subject     text NOT NULL,           -- loan id, or general-ledger
    value_date  date NOT NULL,
    proposed    jsonb NOT NULL,          -- the data of that event
    outcome     text CHECK (outcome IN ('approved', 'declined')),   -- null: waits for a second person
    checker     text,
    reversed_by uuid,                    -- the entry that takes it back
    proposed_at timestamptz NOT NULL DEFAULT now(),
    decided_at  timestamptz
);
CREATE UNIQUE INDEX manual_entry_reversal ON manual_entry (reversed_by) WHERE reversed_by IS NOT NULL;
CREATE INDEX manual_entry_waiting ON manual_entry (value_date) WHERE outcome IS NULL;
