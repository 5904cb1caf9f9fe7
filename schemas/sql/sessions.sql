-- Sessions: one merge of a batch, its counters, and what the merge could not do.

-- name: make_batch_session
-- One per connection; each transaction fills and empties it. `issues` and `issues_arrived` are 0 where no sighting came.
CREATE TEMPORARY TABLE IF NOT EXISTS batch_session (
  started_at timestamptz, session_id uuid, organization_id uuid, user_id uuid, partition smallint,
  attempt integer, seq bigint, digest bigint, first_appended_at timestamptz, appended_at timestamptz,
  status_sent text, ended_at timestamptz, deadline_at timestamptz, next_run_at timestamptz, interval_s integer,
  counted_ended boolean, counted_attempt integer, counted_seq bigint, counted_digest bigint,
  objects bigint, changes bigint, failures bigint, conflicts bigint, total_changes bigint, report jsonb,
  issues integer, issues_arrived integer, issues_sent integer, log_chunks_sent integer, log_chunks_dropped integer,
  error_retryable boolean, error_source text, error_category text, error_code text, error_scope text, error_message text,
  status_detail text, trigger text, mode text, mail_system text, crm_system text, agent_id text, agent_version text,
  mail_s real, crm_s real, engine_s real
) ON COMMIT DELETE ROWS;

