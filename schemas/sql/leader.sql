-- What one process does for all: figures of organizations, days, retention, gauges.

-- name: clock
-- The append time applied furthest: the leader's now. NULL where nothing was ever applied.
SELECT max(applied_to) FROM kafka_position WHERE topic = $1;

-- name: changed_figures
-- Organizations whose stored figures are not what their users say now. Users removed from the directory count for nothing.
WITH counted AS (
  SELECT organization_id,
         sum(users) FILTER (WHERE bucket <> 'removed') AS users,
         sum(users) FILTER (WHERE bucket = 'healthy') AS healthy,
         sum(users) FILTER (WHERE bucket = 'partial') AS partial,
         sum(users) FILTER (WHERE bucket IN ('failing', 'failing_once')) AS failing,
         sum(users) FILTER (WHERE bucket = 'failing_once') AS failing_once,
         sum(users) FILTER (WHERE bucket = 'late') AS late,
         sum(users) FILTER (WHERE bucket = 'stuck') AS stuck,
         sum(users) FILTER (WHERE bucket = 'new') AS new,
         sum(users) FILTER (WHERE bucket LIKE 'disabled%') AS disabled,
         sum(users) FILTER (WHERE bucket = 'disabled_manual') AS disabled_manual,
         sum(users) FILTER (WHERE bucket = 'disabled_error') AS disabled_error
    FROM organization_status GROUP BY organization_id
), figures AS (
  SELECT o.organization_id, o.sync_enabled AND o.state = 'present' AS enabled, o.health, o.health_since,
         coalesce(c.users, 0)::integer AS users, coalesce(c.healthy, 0)::integer AS healthy,
         coalesce(c.partial, 0)::integer AS partial, coalesce(c.failing, 0)::integer AS failing,
         coalesce(c.failing_once, 0)::integer AS failing_once, coalesce(c.late, 0)::integer AS late,
         coalesce(c.stuck, 0)::integer AS stuck, coalesce(c.new, 0)::integer AS new,
         coalesce(c.disabled, 0)::integer AS disabled, coalesce(c.disabled_manual, 0)::integer AS disabled_manual,
         coalesce(c.disabled_error, 0)::integer AS disabled_error,
         o.users AS had_users, o.healthy AS had_healthy, o.partial AS had_partial, o.failing AS had_failing,
         o.late AS had_late, o.stuck AS had_stuck, o.new AS had_new, o.disabled AS had_disabled,
         o.disabled_by_error AS had_error
    FROM organization o LEFT JOIN counted c USING (organization_id)
)
SELECT * FROM figures
 WHERE (users, healthy, partial, failing, late, stuck, new, disabled, disabled_error)
       <> (had_users, had_healthy, had_partial, had_failing, had_late, had_stuck, had_new, had_disabled, had_error)
    OR health_since IS NULL OR enabled <> (health <> 'disabled')
    OR (health = 'degraded' AND failing + late + stuck + disabled_error <= failing_once)
    OR (health = 'ok' AND failing + late + stuck + disabled_error > failing_once)
 ORDER BY organization_id;

-- name: store_figures
-- Arrays, one element an organization, in key order. A change of health is told as a status change without a user.
WITH judged AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::integer[], $6::integer[], $7::integer[],
                       $8::integer[], $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::integer[])
    AS j (organization_id, health, health_rank, reason, users, healthy, partial, failing, late, stuck, new, disabled,
          disabled_error, touched)
), stored AS (
  UPDATE organization o
     SET health = j.health, health_rank = j.health_rank, users = j.users, healthy = j.healthy, partial = j.partial,
         failing = j.failing, late = j.late, stuck = j.stuck, new = j.new, disabled = j.disabled,
         disabled_by_error = j.disabled_error, touched = j.touched,
         health_since = CASE WHEN o.health = j.health AND o.health_since IS NOT NULL THEN o.health_since ELSE $15 END
    FROM judged j
   WHERE o.organization_id = j.organization_id
     AND (o.health_since IS NULL OR
          (o.health, o.users, o.healthy, o.partial, o.failing, o.late, o.stuck, o.new, o.disabled, o.disabled_by_error, o.touched)
       <> (j.health, j.users, j.healthy, j.partial, j.failing, j.late, j.stuck, j.new, j.disabled, j.disabled_error, j.touched))
  RETURNING new.organization_id, CASE WHEN old.health_since IS NOT NULL THEN old.health END AS was, new.health AS became,
            j.reason
), told AS (
  INSERT INTO status_change (organization_id, was, became, reason, since, revision)
  SELECT s.organization_id, s.was, s.became, s.reason, $15, coalesce(before.revision, 0) + 1
    FROM stored s
    LEFT JOIN LATERAL (SELECT c.revision FROM status_change c
                        WHERE c.organization_id = s.organization_id AND c.user_id IS NULL
                        ORDER BY c.id DESC LIMIT 1) before ON true
   WHERE s.was IS DISTINCT FROM s.became
   ORDER BY s.organization_id
)
SELECT count(*) FROM stored;

