-- Issues: sightings (one row per issue and session) and the issue itself (its newest sighting).

-- name: make_batch_sighting
-- `turn`: 0 for the newest version of a sighting in the batch, 1 and 2 for those of another kind before it. `began`: not copied.
CREATE TEMPORARY TABLE IF NOT EXISTS batch_sighting (
  started_at timestamptz, session_id uuid, issue_id uuid, organization_id uuid, user_id uuid,
  attempt integer, seq bigint, digest bigint, first_appended_at timestamptz, appended_at timestamptz, state text,
  object_type text, object_name text, object_id text, counterpart_id text, direction text, operation text, error_code smallint,
  error_text text, error_source text, error_category text, failure_code text, error_retryable boolean, attempts integer,
  resolution text, turn integer, began timestamptz
) ON COMMIT DELETE ROWS;

-- name: merge_sightings
-- The rows of turn $1, each one version; one opens that says opened with a code other than 0. A row is of its user's newest
-- (attempt, seq, digest), but its error is of the newest that opens, whose version opened_* is where a newer does not: then
-- the row is resolved, even if that one says opened with code 0. `opened`: no version of the sighting opened before.
INSERT INTO issue_sighting AS kept (
  started_at, session_id, issue_id, organization_id, user_id, attempt, seq, digest, began, appended_at, state,
  object_type, object_name, object_id, counterpart_id, direction, operation, error_code,
  error_text, error_source, error_category, failure_code, error_retryable, attempts, resolution)
SELECT started_at, session_id, issue_id, organization_id, user_id, attempt, seq, digest, least(started_at, first_appended_at),
       appended_at, state, object_type, object_name, object_id, counterpart_id, direction, operation, error_code,
       error_text, error_source, error_category, failure_code, error_retryable, attempts, resolution
  FROM batch_sighting WHERE turn = $1 ORDER BY started_at, session_id, issue_id
ON CONFLICT (started_at, session_id, issue_id) DO UPDATE SET
  began = least(kept.began, excluded.began),
  (attempt, seq, digest, appended_at, object_type, object_name, object_id, counterpart_id, direction, operation, attempts,
   resolution) = (
    SELECT v.* FROM (SELECT excluded.attempt, excluded.seq, excluded.digest, excluded.appended_at, excluded.object_type,
      excluded.object_name, excluded.object_id, excluded.counterpart_id, excluded.direction, excluded.operation,
      excluded.attempts, excluded.resolution
     WHERE (kept.attempt, kept.seq, kept.digest) < (excluded.attempt, excluded.seq, excluded.digest)
    UNION ALL SELECT kept.attempt, kept.seq, kept.digest, kept.appended_at, kept.object_type,
      kept.object_name, kept.object_id, kept.counterpart_id, kept.direction, kept.operation,
      kept.attempts, kept.resolution) AS v LIMIT 1),
  (state, error_code, error_text, error_source, error_category, failure_code, error_retryable, opened_attempt, opened_seq,
   opened_digest) = (
    SELECT v.* FROM (
      SELECT 'opened', excluded.error_code, excluded.error_text, excluded.error_source, excluded.error_category,
             excluded.failure_code, excluded.error_retryable, NULL::integer, NULL::bigint, NULL::bigint
       WHERE excluded.state = 'opened' AND excluded.error_code <> 0
         AND (kept.attempt, kept.seq, kept.digest) < (excluded.attempt, excluded.seq, excluded.digest)
      UNION ALL
      SELECT 'resolved', excluded.error_code, excluded.error_text, excluded.error_source, excluded.error_category,
             excluded.failure_code, excluded.error_retryable, excluded.attempt, excluded.seq, excluded.digest
       WHERE excluded.state = 'opened' AND excluded.error_code <> 0
      UNION ALL
      SELECT 'resolved', kept.error_code, kept.error_text, kept.error_source, kept.error_category,
             kept.failure_code, kept.error_retryable, kept.attempt, kept.seq, kept.digest
       WHERE kept.state = 'opened' AND kept.error_code <> 0
      UNION ALL
      SELECT 'resolved', kept.error_code, kept.error_text, kept.error_source, kept.error_category,
             kept.failure_code, kept.error_retryable, kept.opened_attempt, kept.opened_seq, kept.opened_digest
       WHERE kept.opened_attempt IS NOT NULL
      UNION ALL
      SELECT excluded.state, excluded.error_code, excluded.error_text, excluded.error_source, excluded.error_category,
             excluded.failure_code, excluded.error_retryable, NULL, NULL, NULL) AS v LIMIT 1)
