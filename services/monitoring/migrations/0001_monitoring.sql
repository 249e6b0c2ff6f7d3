-- What monitoring reads out of its inbox, beside the kit's own tables. Everything here is recomputed by a replay.

-- The borrower's loans as they stand.
CREATE TABLE loan (
    partition      smallint NOT NULL,
    subject        text     NOT NULL,    -- borrower id
    loan           text     NOT NULL,
    currency       text     NOT NULL,
    principal      bigint   NOT NULL,    -- outstanding, in minor units
    past_due       bigint   NOT NULL,    -- in minor units
    past_due_since date,                 -- days past due count from here
    next_due_date  date,
    status         text     NOT NULL,
    parked         boolean  NOT NULL,    -- stopped in the ledger: these figures may be behind
    class          text,                 -- null until a date was closed
    policy         text     NOT NULL,    -- the row that gave the class
    PRIMARY KEY (partition, subject, loan)
);
CREATE INDEX loan_by_id ON loan (loan);

-- What peer group a borrower belongs to.
CREATE TABLE borrower (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    industry  text     NOT NULL,
    region    text     NOT NULL,
    size      text     NOT NULL,
    segment   text     NOT NULL,
    telemetry boolean  NOT NULL,         -- consent stands
    PRIMARY KEY (partition, subject)
);

-- The level of each indicator as it stands, and what was compared with it last.
CREATE TABLE level (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    indicator text     NOT NULL,
    unit      text     NOT NULL,
    level     numeric  NOT NULL,
    figure    numeric,
    in_alert  boolean  NOT NULL,
    months    integer  NOT NULL,         -- learned from
    PRIMARY KEY (partition, subject, indicator)
);

-- The loan as of each booking date on which something happened to it: the portfolio as of a closed date reads the latest
-- row of each loan that is not after it.
CREATE TABLE loan_history (
    partition      smallint NOT NULL,
    loan           text     NOT NULL,
    as_of          date     NOT NULL,
    subject        text     NOT NULL,
    currency       text     NOT NULL,
    principal      bigint   NOT NULL,
    past_due_since date,
    status         text     NOT NULL,
    industry       text     NOT NULL,
    region         text     NOT NULL,
    PRIMARY KEY (partition, loan, as_of)
);

-- Every alert as it stands, ended ones included.
CREATE TABLE alert (
    partition     smallint NOT NULL,
    alert_id      uuid     NOT NULL,     -- of the event that raised it
    subject       text     NOT NULL,
    loan          text,
    indicator     text     NOT NULL,
    severity      text     NOT NULL,
    status        text     NOT NULL,     -- open, acknowledged, snoozed, resolved, superseded
    raised_on     date     NOT NULL,
    blocks        boolean  NOT NULL,
    snoozed_until date,
    "by"          text,                  -- who acted last; null: the rules did
    reason        text     NOT NULL,
    rule          text     NOT NULL,
    ending        text,                  -- its reason is gone, and it waits for its release
    PRIMARY KEY (partition, alert_id)
);
CREATE INDEX alert_subject ON alert (subject);
CREATE INDEX alert_open ON alert (raised_on, alert_id) WHERE status IN ('open', 'acknowledged', 'snoozed');

-- What an alert went through: the data of each event, and the event of the inbox that it followed from.
CREATE TABLE alert_event (
    partition smallint NOT NULL,
    event_id  uuid     NOT NULL,
    alert_id  uuid     NOT NULL,
    subject   text     NOT NULL,
    type      text     NOT NULL,
    data      text     NOT NULL,         -- JSON
    open_date date,
    cause     uuid     NOT NULL,
    PRIMARY KEY (partition, event_id)
);
CREATE INDEX alert_event_alert ON alert_event (alert_id);

-- Each change of a level likewise; of a whole peer group where `subject` is null.
CREATE TABLE level_event (
    partition smallint NOT NULL,
    event_id  uuid     NOT NULL,
    subject   text,
    indicator text     NOT NULL,
    segment   text     NOT NULL,
    as_of     date     NOT NULL,
    data      text     NOT NULL,         -- JSON
    cause     uuid     NOT NULL,
    PRIMARY KEY (partition, event_id)
);
CREATE INDEX level_event_subject ON level_event (subject, indicator, as_of);
CREATE INDEX level_event_group ON level_event (indicator, segment, as_of) WHERE subject IS NULL;

-- Each change of a loan's class.
CREATE TABLE class_event (
    partition     smallint NOT NULL,
    event_id      uuid     NOT NULL,
    loan          text     NOT NULL,
    subject       text     NOT NULL,
    as_of         date     NOT NULL,
    old           text,
    new           text     NOT NULL,
    days_past_due integer  NOT NULL,
    policy        text     NOT NULL,
    PRIMARY KEY (partition, event_id)
);
CREATE INDEX class_event_loan ON class_event (loan, as_of);

-- An indicator's value a month, as it was judged last (late data write it again).
CREATE TABLE figure (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    indicator text     NOT NULL,
    month     date     NOT NULL,         -- its first day
    value     numeric  NOT NULL,
    figure    numeric  NOT NULL,         -- what was compared: the EWMA, with the market's shift
    level     numeric  NOT NULL,
    crossed   boolean  NOT NULL,
    PRIMARY KEY (partition, subject, indicator, month)
);

-- Signals that did not count, and why; the inbox's table `event` keeps them whole.
CREATE TABLE set_aside (
    partition smallint NOT NULL,
    signal_id uuid     NOT NULL,
    subject   text     NOT NULL,
    rule      text     NOT NULL,
    reason    text     NOT NULL,
    open_date date,
    PRIMARY KEY (partition, signal_id)
);