-- name: merge_sessions
-- A row is replaced only by a greater (attempt, seq, digest), so replays and late events change nothing; no row of another
-- user is. What the service closed is reopened or ended by any greater version, and keeps timed_out_at: the page tells it.
-- A batch holds a session once and is written in key order, so two writers cannot deadlock.
-- overtaken: sightings of this attempt came before it was told of, and are to be counted. OFFSET keeps it to index look-ups.
-- $1, $2: the first and the last `started_at` of the batch, so that only the days between them are opened for those.
WITH merged AS (
  INSERT INTO sync_session AS kept (
    started_at, session_id, organization_id, user_id, partition, attempt, seq, digest, began, first_appended_at, appended_at,
    status, status_sent, ended_at, deadline_at, next_run_at, interval_s,
    counted_ended, counted_attempt, counted_seq, counted_digest, objects, changes, failures, conflicts, total_changes, report,
    issues, issues_arrived, issues_sent, log_chunks_sent, log_chunks_dropped,
    error_retryable, error_source, error_category, error_code, error_scope, error_message,
    status_detail, trigger, mode, mail_system, crm_system, agent_id, agent_version, mail_s, crm_s, engine_s)
  SELECT started_at, session_id, organization_id, user_id, partition, attempt, seq, digest,
         least(started_at, first_appended_at), first_appended_at, appended_at,
         CASE WHEN status_sent = 'finished' AND (failures > 0 OR conflicts > 0 OR issues > 0 OR error_source IS NOT NULL)
              THEN 'finished_with_issues' ELSE status_sent END,
         status_sent, ended_at, deadline_at, next_run_at, interval_s,
         counted_ended, counted_attempt, counted_seq, counted_digest, objects, changes, failures, conflicts, total_changes, report,
         issues, issues_arrived, issues_sent, log_chunks_sent, log_chunks_dropped,
         error_retryable, error_source, error_category, error_code, error_scope, error_message,
         status_detail, trigger, mode, mail_system, crm_system, agent_id, agent_version, mail_s, crm_s, engine_s
    FROM batch_session ORDER BY started_at, session_id
  ON CONFLICT (started_at, session_id) DO UPDATE SET
    partition = excluded.partition, attempt = excluded.attempt, seq = excluded.seq, digest = excluded.digest,
    began = least(kept.began, excluded.began),
    first_appended_at = least(kept.first_appended_at, excluded.first_appended_at), appended_at = excluded.appended_at,
    status = CASE WHEN excluded.status = 'finished' AND excluded.issues_arrived = 0 AND excluded.attempt = kept.attempt AND kept.issues > 0
                  THEN 'finished_with_issues' ELSE excluded.status END,
    status_sent = excluded.status_sent, ended_at = excluded.ended_at, deadline_at = excluded.deadline_at,
    next_run_at = excluded.next_run_at, interval_s = excluded.interval_s,
    counted_ended = CASE WHEN /* keeps_counts */ THEN kept.counted_ended ELSE excluded.counted_ended END,
    counted_attempt = CASE WHEN /* keeps_counts */ THEN kept.counted_attempt ELSE excluded.counted_attempt END,
    counted_seq = CASE WHEN /* keeps_counts */ THEN kept.counted_seq ELSE excluded.counted_seq END,
    counted_digest = CASE WHEN /* keeps_counts */ THEN kept.counted_digest ELSE excluded.counted_digest END,
    objects = CASE WHEN /* keeps_counts */ THEN kept.objects ELSE excluded.objects END,
    changes = CASE WHEN /* keeps_counts */ THEN kept.changes ELSE excluded.changes END,
    failures = CASE WHEN /* keeps_counts */ THEN kept.failures ELSE excluded.failures END,
    conflicts = CASE WHEN /* keeps_counts */ THEN kept.conflicts ELSE excluded.conflicts END,
    total_changes = CASE WHEN /* keeps_counts */ THEN kept.total_changes ELSE excluded.total_changes END,
    report = CASE WHEN /* keeps_counts */ THEN kept.report ELSE excluded.report END,
    issues = CASE WHEN excluded.issues_arrived > 0 THEN excluded.issues WHEN excluded.attempt = kept.attempt THEN kept.issues ELSE 0 END,
    issues_arrived = CASE WHEN excluded.issues_arrived > 0 THEN excluded.issues_arrived
                          WHEN excluded.attempt = kept.attempt THEN kept.issues_arrived ELSE 0 END,
    issues_sent = excluded.issues_sent, log_chunks_sent = excluded.log_chunks_sent, log_chunks_dropped = excluded.log_chunks_dropped,
    error_retryable = excluded.error_retryable, error_source = excluded.error_source, error_category = excluded.error_category,
    error_code = excluded.error_code, error_scope = excluded.error_scope, error_message = excluded.error_message,
    status_detail = excluded.status_detail, trigger = excluded.trigger, mode = excluded.mode,
    mail_system = excluded.mail_system, crm_system = excluded.crm_system,
    agent_id = excluded.agent_id, agent_version = excluded.agent_version,
    mail_s = excluded.mail_s, crm_s = excluded.crm_s, engine_s = excluded.engine_s
  WHERE (kept.attempt, kept.seq, kept.digest) < (excluded.attempt, excluded.seq, excluded.digest)
    AND kept.organization_id = excluded.organization_id AND kept.user_id = excluded.user_id
  RETURNING new.digest, new.started_at, new.session_id, new.organization_id, new.partition,
    old.status AS was, old.error_source AS was_source, old.error_category AS was_category, old.mail_system AS was_mail,
    new.status AS became, new.error_source, new.error_category, new.mail_system,
    old.attempt = new.attempt AND old.seq = new.seq AS clashed, new.first_appended_at, new.issues_arrived,
    new.attempt, old.attempt IS DISTINCT FROM new.attempt AND new.issues_arrived = 0 OR new.issues_sent > new.issues_arrived AS incomplete
) /* count_hours */
SELECT digest, started_at, session_id, was, became, coalesce(clashed, false) AS clashed, was_source IS NOT NULL AS had_error,
       first_appended_at, issues_arrived,
       incomplete AND EXISTS (SELECT FROM issue_sighting f WHERE f.started_at = merged.started_at
         AND f.session_id = merged.session_id AND f.attempt = merged.attempt AND f.started_at BETWEEN $1 AND $2 OFFSET 0) AS overtaken
  FROM merged;

-- name: keeps_counts
-- A fragment: the counts in the row are of a later report than those that come.
(kept.counted_ended, kept.counted_attempt, kept.counted_seq, kept.counted_digest)
  > (excluded.counted_ended, excluded.counted_attempt, excluded.counted_seq, excluded.counted_digest)

