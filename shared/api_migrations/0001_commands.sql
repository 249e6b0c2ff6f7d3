-- What every service's API schema holds for its commands and callers. A service's own files come after it in the same
-- schema; none of them may be called 0001_commands.

CREATE TABLE token (
    token_hash  bytea PRIMARY KEY,       -- SHA-256 of the token; the token itself is never stored
    role        text  NOT NULL,
    name        text  NOT NULL UNIQUE,
    borrower_id text,                    -- whom an applicant's token is bound to
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT applicant_is_bound CHECK ((role = 'applicant') = (borrower_id IS NOT NULL))
);

-- One row an aggregate: the state that its commands are checked against. A command locks the aggregate's name in its
-- first statement, so that its events are written, and therefore published, in the order of its commands (D8).
CREATE TABLE aggregate (
    aggregate_id text PRIMARY KEY,
    state        jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE idempotency (
    client       text  NOT NULL,         -- token name
    key          text  NOT NULL,
    request_hash bytea NOT NULL,
    status       integer NOT NULL,
    response     jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client, key)
);

-- Events on their way to their topics, in the column names of Debezium's outbox router, so that it may replace our
-- relay. Rows live for milliseconds: clean up behind the relay by count, not by share of the table.
CREATE TABLE outbox (
    sequence       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             uuid   NOT NULL,
    aggregatetype  text   NOT NULL,      -- topic
    aggregateid    text   NOT NULL,      -- message key
    type           text   NOT NULL,
    partition      smallint,             -- null: by key
    payload        bytea  NOT NULL,      -- the event as it will stand on the topic
    transaction_id xid8   NOT NULL DEFAULT pg_current_xact_id(),
    written_at     timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_threshold = -1);

-- Every event id that a command has written, so that a repeated import or retry writes nothing twice.
CREATE TABLE command (
    event_id   uuid PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now()
);
