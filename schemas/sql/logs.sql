-- Logs: chunks as they came. A chunk is known by its number, a second copy is no news.

-- name: make_batch_chunk
CREATE TEMPORARY TABLE IF NOT EXISTS batch_chunk (
  started_at timestamptz, session_id uuid, attempt integer, chunk_no integer, organization_id uuid, user_id uuid,
  appended_at timestamptz, first_line integer, line_count integer, dropped_lines integer, redactions integer, final boolean,
  body bytea
) ON COMMIT DELETE ROWS;

-- name: merge_chunks
INSERT INTO log_chunk (started_at, session_id, attempt, chunk_no, organization_id, user_id, appended_at, first_line, line_count,
                       dropped_lines, redactions, final, body)
SELECT * FROM batch_chunk ORDER BY started_at, session_id, attempt, chunk_no
ON CONFLICT (started_at, session_id, attempt, chunk_no) DO NOTHING;

-- name: foreign_chunks
-- Chunks whose session belongs to another user or organization: they are refused.
SELECT DISTINCT b.started_at, b.session_id, b.user_id
  FROM batch_chunk b
 CROSS JOIN LATERAL (SELECT organization_id, user_id FROM sync_session f
                      WHERE f.started_at = b.started_at AND f.session_id = b.session_id OFFSET 0) s
 WHERE (s.organization_id, s.user_id) <> (b.organization_id, b.user_id);