-- name: count_hours
-- A fragment, put behind a CTE `merged` of rows that changed: the hour's counters move by new minus old, in the same statement.
-- The shard is the partition, so no two workers ever wait for one row.
, moved AS (
  SELECT organization_id, date_trunc('hour', started_at) AS hour, became AS status, coalesce(error_source, '') AS source,
         coalesce(error_category, '') AS category, coalesce(mail_system, '') AS mail, partition AS shard, 1 AS sessions
    FROM merged
   WHERE (was, was_source, was_category, was_mail) IS DISTINCT FROM (became, error_source, error_category, mail_system)
  UNION ALL
  SELECT organization_id, date_trunc('hour', started_at), was, coalesce(was_source, ''), coalesce(was_category, ''),
         coalesce(was_mail, ''), partition, -1
    FROM merged
   WHERE was IS NOT NULL
     AND (was, was_source, was_category, was_mail) IS DISTINCT FROM (became, error_source, error_category, mail_system)
), of_organizations AS (
  INSERT INTO session_hour AS kept (organization_id, hour, status, error_source, error_category, shard, sessions)
  SELECT organization_id, hour, status, source, category, shard, sum(sessions) FROM moved
   GROUP BY organization_id, hour, status, source, category, shard HAVING sum(sessions) <> 0
   ORDER BY organization_id, hour, status, source, category, shard
  ON CONFLICT (organization_id, hour, status, error_source, error_category, shard)
  DO UPDATE SET sessions = kept.sessions + excluded.sessions
), of_all AS (
  INSERT INTO session_hour_all AS kept (hour, status, error_source, error_category, mail_system, shard, sessions)
  SELECT hour, status, source, category, mail, shard, sum(sessions) FROM moved
   GROUP BY hour, status, source, category, mail, shard HAVING sum(sessions) <> 0
   ORDER BY hour, status, source, category, mail, shard
  ON CONFLICT (hour, status, error_source, error_category, mail_system, shard)
  DO UPDATE SET sessions = kept.sessions + excluded.sessions
)

-- name: explain_unmerged
-- Which rows of the batch did not get in, and why. A late one is no news. LATERAL with OFFSET keeps it to index look-ups,
-- whatever the planner thinks of a temporary table.
SELECT b.started_at, b.session_id, b.user_id,
       (s.organization_id, s.user_id) <> (b.organization_id, b.user_id) AS is_foreign,
       (s.attempt, s.seq) = (b.attempt, b.seq) AND s.digest <> b.digest AS clashed,
       (s.counted_ended, s.counted_attempt, s.counted_seq, s.counted_digest)
         < (b.counted_ended, b.counted_attempt, b.counted_seq, b.counted_digest) AS counts_newer
  FROM batch_session b
 CROSS JOIN LATERAL (SELECT * FROM sync_session f
                      WHERE f.started_at = b.started_at AND f.session_id = b.session_id OFFSET 0) s
 WHERE (s.attempt, s.seq, s.digest) <> (b.attempt, b.seq, b.digest)
    OR (s.organization_id, s.user_id) <> (b.organization_id, b.user_id);

-- name: merge_late_counts
-- The end of an earlier attempt came after the start of a greater one: its counts are shown while that one runs.
WITH late AS (
  SELECT b.* FROM batch_session b
  JOIN unnest($1::timestamptz[], $2::uuid[]) AS k (started_at, session_id) USING (started_at, session_id)
)
UPDATE sync_session AS kept
   SET counted_ended = late.counted_ended, counted_attempt = late.counted_attempt, counted_seq = late.counted_seq,
       counted_digest = late.counted_digest, objects = late.objects, changes = late.changes, failures = late.failures,
       conflicts = late.conflicts, total_changes = late.total_changes, report = late.report
  FROM late
 WHERE kept.started_at = late.started_at AND kept.session_id = late.session_id
   AND kept.started_at = ANY ($1) AND kept.organization_id = late.organization_id AND kept.user_id = late.user_id
   AND (kept.counted_ended, kept.counted_attempt, kept.counted_seq, kept.counted_digest)
     < (late.counted_ended, late.counted_attempt, late.counted_seq, late.counted_digest);

