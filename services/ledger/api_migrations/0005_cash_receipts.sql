-- Receipts for cash at branches that were recorded through this API, so that a number is given once. The log has the same.
CREATE TABLE cash_receipt (
    branch     text  NOT NULL,
    number     text  NOT NULL,
    payment_id uuid  NOT NULL,
    stated     bytea NOT NULL,           -- SHA-256 of what the receipt is for
    PRIMARY KEY (branch, number)
);
