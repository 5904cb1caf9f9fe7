-- Judging users. All of it runs in the transaction that moved the position of the users' partition, so that two writers
-- of one user never meet here, except while partitions are being added.

-- name: temporary_tables
-- Once per connection. COPY goes into temporary tables, which have no row-level security, and from there in one statement.
CREATE TEMPORARY TABLE IF NOT EXISTS judged_user (
  row_id tid, user_id uuid, partition smallint, recent bytea, agent_id text,
  status text, status_rank smallint, bucket text, reason text, since timestamptz, failing_since timestamptz,
  in_a_row integer, check_at timestamptz, due_at timestamptz, limit_at timestamptz, revision bigint,
  last_started_at timestamptz, last_session_id uuid, last_status text
) ON COMMIT DELETE ROWS;

-- name: by_loops
-- For the rest of this transaction: joins go by key and by row address, whatever the planner believes of a table that was
-- empty when it last looked. Without it a plan made on the first day reads whole tables on the second.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_seqscan', 'off', true);

-- name: read_users
-- What the verdict needs. No lock: the position that this transaction has moved keeps other writers of these
-- users away, and where it does not (partitions were added), the write below finds the row no longer where it was read.
-- $1, $2: organization and user ids, side by side; $3: as below.
SELECT t.n::integer AS n, us.ctid AS row_id, us.partition, us.status, us.reason, us.since, us.bucket, us.revision,
       us.check_at, us.recent, us.agent_id,
       /* facts */
  FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS t(organization_id, user_id, n)
  JOIN user_status us ON us.organization_id = t.organization_id AND us.user_id = t.user_id
  JOIN sync_user u ON u.organization_id = us.organization_id AND u.user_id = us.user_id
  JOIN organization o ON o.organization_id = us.organization_id;

-- name: facts
-- A fragment: what a verdict goes by beside sessions. $3: the interval where nobody names one.
CASE WHEN u.state = 'removed' OR o.state = 'removed' THEN 'removed'
     WHEN NOT o.sync_enabled THEN 'organization_off'
     WHEN u.sync_enabled THEN NULL
     WHEN u.disabled_reason IN ('manual', 'authorization', 'throttling') THEN 'off_' || u.disabled_reason
     ELSE 'off_other' END AS off,
CASE WHEN NOT o.sync_enabled THEN o.flag_since WHEN NOT u.sync_enabled THEN u.flag_since END AS off_since,
greatest(coalesce(u.announced_at, u.first_seen_at), u.enabled_since, CASE WHEN o.sync_enabled THEN o.flag_since END) AS counted_from,
coalesce(u.interval_s, o.interval_s, $3) AS interval_s

-- name: add_users
-- An empty bucket: counted by no organization yet.
INSERT INTO user_status (organization_id, user_id, partition, bucket)
SELECT organization_id, user_id, partition, ''
  FROM unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS t(organization_id, user_id, partition)
 ORDER BY organization_id, user_id
ON CONFLICT (organization_id, user_id) DO NOTHING;