WHERE kept.organization_id = excluded.organization_id AND kept.user_id = excluded.user_id
  AND ((kept.attempt, kept.seq, kept.digest) < (excluded.attempt, excluded.seq, excluded.digest)
       OR (excluded.state = 'opened' AND excluded.error_code <> 0 AND (kept.state = 'resolved' OR kept.error_code = 0)
           AND ((kept.opened_attempt, kept.opened_seq, kept.opened_digest)
                < (excluded.attempt, excluded.seq, excluded.digest)) IS NOT FALSE))
RETURNING new.organization_id, new.issue_id,
  coalesce(old.attempt = new.attempt AND old.seq = new.seq AND old.digest <> new.digest, false) AS clashed,
  (new.opened_attempt IS NOT NULL OR (new.state = 'opened' AND new.error_code <> 0))
    AND NOT coalesce(old.opened_attempt IS NOT NULL OR (old.state = 'opened' AND old.error_code <> 0), false) AS opened;

-- name: begin_ahead
-- Where an agent's clock is ahead, a sighting began with its first event, in whichever batch that came.
UPDATE batch_sighting b SET began = (
  SELECT f.began FROM issue_sighting f
   WHERE f.started_at = b.started_at AND f.session_id = b.session_id AND f.issue_id = b.issue_id)
 WHERE started_at > first_appended_at;

-- name: count_sightings
-- What has arrived of each attempt of the sessions touched, by user: what came of another's before the session is not its
-- own. LATERAL with OFFSET keeps it to index look-ups.
SELECT b.started_at, b.session_id, s.organization_id, s.user_id, s.attempt,
       count(*) FILTER (WHERE s.state = 'opened' AND s.error_code <> 0)::integer AS issues, count(*)::integer AS issues_arrived
  FROM unnest($1::timestamptz[], $2::uuid[]) AS b (started_at, session_id)
 CROSS JOIN LATERAL (SELECT organization_id, user_id, attempt, state, error_code FROM issue_sighting f
                      WHERE f.started_at = b.started_at AND f.session_id = b.session_id OFFSET 0) s
 GROUP BY b.started_at, b.session_id, s.organization_id, s.user_id, s.attempt;

-- name: foreign_sightings
-- Sightings whose session belongs to another user or organization: they are refused.
SELECT DISTINCT b.started_at, b.session_id, b.user_id
  FROM batch_sighting b
 CROSS JOIN LATERAL (SELECT organization_id, user_id FROM sync_session f
                      WHERE f.started_at = b.started_at AND f.session_id = b.session_id OFFSET 0) s
 WHERE (s.organization_id, s.user_id) <> (b.organization_id, b.user_id);

-- name: merge_issues
-- Called for what opened issues and for what resolved them, leaving out what says $1 (an equation would be planned for a few
-- rows). An opened one with code 0 is a success, no issue. The newest sighting by (began, session_id, attempt, seq, digest)
-- is the issue, but its error is of the newest that opened it, whose version opened_* is where a newer resolved it. An issue
-- opened after any sighting said resolved is regressed. $2, $3: the issue of each session that saw it opened, the first time.
WITH newest AS (
  SELECT DISTINCT ON (organization_id, issue_id) *,
         min(first_appended_at) OVER (PARTITION BY organization_id, issue_id) AS first_seen_at
    FROM batch_sighting
   WHERE state <> $1 AND (state = 'resolved' OR error_code <> 0)
   ORDER BY organization_id, issue_id, coalesce(began, started_at) DESC, session_id DESC, attempt DESC, seq DESC, digest DESC
), seen AS (
  SELECT organization_id, issue_id, count(*)::integer AS times
    FROM unnest($2::uuid[], $3::uuid[]) AS s (organization_id, issue_id) GROUP BY organization_id, issue_id
)
INSERT INTO sync_issue AS kept (
  organization_id, issue_id, user_id, began, session_id, attempt, seq, digest, session_started_at, state, was_resolved,
  first_seen_at, last_seen_at, closed_at, times, object_type, object_name, object_id, counterpart_id, direction, operation,
  error_code, error_text, error_source, error_category, failure_code, error_retryable, mail_system, crm_system, attempts, resolution)
