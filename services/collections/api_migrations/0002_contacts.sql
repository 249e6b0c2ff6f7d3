-- Every attempt to reach a borrower, reserved under the borrower's lock before it is made. The gate counts these rows, so
-- that a limit holds however many ask at once. collections' inbox has each of them as events.
CREATE TABLE contact (
    contact_id   uuid PRIMARY KEY,
    borrower_id  text        NOT NULL,
    at           timestamptz NOT NULL,   -- the instant that the gate was asked for
    channel      text        NOT NULL,
    purpose      text        NOT NULL,
    loan_id      text,
    about        uuid,                   -- the reminder or case that it is about
    made_by      text        NOT NULL,
    policy       text        NOT NULL,
    automatic    boolean     NOT NULL,   -- sent by the dispatcher, and not by a person
    outcome      text        NOT NULL
        CHECK (outcome IN ('reserved', 'sent', 'answered', 'unanswered', 'failed', 'unclear')),
    detail       text,
    reserved_at  timestamptz NOT NULL DEFAULT now(),
    concluded_at timestamptz
);
CREATE INDEX contact_borrower ON contact (borrower_id, at);
CREATE INDEX contact_pending ON contact (outcome, reserved_at) WHERE outcome IN ('reserved', 'unclear');
-- A reminder goes out once: only one that the server refused may be tried again.
CREATE UNIQUE INDEX contact_once ON contact (about) WHERE automatic AND outcome <> 'failed';

-- Who works on a case, until when; and when a case that was given back comes up again.
CREATE TABLE lease (
    case_id     uuid PRIMARY KEY,
    borrower_id text NOT NULL,
    taken_by    text,                    -- null: nobody
    until       timestamptz,
    not_before  date,                    -- a business date: the queue passes it over until then
    CONSTRAINT taken_until CHECK ((taken_by IS NULL) = (until IS NULL))
);
