-- What origination's fold keeps for reading. No personal data: borrowers are random ids.

CREATE TABLE party (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    kind      text     NOT NULL,
    language  text     NOT NULL,
    time_zone text     NOT NULL,
    country   text     NOT NULL,
    region    text     NOT NULL,
    industry  text     NOT NULL,
    size      text     NOT NULL,
    channels  text[]   NOT NULL,
    consents  text[]   NOT NULL,
    flags     text[]   NOT NULL,
    erased    boolean  NOT NULL,
    PRIMARY KEY (partition, subject)
);
-- Who stands by a borrower.
CREATE TABLE relation (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    other     text     NOT NULL,
    kind      text     NOT NULL,
    group_id  text,
    PRIMARY KEY (partition, subject, other, kind)
);
CREATE TABLE application (
    partition      smallint NOT NULL,
    subject        text     NOT NULL,
    application_id text     NOT NULL,
    status         text     NOT NULL,
    product        text     NOT NULL,
    amount         text     NOT NULL,    -- asked for; decimal string
    currency       text     NOT NULL,
    outcome        text,                 -- of the policy
    score          integer,
    offer_id       text,
    valid_until    date,
    loan_id        text,
    PRIMARY KEY (partition, subject, application_id)
);
CREATE INDEX application_status ON application (status, partition);
CREATE INDEX application_application_id ON application (application_id);
-- Open red alerts that block disbursement, tranche and top-up.
CREATE TABLE block (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    alert_id  text     NOT NULL,
    indicator text     NOT NULL,
    since     date     NOT NULL,
    reason    text     NOT NULL,
    PRIMARY KEY (partition, subject, alert_id)
);
-- A borrower's loans as the ledger told last.
CREATE TABLE standing (
    partition         smallint NOT NULL,
    subject           text     NOT NULL,
    loan_id           text     NOT NULL,
    status            text     NOT NULL,
    currency          text     NOT NULL,
    outstanding       text     NOT NULL, -- principal; decimal string
    past_due_since    date,
    days_past_due_max integer  NOT NULL,
    PRIMARY KEY (partition, subject, loan_id)
);
-- Every event of an application, in its order.
CREATE TABLE application_event (
    partition      smallint NOT NULL,
    application_id text     NOT NULL,
    n              integer  NOT NULL,
    subject        text     NOT NULL,
    event_id       text     NOT NULL,
    type           text     NOT NULL,
    time           text     NOT NULL,
    data           jsonb    NOT NULL,
    PRIMARY KEY (partition, application_id, n)
);