SELECT n.organization_id, n.issue_id, n.user_id, coalesce(n.began, n.started_at), n.session_id, n.attempt, n.seq, n.digest, n.started_at,
       CASE WHEN n.state = 'resolved' THEN 'resolved' ELSE 'open' END, n.state = 'resolved', n.first_seen_at, n.appended_at,
       CASE WHEN n.state = 'resolved' THEN n.appended_at END, coalesce(s.times, 0),
       n.object_type, n.object_name, n.object_id, n.counterpart_id, n.direction, n.operation, n.error_code, n.error_text,
       n.error_source, n.error_category, n.failure_code, n.error_retryable, q.mail_system, q.crm_system, n.attempts, n.resolution
  FROM newest n
  LEFT JOIN seen s USING (organization_id, issue_id)
  LEFT JOIN LATERAL (SELECT mail_system, crm_system FROM sync_session f
                      WHERE f.started_at = n.started_at AND f.session_id = n.session_id OFFSET 0) q ON true
 ORDER BY n.organization_id, n.issue_id
ON CONFLICT (organization_id, issue_id) DO UPDATE SET
  (user_id, began, session_id, attempt, seq, digest, session_started_at, last_seen_at, closed_at, object_type, object_name,
   object_id, counterpart_id, direction, operation, mail_system, crm_system, attempts, resolution) = (
    SELECT v.* FROM (SELECT excluded.user_id, excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest,
      excluded.session_started_at, excluded.last_seen_at, excluded.closed_at, excluded.object_type, excluded.object_name,
      excluded.object_id, excluded.counterpart_id, excluded.direction, excluded.operation, excluded.mail_system,
      excluded.crm_system, excluded.attempts, excluded.resolution
     WHERE (kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest)
         < (excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest)
    UNION ALL SELECT kept.user_id, kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest,
      kept.session_started_at, kept.last_seen_at, kept.closed_at, kept.object_type, kept.object_name,
      kept.object_id, kept.counterpart_id, kept.direction, kept.operation, kept.mail_system,
      kept.crm_system, kept.attempts, kept.resolution) AS v LIMIT 1),
  (error_code, error_text, error_source, error_category, failure_code, error_retryable,
   opened_began, opened_session_id, opened_attempt, opened_seq, opened_digest) = (
    SELECT v.error_code, v.error_text, v.error_source, v.error_category, v.failure_code, v.error_retryable, o.*
      FROM (SELECT excluded.error_code, excluded.error_text, excluded.error_source, excluded.error_category,
                   excluded.failure_code, excluded.error_retryable, excluded.state <> 'resolved' AS opens,
                   excluded.began, excluded.session_id,
                   excluded.attempt, excluded.seq, excluded.digest
            UNION ALL
            SELECT kept.error_code, kept.error_text, kept.error_source, kept.error_category,
                   kept.failure_code, kept.error_retryable, kept.state <> 'resolved' OR kept.opened_began IS NOT NULL,
                   coalesce(kept.opened_began, kept.began), coalesce(kept.opened_session_id, kept.session_id),
                   coalesce(kept.opened_attempt, kept.attempt), coalesce(kept.opened_seq, kept.seq),
                   coalesce(kept.opened_digest, kept.digest)
             ORDER BY opens DESC, began DESC, session_id DESC, attempt DESC, seq DESC, digest DESC LIMIT 1) AS v
      LEFT JOIN LATERAL (SELECT v.began, v.session_id, v.attempt, v.seq, v.digest
                          WHERE v.opens AND CASE
                            WHEN (kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest)
                                 < (excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest)
                            THEN excluded.state ELSE kept.state END = 'resolved') AS o ON true),
  state = CASE
    WHEN (kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest)
         < (excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest)
    THEN CASE WHEN excluded.state = 'resolved' THEN 'resolved'
              WHEN kept.was_resolved OR excluded.was_resolved THEN 'regressed' ELSE 'open' END
    WHEN kept.state = 'open' AND excluded.was_resolved THEN 'regressed' ELSE kept.state END,
  was_resolved = kept.was_resolved OR excluded.was_resolved,
  first_seen_at = least(kept.first_seen_at, excluded.first_seen_at),
  times = kept.times + excluded.times
WHERE kept.user_id = excluded.user_id
RETURNING new.object_type, (new.state <> 'resolved' AND coalesce(old.state, 'resolved') = 'resolved') AS newly_open;
