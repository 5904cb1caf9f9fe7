-- What deploying needs: the migration runner's own bookkeeping, roles, position rows, counts.

-- name: make_bookkeeping
-- Must work before any file is applied, so it is in no file.
CREATE TABLE IF NOT EXISTS schema_migration (
  name       text PRIMARY KEY,
  sha256     text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_bookkeeping
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: list_applied
SELECT name, sha256 FROM schema_migration ORDER BY name;

-- name: note_applied
INSERT INTO schema_migration (name, sha256) VALUES ($1, $2);

-- name: password_statement
-- ALTER ROLE takes no arguments, so the server quotes them into the statement to send.
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text);

-- name: add_position
-- Only ever made at 0: where records before the log's start are missing, that is a gap to be told.
INSERT INTO kafka_position (topic, partition) VALUES ($1, $2) ON CONFLICT (topic, partition) DO NOTHING;

-- name: list_positions
SELECT topic, partition, next_offset FROM kafka_position;

-- name: count_stored
-- What the connector counts as published, under the names that it uses.
SELECT (SELECT count(*) FROM sync_session) AS sessions, (SELECT count(*) FROM issue_sighting) AS issues,
       (SELECT count(*) FROM log_chunk) AS log_chunks, (SELECT count(*) FROM rejected_event) AS rejected;

-- name: has_token
-- Whether a token kept beside the database is still one of this database.
SELECT EXISTS (SELECT FROM agent_token WHERE token_hash = $1 AND revoked_at IS NULL);

-- name: has_account
SELECT EXISTS (SELECT FROM account WHERE email = $1);
