-- Agents that are out of use.

SET LOCAL lock_timeout = '1s';
SET LOCAL statement_timeout = '120s';

-- Every token of it is revoked; kept by the leader.
ALTER TABLE agent ADD COLUMN retired boolean NOT NULL DEFAULT false;
