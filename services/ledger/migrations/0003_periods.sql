-- Accounting periods that were closed, each on every partition: what is booked after the close counts in a later one.
CREATE TABLE closed_period (
    partition  smallint NOT NULL,
    "offset"   bigint   NOT NULL,        -- of its PeriodClosed
    period_end date     NOT NULL,        -- its last date
    PRIMARY KEY (partition, "offset")
);

-- The first date of the periods that were open when it was booked. The date on which a posting counts in reports of
-- periods is the later of this and its value date. It fills what alignment left empty.
ALTER TABLE posting ADD COLUMN open_from date NOT NULL DEFAULT '-infinity';