-- name: store_verdicts
-- NULL in agent, status, rank, bucket, reason, since and revision: as they are, which is the most frequent.
-- Old and new of the same row feed the change told and the counters, so they cannot disagree with what is stored.
-- Figures are those of the session shown; where it ended and its day is gone since, those in the row stand.
-- Returns how many rows it wrote: fewer than were judged means that somebody else wrote one of them meanwhile.
-- $1: append times applied so far, one a partition, from 0 on. $2, $3: the first and the last `last_started_at`, so that only
-- the days between them are opened.
WITH stored AS (
  UPDATE user_status us
     SET partition = j.partition, recent = j.recent, agent_id = coalesce(j.agent_id, us.agent_id),
         changed_at = ($1::timestamptz[])[j.partition + 1],
         status = coalesce(j.status, us.status), status_rank = coalesce(j.status_rank, us.status_rank),
         bucket = coalesce(j.bucket, us.bucket), reason = coalesce(j.reason, us.reason),
         since = coalesce(j.since, us.since), revision = coalesce(j.revision, us.revision),
         failing_since = j.failing_since, in_a_row = j.in_a_row, check_at = j.check_at, due_at = j.due_at, limit_at = j.limit_at,
         last_started_at = j.last_started_at, last_session_id = j.last_session_id, last_status = j.last_status,
         last_ended_at = CASE WHEN s.gone THEN us.last_ended_at ELSE s.ended_at END,
         objects = CASE WHEN s.gone THEN us.objects ELSE s.objects END,
         changes = CASE WHEN s.gone THEN us.changes ELSE s.changes END,
         failures = CASE WHEN s.gone THEN us.failures ELSE s.failures END,
         total_changes = CASE WHEN s.gone THEN us.total_changes ELSE s.total_changes END,
         conflicts = CASE WHEN s.gone THEN us.conflicts ELSE s.conflicts END,
         issues = CASE WHEN s.gone THEN us.issues ELSE s.issues END,
         error_source = CASE WHEN s.gone THEN us.error_source ELSE s.error_source END,
         error_category = CASE WHEN s.gone THEN us.error_category ELSE s.error_category END,
         error_code = CASE WHEN s.gone THEN us.error_code ELSE s.error_code END,
         error_retryable = CASE WHEN s.gone THEN us.error_retryable ELSE s.error_retryable END
    FROM judged_user j
    CROSS JOIN LATERAL (
      SELECT session.*, j.last_session_id IS NOT NULL AND session.session_id IS NULL AND j.last_status <> 'running' AS gone
        FROM (SELECT 1) AS one
        LEFT JOIN (SELECT s.session_id, s.ended_at, s.objects, s.changes, s.failures, s.total_changes, s.conflicts, s.issues,
                          s.error_source, s.error_category, s.error_code, s.error_retryable
                     FROM sync_session s
                    WHERE s.started_at = j.last_started_at AND s.session_id = j.last_session_id AND j.last_status <> 'running'
                      AND s.started_at BETWEEN $2 AND $3
                    LIMIT 1) AS session ON true
       LIMIT 1) AS s
   WHERE us.ctid = j.row_id AND (us.user_id = j.user_id) IS TRUE  -- no index shall be tried for this
  RETURNING new.organization_id, new.user_id, new.partition, old.bucket AS was_bucket, new.bucket,
            CASE WHEN old.revision > 0 THEN old.status END AS was, new.status AS became, new.reason, new.since,
            new.revision, new.revision <> old.revision AS changed
), told AS (
  INSERT INTO status_change (organization_id, user_id, was, became, reason, since, revision)
  SELECT organization_id, user_id, was, became, reason, since, revision FROM stored WHERE changed
), counted AS (
  INSERT INTO organization_status AS kept (organization_id, bucket, shard, users)
  SELECT organization_id, bucket, partition, sum(difference)
    FROM (SELECT organization_id, bucket, partition, 1 AS difference FROM stored WHERE bucket <> was_bucket
           UNION ALL
          SELECT organization_id, was_bucket, partition, -1 FROM stored WHERE bucket <> was_bucket AND was_bucket <> '')
   GROUP BY organization_id, bucket, partition
  HAVING sum(difference) <> 0
   ORDER BY organization_id, bucket, partition
  ON CONFLICT (organization_id, bucket, shard) DO UPDATE SET users = kept.users + excluded.users
)
SELECT count(*) FROM stored;

-- name: queue_organizations
-- The flag, interval or state of organizations changed: the owners judge their users again, from the first on. All owners,
-- also those of whose partition no user is known: one may be adding the first just now, judged by what was before.
-- Arrays, one element an organization: organization, when it changed. $3: full name of the events topic.
INSERT INTO recompute_queue (organization_id, partition, requested_at)
SELECT changed.organization_id, p.partition, changed.at
  FROM unnest($1::uuid[], $2::timestamptz[]) AS changed (organization_id, at)
  JOIN kafka_position p ON p.topic = $3
 ORDER BY 1, 2
ON CONFLICT (organization_id, partition) DO UPDATE SET requested_at = excluded.requested_at, after_user_id = NULL;

-- name: facts_of_user
-- What `schemas.status.facts_of` and `schemas.why.flags_of` read, for the page of one user: the same facts as above.
-- $1, $2: organization and user; $3: as above.
SELECT us.recent, us.status, us.reason, us.check_at, us.agent_id, us.partition,
       /* facts */,
       o.flag_since AS organization_since, o.flag_actor AS organization_actor,
       u.flag_since AS user_since, u.flag_actor AS user_actor
  FROM user_status us
  JOIN sync_user u ON u.organization_id = us.organization_id AND u.user_id = us.user_id
  JOIN organization o ON o.organization_id = us.organization_id
 WHERE us.organization_id = $1 AND us.user_id = $2;