-- name: store_last_day
-- Errors of the last 24 hours, by whole hours; and when the newest session ended, or began while it runs: an end
-- moves no count. Days to come are not looked at.
WITH counted AS (
  SELECT organization_id, sum(sessions)::integer AS errors
    FROM session_hour WHERE hour > date_trunc('hour', $1::timestamptz) - interval '24 hours' AND hour <= $1
     AND status IN ('errors', 'timed_out')
   GROUP BY organization_id
), now AS (
  SELECT o.organization_id, coalesce(c.errors, 0) AS errors, coalesce(newest.at, o.last_session_at) AS at
    FROM organization o
    LEFT JOIN counted c USING (organization_id)
    LEFT JOIN LATERAL (SELECT coalesce(s.ended_at, s.timed_out_at, s.started_at) AS at FROM sync_session s
                        WHERE s.organization_id = o.organization_id AND s.started_at < $1 + interval '1 day'
                        ORDER BY s.started_at DESC, s.session_id DESC LIMIT 1) newest ON true
)
UPDATE organization o
   SET errors_24h = n.errors, last_session_at = n.at
  FROM now n
 WHERE o.organization_id = n.organization_id
   AND (o.errors_24h, o.last_session_at) IS DISTINCT FROM (n.errors, n.at);

-- name: missing_days
-- Days (UTC) that have no partition: from $2, since when sessions are kept, to $4 days ahead of today ($1). Logs are kept since $3:
-- theirs are dropped sooner.
SELECT day::date FROM generate_series($2::date, $1::date + $4::integer, interval '1 day') AS day
 WHERE to_regclass('sync_session_' || to_char(day, 'YYYYMMDD')) IS NULL
    OR (day >= $3::date AND to_regclass('log_chunk_' || to_char(day, 'YYYYMMDD')) IS NULL);

-- name: create_day
SELECT create_day($1::date);

-- name: days
-- The days that tables of days have, oldest first.
SELECT parent.relname AS parent, to_date(right(child.relname, 8), 'YYYYMMDD') AS day
  FROM pg_inherits i
  JOIN pg_class parent ON parent.oid = i.inhparent
  JOIN pg_class child ON child.oid = i.inhrelid
 WHERE parent.relname IN ('sync_session', 'session_text', 'issue_sighting', 'log_chunk')
   AND child.relname ~ '_[0-9]{8}$' AND parent.relkind = 'p'
 ORDER BY 2, 1;

-- name: drop_day
SELECT drop_day($1, $2::date);

-- name: fold_hours
-- Hours that nobody is expected to write any more: their shards become one, so that charts read a twelfth of the rows.
-- A late difference makes a shard again. It is folded the next time where its hour is of the last three days; an older one
-- stays beside the folded one, and is summed with it.
WITH open AS (
  SELECT organization_id, hour, status, error_source, error_category FROM session_hour
   WHERE hour < $1::timestamptz AND hour >= $1::timestamptz - interval '3 days' AND shard >= 0
   ORDER BY organization_id, hour, status, error_source, error_category LIMIT $2
), taken AS (
  DELETE FROM session_hour h USING open o
   WHERE h.organization_id = o.organization_id AND h.hour = o.hour AND h.status = o.status
     AND h.error_source = o.error_source AND h.error_category = o.error_category AND h.shard >= 0
  RETURNING h.*
), folded AS (
  INSERT INTO session_hour AS kept (organization_id, hour, status, error_source, error_category, shard, sessions)
  SELECT organization_id, hour, status, error_source, error_category, -1, sum(sessions) FROM taken
   GROUP BY organization_id, hour, status, error_source, error_category
  ON CONFLICT (organization_id, hour, status, error_source, error_category, shard)
  DO UPDATE SET sessions = kept.sessions + excluded.sessions
)
SELECT count(*) FROM taken;

-- name: fold_hours_all
WITH open AS (
  SELECT hour, status, error_source, error_category, mail_system FROM session_hour_all
   WHERE hour < $1::timestamptz AND hour >= $1::timestamptz - interval '3 days' AND shard >= 0 LIMIT $2
), taken AS (
  DELETE FROM session_hour_all h USING open o
   WHERE h.hour = o.hour AND h.status = o.status AND h.error_source = o.error_source
     AND h.error_category = o.error_category AND h.mail_system = o.mail_system AND h.shard >= 0
  RETURNING h.*
), folded AS (
  INSERT INTO session_hour_all AS kept (hour, status, error_source, error_category, mail_system, shard, sessions)
  SELECT hour, status, error_source, error_category, mail_system, -1, sum(sessions) FROM taken
   GROUP BY hour, status, error_source, error_category, mail_system
  ON CONFLICT (hour, status, error_source, error_category, mail_system, shard)
  DO UPDATE SET sessions = kept.sessions + excluded.sessions
)
SELECT count(*) FROM taken;

-- name: drop_closed_issues
DELETE FROM sync_issue WHERE ctid IN (SELECT ctid FROM sync_issue WHERE closed_at < $1 LIMIT $2);

