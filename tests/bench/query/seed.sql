-- Rows for the benchmark of reading, made inside Postgres. Organizations get users by 1/rank, so the first is the biggest.

-- name: organizations
-- $1: how many.
INSERT INTO organization (organization_id, name, name_key, mail_system, crm_system, sync_enabled, first_seen_at, users, health, health_rank)
SELECT md5('o' || n)::uuid, 'Organization ' || n, 'organization ' || n, CASE n % 3 WHEN 0 THEN 'exchange' WHEN 1 THEN 'office365' ELSE 'gmail' END,
       'salesforce', n % 20 <> 0, now() - interval '60 days', 0,
       CASE WHEN n % 20 = 0 THEN 'disabled' WHEN n % 7 = 0 THEN 'down' WHEN n % 3 = 0 THEN 'degraded' ELSE 'ok' END,
       CASE WHEN n % 20 = 0 THEN 4 WHEN n % 7 = 0 THEN 0 WHEN n % 3 = 0 THEN 1 ELSE 3 END
  FROM generate_series(1, $1::integer) AS n;

-- name: users
-- $1: how many; $2: organizations. exp(random * ln n) gives ranks with the density 1/rank.
INSERT INTO sync_user (organization_id, user_id, email, display_name, email_key, name_key, mail_system, crm_system, sync_enabled,
  disabled_reason, first_seen_at)
SELECT md5('o' || rank)::uuid, md5('u' || n)::uuid, name || '.' || n || '@o' || rank || '.example', initcap(name) || ' ' || n,
       name || '.' || n || '@o' || rank || '.example', name || ' ' || n, 'exchange', 'salesforce', n % 25 <> 0,
       CASE WHEN n % 25 = 0 THEN 'authorization' END, now() - interval '60 days'
  FROM (SELECT n, least($2::integer, floor(exp(random() * ln($2::integer + 1)))::integer) AS rank,
               (ARRAY['amara', 'zoe', 'tomas', 'ingrid', 'chidi', 'noor', 'bea', 'eilidh', 'yusuf', 'lucia'])[n % 10 + 1] AS name
          FROM generate_series(1, $1::integer) AS n) AS each;

-- name: statuses
-- $1: a packed strip of 20 sessions, the same for all.
INSERT INTO user_status (organization_id, user_id, partition, status, status_rank, bucket, reason, in_a_row, due_at, recent, agent_id,
  last_started_at, last_ended_at, last_status, objects, changes, failures, total_changes, conflicts, issues, error_source, error_category)
SELECT organization_id, user_id, n % 12, status,
       CASE status WHEN 'failing' THEN 0 WHEN 'stuck' THEN 1 WHEN 'late' THEN 2 WHEN 'partial' THEN 3 WHEN 'new' THEN 4 WHEN 'healthy' THEN 5 ELSE 6 END,
       'healthy', 'session_finished', CASE WHEN status = 'failing' THEN n % 9 + 1 ELSE 0 END, now() + interval '10 minutes', $1,
       'agent-' || n % 50, now() - n % 3600 * interval '1 second', now(), CASE WHEN status = 'failing' THEN 'errors' ELSE 'finished' END,
       n % 300, n % 40, n % 5, n % 45, n % 2, n % 4, CASE WHEN status = 'failing' THEN 'exchange' END, CASE WHEN status = 'failing' THEN 'authentication' END
  FROM (SELECT organization_id, user_id, row_number() OVER (ORDER BY user_id) AS n,
               CASE WHEN NOT sync_enabled THEN 'disabled' WHEN random() < 0.06 THEN 'failing' WHEN random() < 0.005 THEN 'late'
                    WHEN random() < 0.001 THEN 'stuck' WHEN random() < 0.13 THEN 'partial' ELSE 'healthy' END AS status
          FROM sync_user) AS each;

-- name: sessions
-- Numbers $1 ≤ n < $2 of $3 in all, spread over the 30 days before now; $4: users. 80 % finished, 13 % with issues, 6 % errors.
INSERT INTO sync_session (started_at, session_id, organization_id, user_id, partition, attempt, seq, digest, began,
  first_appended_at, appended_at, status, status_sent, ended_at, interval_s, counted_ended, counted_attempt, counted_seq,
  counted_digest, objects, changes, failures, total_changes, conflicts, issues, issues_arrived, issues_sent, error_source,
  error_category, error_code, error_message, trigger, mode, mail_system, crm_system, agent_id, report)
