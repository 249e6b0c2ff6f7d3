-- Readings of the fold; a replay of the inbox recomputes every row. Amounts are minor units of the currency beside them.

-- A borrower's case; one a borrower, reopened when its arrears come back.
CREATE TABLE collection_case (
    partition      smallint NOT NULL,
    subject        text     NOT NULL,    -- borrower id
    case_id        uuid     NOT NULL,    -- the event that opened it
    status         text     NOT NULL CHECK (status IN ('open', 'parked', 'closed')),
    step           text     NOT NULL,
    priority       integer  NOT NULL,    -- higher first
    rule           text     NOT NULL,
    reason         text     NOT NULL,
    past_due_since date,                 -- days past due on a date: that date less this one
    past_due       text     NOT NULL,    -- JSON: currency to decimal amount
    loans          text[]   NOT NULL,
    parked_until   date,
    opened_on      date     NOT NULL,
    closed_on      date,
    as_of          date     NOT NULL,    -- the last closed date when it changed
    version        integer  NOT NULL,
    taken_by       text,
    PRIMARY KEY (partition, subject)
);
CREATE INDEX collection_case_id ON collection_case (case_id);
CREATE INDEX collection_case_queue ON collection_case (priority DESC, past_due_since, case_id) WHERE status = 'open';

CREATE TABLE promise (
    partition   smallint NOT NULL,
    subject     text     NOT NULL,
    promise_id  uuid     NOT NULL,
    loan_id     text     NOT NULL,
    amount      bigint   NOT NULL,
    currency    text     NOT NULL,
    made_on     date     NOT NULL,
    due_date    date     NOT NULL,
    judged_on   date     NOT NULL,       -- judged when this date has closed
    paid        bigint   NOT NULL,
    status      text     NOT NULL CHECK (status IN ('active', 'kept', 'partly-kept', 'broken', 'cancelled')),
    plan_id     uuid,
    recorded_by text     NOT NULL,
    reason      text,
    PRIMARY KEY (partition, subject, promise_id)
);

-- Reminders that may still be sent.
CREATE TABLE reminder (
    partition      smallint NOT NULL,
    subject        text     NOT NULL,
    reminder_id    uuid     NOT NULL,
    loan_id        text     NOT NULL,
    kind           text     NOT NULL CHECK (kind IN ('t-3', 't0', 't+1')),
    instalment_due date     NOT NULL,
    on_date        date     NOT NULL,
    until          date     NOT NULL,
    amount         bigint,
    currency       text     NOT NULL,
    PRIMARY KEY (partition, subject, reminder_id)
);
CREATE INDEX reminder_on ON reminder (on_date, until);

CREATE TABLE borrower_loan (
    partition      smallint NOT NULL,
    subject        text     NOT NULL,
    loan_id        text     NOT NULL,
    currency       text     NOT NULL,
    status         text     NOT NULL,
    past_due       bigint   NOT NULL,
    past_due_since date,
    debt           bigint   NOT NULL,
    next_due       date,
    PRIMARY KEY (partition, subject, loan_id)
);
CREATE INDEX borrower_loan_id ON borrower_loan (loan_id);

-- What the contact gate needs of a borrower, as JSON.
CREATE TABLE contact_state (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    facts     text     NOT NULL,
    PRIMARY KEY (partition, subject)
);
CREATE INDEX contact_state_subject ON contact_state (subject);

-- Every contact, as it stands: reserved, then concluded.
CREATE TABLE contact_log (
    partition   smallint    NOT NULL,
    contact_id  uuid        NOT NULL,
    borrower_id text        NOT NULL,
    at          timestamptz NOT NULL,
    channel     text        NOT NULL,
    purpose     text        NOT NULL,
    outcome     text        NOT NULL,
    loan_id     text,
    about       uuid,
    made_by     text        NOT NULL,
    policy      text        NOT NULL,
    detail      text,
    PRIMARY KEY (partition, contact_id)
);
CREATE INDEX contact_log_borrower ON contact_log (borrower_id, at);

-- A case's history: each event that changed it, and what caused that.
CREATE TABLE case_event (
    partition   smallint NOT NULL,
    event_id    uuid     NOT NULL,
    n           integer  NOT NULL,       -- which of its cause's events it is
    case_id     uuid     NOT NULL,
    borrower_id text     NOT NULL,
    type        text     NOT NULL,
    as_of       date,
    cause_id    uuid     NOT NULL,
    cause_type  text     NOT NULL,
    reason      text     NOT NULL,
    PRIMARY KEY (partition, event_id)
);
CREATE INDEX case_event_case ON case_event (case_id);
