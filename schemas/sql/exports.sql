-- Records of exports and what archives of logs are read from.

-- name: begin
INSERT INTO export (export_id, actor, organization_id, list, query, as_of, started_at, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'running');

-- name: finish
-- A cancelled one stays so.
UPDATE export SET ended_at = $2, state = CASE WHEN state = 'cancelled' THEN state ELSE $3 END, rows = $4, bytes = $5, sha256 = $6
 WHERE export_id = $1 AND ended_at IS NULL RETURNING state;

-- name: cancel
UPDATE export SET state = 'cancelled' WHERE export_id = $1 AND state = 'running' RETURNING export_id;

-- name: state
SELECT state FROM export WHERE export_id = $1;

-- name: find
SELECT export_id, actor, organization_id, list, query, as_of, started_at, ended_at, state, rows, bytes, sha256
  FROM export WHERE export_id = $1;

-- name: sessions_of_organization
SELECT started_at, session_id, user_id, status, attempt, log_chunks_sent, log_chunks_dropped FROM sync_session
 WHERE organization_id = $1 AND started_at >= $2 AND started_at < $3 ORDER BY started_at, session_id;

-- name: sessions_of_user
SELECT started_at, session_id, user_id, status, attempt, log_chunks_sent, log_chunks_dropped FROM sync_session
 WHERE organization_id = $1 AND started_at >= $2 AND started_at < $3 AND user_id = $4 ORDER BY started_at, session_id;

-- name: one_session
SELECT started_at, session_id, user_id, organization_id, status, attempt, log_chunks_sent, log_chunks_dropped FROM sync_session
 WHERE started_at = $1 AND session_id = $2;
