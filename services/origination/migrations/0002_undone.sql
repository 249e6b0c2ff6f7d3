-- How often what was paid out of a loan was taken back whole: an order to pay out may follow each of these.
ALTER TABLE standing ADD COLUMN undone integer NOT NULL DEFAULT 0;
