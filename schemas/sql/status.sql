-- Judging users. All of it runs in the transaction that moved the position of the users' partition, so that two writers
-- of one user never meet here, except while partitions are being added.

-- name: temporary_tables
-- Once per connection. COPY goes into temporary tables, which have no row-level security, and from there in one statement.
CREATE TEMPORARY TABLE IF NOT EXISTS judged_user (
  organization_id uuid, user_id uuid, partition smallint, recent bytea, agent_id text, changed_at timestamptz,
  status text, status_rank smallint, bucket text, reason text, since timestamptz, failing_since timestamptz,
  in_a_row integer, check_at timestamptz, due_at timestamptz, limit_at timestamptz, revision bigint,
  has_figures boolean, last_started_at timestamptz, last_session_id uuid, last_status text, last_ended_at timestamptz,
  objects bigint, changes bigint, failures bigint, total_changes bigint, conflicts bigint, issues integer,
  error_source text, error_category text, error_code text, error_retryable boolean
) ON COMMIT DELETE ROWS;

-- name: lock_users
-- Locks the rows in key order and reads what the verdict needs. What is locked is read as it is after the wait.
-- $1, $2: organization and user ids, side by side; $3: the interval where nobody names one.
SELECT t.n::integer AS n, us.partition, us.status, us.reason, us.since, us.bucket, us.revision, us.check_at, us.due_at,
       us.recent, us.agent_id, us.last_session_id, us.last_status, us.error_retryable,
       CASE WHEN u.state = 'removed' OR o.state = 'removed' THEN 'removed'
            WHEN NOT o.sync_enabled THEN 'organization_off'
            WHEN u.sync_enabled THEN NULL
            WHEN u.disabled_reason IN ('manual', 'authorization', 'throttling') THEN 'off_' || u.disabled_reason
            ELSE 'off_other' END AS off,
       CASE WHEN NOT o.sync_enabled THEN o.flag_since WHEN NOT u.sync_enabled THEN u.flag_since END AS off_since,
       greatest(coalesce(u.announced_at, u.first_seen_at), u.enabled_since,
                CASE WHEN o.sync_enabled THEN o.flag_since END) AS counted_from,
       coalesce(u.interval_s, o.interval_s, $3) AS interval_s
  FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(organization_id, user_id, n)
  JOIN user_status us ON us.organization_id = t.organization_id AND us.user_id = t.user_id
  JOIN sync_user u ON u.organization_id = us.organization_id AND u.user_id = us.user_id
  JOIN organization o ON o.organization_id = us.organization_id
 ORDER BY us.organization_id, us.user_id
   FOR UPDATE OF us;

-- name: add_users
-- An empty bucket: counted by no organization yet.
INSERT INTO user_status (organization_id, user_id, partition, bucket)
SELECT organization_id, user_id, partition, ''
  FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS t(organization_id, user_id, partition)
 ORDER BY organization_id, user_id
ON CONFLICT (organization_id, user_id) DO NOTHING;

-- name: figures
-- Only where the last ended session is not the one that was shown and not one that this batch brought: it was reopened.
SELECT t.n::integer AS n, s.ended_at, s.objects, s.changes, s.failures, s.total_changes, s.conflicts, s.issues,
       s.error_source, s.error_category, s.error_code, s.error_retryable
  FROM unnest($1::timestamptz[], $2::uuid[]) WITH ORDINALITY AS t(started_at, session_id, n)
  JOIN sync_session s ON s.started_at = t.started_at AND s.session_id = t.session_id;

