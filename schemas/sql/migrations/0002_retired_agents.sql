-- Agents that are out of use, and two indexes less.
-- organization.sessions_24h and agent.sent_at are written no more, and nothing reads them. They stay for workers of the
-- version before, which write them until they are replaced.

SET LOCAL lock_timeout = '1s';
SET LOCAL statement_timeout = '120s';

-- Every token of it is revoked; kept by the leader.
ALTER TABLE agent ADD COLUMN retired boolean NOT NULL DEFAULT false;

-- Sightings and log lines are read by their session alone. What cannot be dropped concurrently, as these are of tables of
-- days, is dropped within milliseconds.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX issue_sighting_of_issue;
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX log_chunk_of_user;
