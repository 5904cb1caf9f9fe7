-- Issues: sightings (one row per issue and session) and the issue itself (its newest sighting).

-- name: make_batch_sighting
-- `ever_resolved`: any version of this sighting in the batch said resolved, also one that a newer version replaced.
CREATE TEMPORARY TABLE IF NOT EXISTS batch_sighting (
  started_at timestamptz, session_id uuid, issue_id uuid, organization_id uuid, user_id uuid,
  attempt integer, seq bigint, digest bigint, began timestamptz, appended_at timestamptz, state text,
  object_type text, object_name text, object_id text, counterpart_id text, direction text, operation text, error_code smallint,
  error_text text, error_source text, error_category text, error_retryable boolean, attempts integer, resolution text,
  ever_resolved boolean
) ON COMMIT DELETE ROWS;

-- name: merge_sightings
-- Replaced only by a greater (attempt, seq, digest) of the same user. `opened` moves by +1, 0 or -1: what `times` is summed from.
INSERT INTO issue_sighting AS kept (
  started_at, session_id, issue_id, organization_id, user_id, attempt, seq, digest, began, appended_at, state,
  object_type, object_name, object_id, counterpart_id, direction, operation, error_code,
  error_text, error_source, error_category, error_retryable, attempts, resolution)
SELECT started_at, session_id, issue_id, organization_id, user_id, attempt, seq, digest, began, appended_at, state,
       object_type, object_name, object_id, counterpart_id, direction, operation, error_code,
       error_text, error_source, error_category, error_retryable, attempts, resolution
  FROM batch_sighting ORDER BY started_at, session_id, issue_id
ON CONFLICT (started_at, session_id, issue_id) DO UPDATE SET
  attempt = excluded.attempt, seq = excluded.seq, digest = excluded.digest, began = least(kept.began, excluded.began),
  appended_at = excluded.appended_at, state = excluded.state, object_type = excluded.object_type, object_name = excluded.object_name,
  object_id = excluded.object_id, counterpart_id = excluded.counterpart_id, direction = excluded.direction,
  operation = excluded.operation, error_code = excluded.error_code, error_text = excluded.error_text,
  error_source = excluded.error_source, error_category = excluded.error_category, error_retryable = excluded.error_retryable,
  attempts = excluded.attempts, resolution = excluded.resolution
WHERE (kept.attempt, kept.seq, kept.digest) < (excluded.attempt, excluded.seq, excluded.digest)
  AND kept.organization_id = excluded.organization_id AND kept.user_id = excluded.user_id
RETURNING new.organization_id, new.issue_id, coalesce(old.attempt = new.attempt AND old.seq = new.seq, false) AS clashed,
  (new.state = 'opened' AND new.error_code <> 0)::integer
    - coalesce((old.state = 'opened' AND old.error_code <> 0)::integer, 0) AS opened;

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
-- The newest sighting by (began, session_id, attempt, seq) is the issue. An opened one with code 0 is a success, no issue.
-- An issue opened after any sighting said resolved is regressed. $1..$3: how many sessions more (or fewer) saw it opened.
WITH sighting AS (
  SELECT * FROM batch_sighting WHERE error_code <> 0 OR state = 'resolved'
), newest AS (
  SELECT DISTINCT ON (organization_id, issue_id) * FROM sighting
   ORDER BY organization_id, issue_id, began DESC, session_id DESC, attempt DESC, seq DESC, digest DESC
), of_issue AS (
  SELECT organization_id, issue_id, bool_or(ever_resolved OR state = 'resolved') AS was_resolved, min(appended_at) AS first_seen_at
    FROM sighting GROUP BY organization_id, issue_id
), seen AS (
  SELECT organization_id, issue_id, sum(opened)::integer AS times
    FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS s (organization_id, issue_id, opened) GROUP BY organization_id, issue_id
)
INSERT INTO sync_issue AS kept (
  organization_id, issue_id, user_id, began, session_id, attempt, seq, digest, session_started_at, state, was_resolved,
  first_seen_at, last_seen_at, closed_at, times, object_type, object_name, object_id, counterpart_id, direction, operation,
  error_code, error_text, error_source, error_category, error_retryable, mail_system, crm_system, attempts, resolution)
SELECT n.organization_id, n.issue_id, n.user_id, n.began, n.session_id, n.attempt, n.seq, n.digest, n.started_at,
       CASE WHEN n.state = 'resolved' THEN 'resolved' WHEN o.was_resolved THEN 'regressed' ELSE 'open' END, o.was_resolved,
       o.first_seen_at, n.appended_at, CASE WHEN n.state = 'resolved' THEN n.appended_at END, greatest(coalesce(s.times, 0), 0),
       n.object_type, n.object_name, n.object_id, n.counterpart_id, n.direction, n.operation, n.error_code, n.error_text,
       n.error_source, n.error_category, n.error_retryable, q.mail_system, q.crm_system, n.attempts, n.resolution
  FROM newest n
  JOIN of_issue o USING (organization_id, issue_id)
  LEFT JOIN seen s USING (organization_id, issue_id)
  LEFT JOIN LATERAL (SELECT mail_system, crm_system FROM sync_session f
                      WHERE f.started_at = n.started_at AND f.session_id = n.session_id OFFSET 0) q ON true
 ORDER BY n.organization_id, n.issue_id
ON CONFLICT (organization_id, issue_id) DO UPDATE SET
  (user_id, began, session_id, attempt, seq, digest, session_started_at, last_seen_at, closed_at, object_type, object_name,
   object_id, counterpart_id, direction, operation, error_code, error_text, error_source, error_category, error_retryable,
   mail_system, crm_system, attempts, resolution) = (
    SELECT v.* FROM (SELECT excluded.user_id, excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest,
      excluded.session_started_at, excluded.last_seen_at, excluded.closed_at, excluded.object_type, excluded.object_name,
      excluded.object_id, excluded.counterpart_id, excluded.direction, excluded.operation, excluded.error_code, excluded.error_text,
      excluded.error_source, excluded.error_category, excluded.error_retryable, excluded.mail_system, excluded.crm_system,
      excluded.attempts, excluded.resolution
     WHERE (kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest)
         < (excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest)
    UNION ALL SELECT kept.user_id, kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest,
      kept.session_started_at, kept.last_seen_at, kept.closed_at, kept.object_type, kept.object_name,
      kept.object_id, kept.counterpart_id, kept.direction, kept.operation, kept.error_code, kept.error_text,
      kept.error_source, kept.error_category, kept.error_retryable, kept.mail_system, kept.crm_system,
      kept.attempts, kept.resolution) AS v LIMIT 1),
  state = CASE
    WHEN (kept.began, kept.session_id, kept.attempt, kept.seq, kept.digest)
         < (excluded.began, excluded.session_id, excluded.attempt, excluded.seq, excluded.digest)
    THEN CASE WHEN excluded.state = 'resolved' THEN 'resolved'
              WHEN kept.was_resolved OR excluded.was_resolved THEN 'regressed' ELSE 'open' END
    WHEN kept.state = 'open' AND excluded.was_resolved THEN 'regressed' ELSE kept.state END,
  was_resolved = kept.was_resolved OR excluded.was_resolved,
  first_seen_at = least(kept.first_seen_at, excluded.first_seen_at),
  times = greatest(kept.times + coalesce((SELECT s.times FROM seen s
    WHERE s.organization_id = excluded.organization_id AND s.issue_id = excluded.issue_id), 0), 0)
WHERE kept.user_id = excluded.user_id
RETURNING new.object_type, (new.state <> 'resolved' AND coalesce(old.state, 'resolved') = 'resolved') AS newly_open;
