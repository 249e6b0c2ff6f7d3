-- Personal data, and nothing else in the platform holds any. One row a borrower: one JSON document, encrypted with
-- AES-256-GCM under a key of the borrower's own, which is wrapped by the vault's key. Associated data: the borrower id, so
-- that a row can't stand in for another. Erased: key, document and mark are gone, and no backup of the rest helps.
CREATE TABLE vault (
    borrower_id text PRIMARY KEY,
    wrapped_key bytea,
    sealed      bytea,
    mark        bytea UNIQUE,            -- keyed hash of the official number, so that nobody is registered twice
    channels    text[] NOT NULL,         -- for which the document holds an address
    written_at  timestamptz NOT NULL DEFAULT now(),
    erased_at   timestamptz,
    CONSTRAINT erased_is_empty CHECK ((erased_at IS NOT NULL) = (wrapped_key IS NULL)
        AND (wrapped_key IS NULL) = (sealed IS NULL) AND (erased_at IS NULL OR mark IS NULL))
);
-- Every reading of personal data, written in the transaction that reads.
CREATE TABLE vault_reading (
    reading_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    read_at     timestamptz NOT NULL DEFAULT now(),
    reader      text NOT NULL,           -- name of the token
    role        text NOT NULL,
    borrower_id text NOT NULL,
    what        text NOT NULL,           -- the channel, or `all`
    purpose     text NOT NULL,
    found       boolean NOT NULL
);
CREATE INDEX vault_reading_borrower ON vault_reading (borrower_id, reading_id);
