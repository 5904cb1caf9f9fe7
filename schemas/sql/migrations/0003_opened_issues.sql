-- What opened an issue stays known when it is over, with the code of its failure as the system says it.
-- opened_*: the version that the error of a row is of, where that is not the row's own; else NULL, as in all rows of before.
-- Without defaults, so that no row is written: the locks are held for milliseconds.

SET LOCAL lock_timeout = '1s';
SET LOCAL statement_timeout = '120s';

ALTER TABLE issue_sighting
  ADD COLUMN failure_code text,
  ADD COLUMN opened_attempt integer,
  ADD COLUMN opened_seq bigint,
  ADD COLUMN opened_digest bigint;

ALTER TABLE sync_issue
  ADD COLUMN failure_code text,
  ADD COLUMN opened_began timestamptz,
  ADD COLUMN opened_session_id uuid,
  ADD COLUMN opened_attempt integer,
  ADD COLUMN opened_seq bigint,
  ADD COLUMN opened_digest bigint;
