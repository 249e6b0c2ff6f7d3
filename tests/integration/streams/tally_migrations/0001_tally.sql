CREATE TABLE tally (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    count     bigint   NOT NULL,
    total     bigint   NOT NULL
);
CREATE TABLE tally_day (
    partition smallint NOT NULL,
    subject   text     NOT NULL,
    day       date     NOT NULL,
    total     bigint   NOT NULL,
    PRIMARY KEY (partition, subject, day)
);
