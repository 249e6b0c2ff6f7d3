-- What the HTTP API owns and no replay recomputes: tokens, idempotency keys, the state that guards commands, the outbox.

CREATE TABLE token (
    token_hash bytea PRIMARY KEY,        -- SHA-256 of the token; the token itself is never stored
    role       text  NOT NULL,
    name       text  NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row an aggregate (a loan id, or `book`); a command locks it in its first statement, so that the events of one
-- aggregate are written, and therefore published, in the order of its commands (D8).
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

-- Events on their way to the log, in the column names of Debezium's outbox router, so that it may replace our relay.
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
);

-- Every event id that a command has written, so that a repeated import or retry writes nothing twice.
CREATE TABLE command (
    event_id   uuid PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now()
);
