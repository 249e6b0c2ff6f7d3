-- Every payment that was recorded through this API, so that a reversal names one that exists, and only once.
CREATE TABLE payment (
    payment_id uuid PRIMARY KEY,         -- the id of its PaymentReceived event
    loan_id    text    NOT NULL,
    reversed   boolean NOT NULL DEFAULT false
);

-- Rows of the outbox live for milliseconds: clean up behind the relay by count, not by share of the table.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);
