-- A loan's restructuring, charge-off and write-off. Of what was read before, no entry told any: the defaults are what a
-- replay gives.

ALTER TABLE loan
    ADD COLUMN restructured   integer NOT NULL DEFAULT 0,    -- how often
    ADD COLUMN watched_until  date,                          -- after a restructuring, this date included
    ADD COLUMN charged_off_on date,                          -- no asset since then
    ADD COLUMN written_off    bigint  NOT NULL DEFAULT 0;    -- principal booked as a loss so far, in minor units

ALTER TABLE loan_history
    ADD COLUMN restructured   integer NOT NULL DEFAULT 0,
    ADD COLUMN watched_until  date,
    ADD COLUMN charged_off_on date,
    ADD COLUMN written_off    bigint  NOT NULL DEFAULT 0;

-- What gave the class, if not days past due alone: restructured, charged-off.
ALTER TABLE class_event ADD COLUMN trigger text;
