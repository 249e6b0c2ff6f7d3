-- Values of reference rates, each in force from a date on (D3): every publication that was accepted, one a row. Of two with
-- the same index and date the later holds.
CREATE TABLE reference_rate (
    partition   smallint NOT NULL,
    "offset"    bigint   NOT NULL,       -- of the publication
    rate_index  text     NOT NULL,
    from_date   date     NOT NULL,
    annual_rate text     NOT NULL,       -- a decimal fraction
    PRIMARY KEY (partition, "offset")
);