-- name: store_verdicts
-- Old and new of the same row feed the change told and the counters, so they cannot disagree with what is stored.
WITH stored AS (
  UPDATE user_status us
     SET partition = j.partition, recent = j.recent, agent_id = j.agent_id, changed_at = j.changed_at,
         status = j.status, status_rank = j.status_rank, bucket = j.bucket, reason = j.reason, since = j.since,
         failing_since = j.failing_since, in_a_row = j.in_a_row, check_at = j.check_at, due_at = j.due_at,
         limit_at = j.limit_at, revision = j.revision,
         last_started_at = j.last_started_at, last_session_id = j.last_session_id, last_status = j.last_status,
         last_ended_at = CASE WHEN j.has_figures THEN j.last_ended_at ELSE us.last_ended_at END,
         objects = CASE WHEN j.has_figures THEN j.objects ELSE us.objects END,
         changes = CASE WHEN j.has_figures THEN j.changes ELSE us.changes END,
         failures = CASE WHEN j.has_figures THEN j.failures ELSE us.failures END,
         total_changes = CASE WHEN j.has_figures THEN j.total_changes ELSE us.total_changes END,
         conflicts = CASE WHEN j.has_figures THEN j.conflicts ELSE us.conflicts END,
         issues = CASE WHEN j.has_figures THEN j.issues ELSE us.issues END,
         error_source = CASE WHEN j.has_figures THEN j.error_source ELSE us.error_source END,
         error_category = CASE WHEN j.has_figures THEN j.error_category ELSE us.error_category END,
         error_code = CASE WHEN j.has_figures THEN j.error_code ELSE us.error_code END,
         error_retryable = CASE WHEN j.has_figures THEN j.error_retryable ELSE us.error_retryable END
    FROM judged_user j
   WHERE us.organization_id = j.organization_id AND us.user_id = j.user_id
  RETURNING new.organization_id, new.user_id, new.partition, old.bucket AS was_bucket, new.bucket,
            CASE WHEN old.revision > 0 THEN old.status END AS was, new.status AS became, new.reason, new.since,
            new.revision, new.revision <> old.revision AS changed
), told AS (
  INSERT INTO status_change (organization_id, user_id, was, became, reason, since, revision)
  SELECT organization_id, user_id, was, became, reason, since, revision FROM stored WHERE changed
)
INSERT INTO organization_status AS kept (organization_id, bucket, shard, users)
SELECT organization_id, bucket, partition, sum(difference)
  FROM (SELECT organization_id, bucket, partition, 1 AS difference FROM stored WHERE bucket <> was_bucket
         UNION ALL
        SELECT organization_id, was_bucket, partition, -1 FROM stored WHERE bucket <> was_bucket AND was_bucket <> '')
 GROUP BY organization_id, bucket, partition
HAVING sum(difference) <> 0
 ORDER BY organization_id, bucket, partition
ON CONFLICT (organization_id, bucket, shard) DO UPDATE SET users = kept.users + excluded.users;

-- name: queue_organization
-- The flag, interval or state of organizations changed: the owners judge their users again, from the first on.
INSERT INTO recompute_queue (organization_id, partition, requested_at)
SELECT DISTINCT us.organization_id, us.partition, $2::timestamptz
  FROM user_status us
 WHERE us.organization_id IN (SELECT unnest($1::uuid[]))
 ORDER BY 1, 2
ON CONFLICT (organization_id, partition) DO UPDATE SET requested_at = excluded.requested_at, after_user_id = NULL;

-- name: facts_of_user
-- What `schemas.status.facts_of` and `schemas.why.flags_of` read, for the page of one user: the same facts as above.
-- $1, $2: organization and user; $3: the interval where nobody names one.
SELECT us.recent, us.status, us.reason, us.check_at, us.agent_id, us.error_retryable, us.partition,
       CASE WHEN u.state = 'removed' OR o.state = 'removed' THEN 'removed'
            WHEN NOT o.sync_enabled THEN 'organization_off'
            WHEN u.sync_enabled THEN NULL
            WHEN u.disabled_reason IN ('manual', 'authorization', 'throttling') THEN 'off_' || u.disabled_reason
            ELSE 'off_other' END AS off,
       CASE WHEN NOT o.sync_enabled THEN o.flag_since WHEN NOT u.sync_enabled THEN u.flag_since END AS off_since,
       greatest(coalesce(u.announced_at, u.first_seen_at), u.enabled_since,
                CASE WHEN o.sync_enabled THEN o.flag_since END) AS counted_from,
       coalesce(u.interval_s, o.interval_s, $3) AS interval_s,
       o.flag_since AS organization_since, o.flag_actor AS organization_actor,
       u.flag_since AS user_since, u.flag_actor AS user_actor
  FROM user_status us
  JOIN sync_user u ON u.organization_id = us.organization_id AND u.user_id = us.user_id
  JOIN organization o ON o.organization_id = us.organization_id
 WHERE us.organization_id = $1 AND us.user_id = $2;