-- name: drop_hours
DELETE FROM session_hour WHERE ctid IN (SELECT ctid FROM session_hour WHERE hour < $1 LIMIT $2);

-- name: drop_hours_all
DELETE FROM session_hour_all WHERE ctid IN (SELECT ctid FROM session_hour_all WHERE hour < $1 LIMIT $2);

-- name: drop_status_changes
-- The newest of an organization stays: its revision goes on from there. Unpublished ones stay, however old.
DELETE FROM status_change WHERE id IN (
  SELECT c.id FROM status_change c
   WHERE c.since < $1 AND c.published_at IS NOT NULL
     AND (c.user_id IS NOT NULL OR EXISTS (SELECT FROM status_change n WHERE n.organization_id = c.organization_id
                                              AND n.user_id IS NULL AND n.id > c.id))
   LIMIT $2);

-- name: drop_audit
DELETE FROM audit_event WHERE id IN (SELECT id FROM audit_event WHERE at < $1 ORDER BY id LIMIT $2);

-- name: drop_exports
DELETE FROM export WHERE export_id IN (SELECT export_id FROM export WHERE started_at < $1 LIMIT $2);

-- name: drop_web_sessions
DELETE FROM web_session WHERE cookie_hash IN (SELECT cookie_hash FROM web_session WHERE created_at < $1 LIMIT $2);

-- name: drop_sign_in_links
DELETE FROM sign_in_link WHERE link_hash IN (SELECT link_hash FROM sign_in_link WHERE expires_at < $1 LIMIT $2);

-- name: cut_exports
-- Exports whose process ended before it could say how they did. When that was nobody knows: `ended_at` stays NULL, and one
-- that goes on against all expectation says so itself.
UPDATE export SET state = 'cut' WHERE state = 'running' AND started_at < $1;

-- name: drop_rejects
DELETE FROM rejected_event WHERE ctid IN (SELECT ctid FROM rejected_event WHERE appended_at < $1 LIMIT $2);

-- name: drop_gaps
DELETE FROM position_gap WHERE ctid IN (SELECT ctid FROM position_gap WHERE noted_at < $1 LIMIT $2);

-- name: users_by_status
SELECT sum(healthy) AS healthy, sum(partial) AS partial, sum(failing) AS failing, sum(late) AS late, sum(stuck) AS stuck,
       sum(new) AS new, sum(disabled) AS disabled FROM organization;

-- name: organizations_by_health
SELECT health, count(*) AS organizations FROM organization WHERE state = 'present' GROUP BY health;

-- name: retire_agents
-- Out of use is an agent of which every token is revoked; one that writes straight to Kafka has none. In key order, as
-- heartbeats are merged.
WITH tokens AS (
  SELECT agent_id, organization_id, bool_and(revoked_at IS NOT NULL) AS revoked FROM agent_token GROUP BY agent_id, organization_id
), changed AS (
  SELECT a.agent_id FROM agent a LEFT JOIN tokens t ON t.agent_id = a.agent_id AND t.organization_id = a.organization_id
   WHERE a.retired <> coalesce(t.revoked, false)
   ORDER BY a.agent_id FOR NO KEY UPDATE OF a
)
UPDATE agent a SET retired = NOT a.retired FROM changed c WHERE a.agent_id = c.agent_id;

-- name: agents_heard
-- $1: now; $2: how long is silent; $3: how long is taken out of use, which is no silence, as it is none of a retired agent.
SELECT count(*) FILTER (WHERE heard_at >= $1::timestamptz - $2::interval) AS heard,
       count(*) FILTER (WHERE heard_at < $1::timestamptz - $2::interval) AS silent
  FROM agent WHERE heard_at > $1::timestamptz - $3::interval AND NOT retired;

-- name: lost_records
-- Since $1, by topic. At least one for each range: how many went with a log that was made anew, nobody knows.
SELECT topic, sum(greatest(end_offset - first_offset, 1))::bigint AS records FROM position_gap WHERE noted_at > $1 GROUP BY topic;

-- name: worst_organizations
SELECT organization_id, errors_24h FROM organization WHERE errors_24h > 0 ORDER BY errors_24h DESC, organization_id LIMIT 50;

-- name: failing_by_cause
-- $1, $2: the error sources and categories that are listed; whatever else was sent is one `other`, and is folded before
-- organizations are counted, so that one that fails of two of them counts once. Grouped twice: a count of distinct would
-- sort every failing user.
WITH failing AS (
  SELECT CASE WHEN coalesce(error_source, 'unknown') = ANY ($1::text[]) THEN coalesce(error_source, 'unknown')
              ELSE 'other' END AS error_source,
         CASE WHEN error_category = ANY ($2::text[]) THEN error_category ELSE 'other' END AS error_category,
         organization_id
    FROM user_status WHERE status_rank = 0
), touched AS (
  SELECT error_source, error_category, organization_id, count(*) AS users
    FROM failing GROUP BY error_source, error_category, organization_id
)
SELECT error_source, error_category, sum(users)::bigint AS users, count(*) AS organizations
  FROM touched GROUP BY error_source, error_category;