-- name: close_sessions
-- A fact of the service's own, set where the row still says so: running, past its limit, and unheard for half an hour.
-- $1: applied to; $2, $3: the sessions. `merged` feeds the same counters as every other change of a session.
WITH merged AS (
  UPDATE sync_session AS kept SET status = 'timed_out', timed_out_at = $1
    FROM unnest($2::timestamptz[], $3::uuid[]) AS k (started_at, session_id)
   WHERE kept.started_at = k.started_at AND kept.session_id = k.session_id AND kept.started_at = ANY ($2)
     AND kept.status = 'running' AND $1 >= kept.appended_at + interval '30 minutes'
     AND $1 > CASE WHEN kept.deadline_at IS NULL THEN kept.appended_at + interval '30 minutes'
                   ELSE kept.first_appended_at
                        + least(greatest(kept.deadline_at - kept.started_at, interval '0'), interval '1 day') END
  RETURNING new.started_at, new.session_id, new.organization_id, new.partition,
    old.status AS was, old.error_source AS was_source, old.error_category AS was_category, old.mail_system AS was_mail,
    new.status AS became, new.error_source, new.error_category, new.mail_system
) /* count_hours */
SELECT became AS status, error_source, error_category, mail_system FROM merged;

-- name: adjust_issues
-- Sightings came without a newer version of their session: the counts of its attempt, and the status that follows from them.
WITH seen AS (
  SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], $5::integer[], $6::integer[], $7::integer[])
    AS s (started_at, session_id, organization_id, user_id, attempt, issues, issues_arrived)
), merged AS (
  UPDATE sync_session AS kept
     SET issues = seen.issues, issues_arrived = seen.issues_arrived,
         status = CASE WHEN kept.status NOT IN ('finished', 'finished_with_issues') OR kept.status_sent <> 'finished' THEN kept.status
                       WHEN seen.issues > 0 OR kept.failures > 0 OR kept.conflicts > 0 OR kept.error_source IS NOT NULL
                       THEN 'finished_with_issues' ELSE 'finished' END
    FROM seen
   WHERE kept.started_at = seen.started_at AND kept.session_id = seen.session_id AND kept.started_at = ANY ($1)
     AND kept.organization_id = seen.organization_id AND kept.user_id = seen.user_id AND kept.attempt = seen.attempt
     AND (kept.issues, kept.issues_arrived) IS DISTINCT FROM (seen.issues, seen.issues_arrived)
  RETURNING new.started_at, new.session_id, new.organization_id, new.user_id, new.partition,
    old.status AS was, old.error_source AS was_source, old.error_category AS was_category, old.mail_system AS was_mail,
    new.status AS became, new.status, new.error_source, new.error_category, new.mail_system,
    new.attempt, new.seq, new.began, new.first_appended_at, new.appended_at, new.deadline_at, new.interval_s, new.timed_out_at,
    new.issues_arrived, new.issues_sent, new.error_retryable
) /* count_hours */
SELECT * FROM merged;

-- name: merge_texts
-- The heavy texts of sessions that changed; a session whose newest version has no error has none.
INSERT INTO session_text AS kept (started_at, session_id, organization_id, message, exception)
SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS t (a, b, c, d, e) ORDER BY a, b
ON CONFLICT (started_at, session_id) DO UPDATE SET message = excluded.message, exception = excluded.exception
 WHERE kept.organization_id = excluded.organization_id;

-- name: drop_texts
DELETE FROM session_text AS kept USING unnest($1::timestamptz[], $2::uuid[]) AS gone (started_at, session_id)
 WHERE kept.started_at = gone.started_at AND kept.session_id = gone.session_id AND kept.started_at = ANY ($1);
