-- What every service keeps that folds an inbox into a state per borrower. Everything here is recomputed by a replay of
-- the inbox, epochs and marks excepted. A service's own migrations add the tables of its readings.

-- How far each partition of the inbox is taken in (D6); as the ledger's.
CREATE TABLE position (
    partition        smallint PRIMARY KEY,
    epoch            bigint   NOT NULL DEFAULT 0,
    next_offset      bigint   NOT NULL DEFAULT 0,
    resume           bigint,             -- never set here: a closing is one transaction
    last_offset      bigint,             -- offset of the last record taken in (next_offset - 1 may be a transaction marker)
    last_leaf        bytea,              -- its RFC 6962 leaf hash
    tree_size        bigint   NOT NULL DEFAULT 0,
    tree_frontier    bytea    NOT NULL DEFAULT '',
    open_date        date,               -- the day after the last that every ledger partition closed; year 1: none yet
    events           bigint   NOT NULL DEFAULT 0,   -- accepted
    duplicates       bigint   NOT NULL DEFAULT 0,   -- same id seen before, dropped: the merger copies at least once
    holes            bigint   NOT NULL DEFAULT 0,   -- offsets without a record (transaction markers)
    outbox_next      bigint   NOT NULL DEFAULT 0,   -- sequence of the next outbox row
    halted           text                            -- why this partition stopped, or null
);
CREATE TABLE relay (
    partition     smallint PRIMARY KEY,
    outbox_mark   bigint   NOT NULL DEFAULT 0,   -- outbox rows below this sequence are published
    snapshot_mark bigint   NOT NULL DEFAULT 0    -- not used: snapshots are outbox rows here
);

-- Every accepted event, whole: the canonical record, the same bytes as its Merkle leaf.
CREATE TABLE event (
    partition      smallint NOT NULL,
    "offset"       bigint   NOT NULL,
    event_id       uuid     NOT NULL,
    subject        text     NOT NULL,    -- borrower id, or `book`
    booking_date   date     NOT NULL,    -- the open date on which it was taken in
    record         bytea    NOT NULL,
    PRIMARY KEY (partition, "offset"),
    UNIQUE (partition, event_id)
);
CREATE INDEX event_subject ON event (partition, subject, "offset");

-- One state a borrower, as msgpack; the row of subject `book` is what the partition's borrowers share.
CREATE TABLE subject (
    partition   smallint NOT NULL,
    subject     text     NOT NULL,
    next_action date,                    -- the next date whose closing concerns this borrower
    as_of       bigint   NOT NULL,       -- offset of the event that changed it last
    state       bytea    NOT NULL,
    PRIMARY KEY (partition, subject)
);
CREATE INDEX subject_next_action ON subject (partition, next_action) WHERE next_action IS NOT NULL;

-- A borrower who stopped at an event that breaks an invariant, until a release names its first held offset (D9).
CREATE TABLE parked_subject (
    partition    smallint NOT NULL,
    subject      text     NOT NULL,
    first_offset bigint   NOT NULL,
    reason       text     NOT NULL,
    since        date,
    PRIMARY KEY (partition, subject)
);
CREATE TABLE parked_event (
    partition smallint NOT NULL,
    "offset"  bigint   NOT NULL,
    subject   text     NOT NULL,
    event_id  uuid     NOT NULL,
    arrived   date,
    record    bytea    NOT NULL,
    PRIMARY KEY (partition, "offset")
);
CREATE TABLE dead_letter (
    partition  smallint NOT NULL,
    "offset"   bigint   NOT NULL,
    reason     text     NOT NULL,
    record     bytea    NOT NULL,
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
CREATE TABLE outbox (
    partition smallint NOT NULL,
    sequence  bigint   NOT NULL,
    messages  bytea    NOT NULL,
    PRIMARY KEY (partition, sequence)
);
ALTER TABLE outbox ALTER COLUMN messages SET STORAGE EXTERNAL;
