-- A token of the role applicant is bound to one borrower, as in every service's table; here no route lets it in.
ALTER TABLE token ADD COLUMN borrower_id text,
    ADD CONSTRAINT applicant_is_bound CHECK ((role = 'applicant') = (borrower_id IS NOT NULL));
