-- The books of one lender: everything here is recomputed by a replay of loans.lifecycle.v1, epochs and marks excepted.
-- Every table carries the Kafka partition; the big ones are partitioned by it, so that each keeps its own narrow indexes.

-- How far each partition of the log is in the books (D6). The record before `next_offset` is remembered by its leaf hash,
-- so that a topic that was deleted and made anew is found. A closing that spans transactions leaves `resume_loan`.
CREATE TABLE position (
    partition        smallint PRIMARY KEY,
    epoch            bigint   NOT NULL DEFAULT 0,
    next_offset      bigint   NOT NULL DEFAULT 0,
    resume_loan      bigint,
    last_offset      bigint,             -- offset of the last record taken in (next_offset - 1 may be a transaction marker)
    last_leaf        bytea,              -- its RFC 6962 leaf hash
    tree_size        bigint   NOT NULL DEFAULT 0,
    tree_frontier    bytea    NOT NULL DEFAULT '',
    open_date        date,               -- the open business date; null until BookOpened
    events           bigint   NOT NULL DEFAULT 0,   -- accepted
    duplicates       bigint   NOT NULL DEFAULT 0,   -- of them: same id seen before, dropped
    holes            bigint   NOT NULL DEFAULT 0,   -- offsets without a record (transaction markers)
    outbox_next      bigint   NOT NULL DEFAULT 0,   -- sequence of the next outbox row
    halted           text                            -- why this partition stopped, or null
);

-- How far the relay of each partition is; apart from the position, whose row a batch keeps locked.
CREATE TABLE relay (
    partition     smallint PRIMARY KEY,
    outbox_mark   bigint   NOT NULL DEFAULT 0,   -- outbox rows below this sequence are published
    snapshot_mark bigint   NOT NULL DEFAULT 0    -- loans changed at or after this offset may be missing in ledger.accounts
);

-- Every accepted event, whole: the canonical record, the same bytes as its Merkle leaf (D12, D14).
CREATE TABLE event (
    partition   smallint NOT NULL,
    "offset"    bigint   NOT NULL,
    event_id    uuid     NOT NULL,
    loan        bigint,                  -- null: concerns the whole partition
    effective_date date  NOT NULL,       -- value date: the event's own, else the open date on which it arrived
    booking_date   date  NOT NULL,
    record      bytea    NOT NULL
) PARTITION BY LIST (partition);

-- A debit and a credit of one amount (D11), value date and booking date (D12). Entry = (partition, offset, loan).
CREATE TABLE posting (
    loan           bigint   NOT NULL,
    "offset"       bigint   NOT NULL,
    amount         bigint   NOT NULL CHECK (amount > 0),
    effective_date date     NOT NULL,
    booking_date   date     NOT NULL,
    n              smallint NOT NULL,
    debit          smallint NOT NULL,
    credit         smallint NOT NULL CHECK (credit <> debit),
    currency       smallint NOT NULL,    -- ISO 4217 number
    partition      smallint NOT NULL
) PARTITION BY LIST (partition);

-- One row a loan (and a pseudo-loan accrual/<partition>/<group>/<currency> with a negative number per accrual group).
-- `loan` is the offset of the first event that named it; `state` is msgpack, see services/ledger/account.py.
CREATE TABLE loan (
    partition   smallint NOT NULL,
    loan        bigint   NOT NULL,
    loan_id     text     NOT NULL,
    next_action date,                    -- the next date whose closing touches this loan
    as_of       bigint   NOT NULL,       -- offset of the event that changed it last
    state       bytea    NOT NULL
) PARTITION BY LIST (partition);

-- A loan that stopped at an event which broke an invariant, until a release names its first held offset (D9).
CREATE TABLE parked_loan (
    partition    smallint NOT NULL,
    loan_id      text     NOT NULL,
    first_offset bigint   NOT NULL,
    reason       text     NOT NULL,
    since        date,                   -- business date
    PRIMARY KEY (partition, loan_id)
);
CREATE TABLE parked_event (
    partition smallint NOT NULL,
    "offset"  bigint   NOT NULL,
    loan_id   text     NOT NULL,
    event_id  uuid     NOT NULL,
    arrived   date,                      -- the open date on which it arrived
    record    bytea    NOT NULL,
    PRIMARY KEY (partition, "offset")
);

-- Money that fits no disbursed loan in its currency, until it does: the rows behind the suspense account.
CREATE TABLE suspense (
    partition      smallint NOT NULL,
    "offset"       bigint   NOT NULL,    -- of the payment
    loan           bigint   NOT NULL,
    event_id       uuid     NOT NULL,
    amount         bigint   NOT NULL,
    currency       smallint NOT NULL,
    PRIMARY KEY (partition, loan, "offset")
);

-- What could not be read, whole, and what became of it.
CREATE TABLE dead_letter (
    partition  smallint NOT NULL,
    "offset"   bigint   NOT NULL,
    reason     text     NOT NULL,
    record     bytea    NOT NULL,
    tried_at   bigint,                   -- offset of the last retry, which left it dead
    settled_by uuid,                     -- the event that retried or replaced it
    PRIMARY KEY (partition, "offset")
);

-- The same event id with another body: an alarm, kept aside.
CREATE TABLE conflict (
    partition smallint NOT NULL,
    "offset"  bigint   NOT NULL,
    event_id  uuid     NOT NULL,
    record    bytea    NOT NULL,
    PRIMARY KEY (partition, "offset")
);

-- Derived events and dead letters waiting for the broker: one row a transaction, messages in order (D8).
CREATE TABLE outbox (
    partition smallint NOT NULL,
    sequence  bigint   NOT NULL,
    messages  bytea    NOT NULL,
    PRIMARY KEY (partition, sequence)
);
-- The value is compressed already.
ALTER TABLE outbox ALTER COLUMN messages SET STORAGE EXTERNAL;