SELECT at, gen_random_uuid(), u.organization_id, u.user_id, n % 12, 1, 4, n, at, at, at, status, 'finished', at + n % 240 * interval '1 second',
       1800, true, 1, 4, n, n % 300, n % 40, CASE WHEN status = 'finished' THEN 0 ELSE n % 7 END, n % 45, n % 2,
       CASE WHEN status = 'finished_with_issues' THEN n % 5 ELSE 0 END, 0, 0,
       CASE WHEN status = 'errors' THEN (ARRAY['exchange', 'connector', 'salesforce'])[n % 3 + 1] END,
       CASE WHEN status = 'errors' THEN (ARRAY['authentication', 'throttling', 'configuration', 'connectivity'])[n % 4 + 1] END,
       CASE WHEN status = 'errors' THEN '401' END, CASE WHEN status = 'errors' THEN 'ExchangeAuthError: 401 Unauthorized' END,
       'schedule', 'incremental', 'exchange', 'salesforce', 'agent-' || n % 50,
       '[{"type": "email", "direction": "mail_to_crm", "fetched": 160, "created": 12, "updated": 4}]'::jsonb
  FROM (SELECT n, now() - interval '30 days' * (1 - (n + 0.5) / $3::bigint) AS at, (hashint8(n * 7919) & 2147483647) % $4::integer + 1 AS who,
               CASE WHEN random() < 0.8 THEN 'finished' WHEN random() < 0.65 THEN 'finished_with_issues' WHEN random() < 0.9 THEN 'errors'
                    WHEN random() < 0.9 THEN 'timed_out' ELSE 'cancelled' END AS status
          FROM generate_series($1::bigint, $2::bigint - 1) AS n) AS each
  JOIN benchmark_user u ON u.number = each.who;

-- name: number_users
CREATE TABLE IF NOT EXISTS benchmark_user AS SELECT row_number() OVER (ORDER BY user_id) AS number, organization_id, user_id FROM sync_user;

-- name: index_users
CREATE UNIQUE INDEX IF NOT EXISTS benchmark_user_number ON benchmark_user (number);

-- name: issues
-- One issue for every tenth of the sessions of the last day that had some.
INSERT INTO sync_issue (organization_id, issue_id, user_id, began, session_id, attempt, seq, digest, session_started_at, state, first_seen_at,
  last_seen_at, times, object_type, object_name, direction, operation, error_code, error_text, error_source, error_category, mail_system, crm_system)
SELECT organization_id, gen_random_uuid(), user_id, began, session_id, 1, 1, 0, started_at, CASE WHEN digest % 5 = 0 THEN 'resolved' ELSE 'open' END,
       started_at, started_at, digest % 9 + 1, 'appointment', 'Budget review ' || digest, 'mail_to_crm', 'update', digest % 4, 'Record is locked',
       'salesforce', 'locked', 'exchange', 'salesforce'
  FROM sync_session WHERE issues > 0 AND started_at > now() - interval '10 days' AND digest % 4 = 0;

-- name: count_users
UPDATE organization o SET users = c.users, failing = c.failing, healthy = c.healthy, touched = c.failing
  FROM (SELECT organization_id, count(*) AS users, count(*) FILTER (WHERE status_rank = 0) AS failing,
               count(*) FILTER (WHERE status_rank = 5) AS healthy FROM user_status GROUP BY organization_id) c
 WHERE c.organization_id = o.organization_id;

-- name: hours
INSERT INTO session_hour (organization_id, hour, status, error_source, error_category, shard, sessions)
SELECT organization_id, date_trunc('hour', started_at), status, coalesce(error_source, ''), coalesce(error_category, ''), -1, count(*)
  FROM sync_session WHERE started_at > now() - interval '8 days' GROUP BY 1, 2, 3, 4, 5;

-- name: hours_all
INSERT INTO session_hour_all (hour, status, error_source, error_category, mail_system, shard, sessions)
SELECT hour, status, error_source, error_category, 'exchange', -1, sum(sessions) FROM session_hour GROUP BY 1, 2, 3, 4;

-- name: positions
INSERT INTO kafka_position (topic, partition, applied_to, heard_at) SELECT 'syncwatch.events', p, now(), now() FROM generate_series(0, 11) p
ON CONFLICT (topic, partition) DO NOTHING;

-- name: biggest
SELECT organization_id FROM organization ORDER BY users DESC, organization_id LIMIT 1;

-- name: typical
SELECT organization_id FROM organization WHERE users > 0 ORDER BY abs(users - (SELECT avg(users) FROM organization)) LIMIT 1;

-- name: somebody
SELECT user_id FROM sync_user WHERE organization_id = $1 ORDER BY user_id LIMIT 1;
