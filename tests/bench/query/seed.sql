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
       name || '.' || n || '@o' || rank || '.example', name || ' ' || n, CASE rank % 3 WHEN 0 THEN 'exchange' WHEN 1 THEN 'office365' ELSE 'gmail' END, 'salesforce', n % 25 <> 0,
       CASE WHEN n % 25 = 0 THEN 'authorization' END, now() - interval '60 days'
  FROM (SELECT n, least($2::integer, floor(exp(random() * ln($2::integer + 1)))::integer) AS rank,
               (ARRAY['amara', 'zoe', 'tomas', 'ingrid', 'chidi', 'noor', 'bea', 'eilidh', 'yusuf', 'lucia'])[n % 10 + 1] AS name
          FROM generate_series(1, $1::integer) AS n) AS each;

-- name: statuses
-- $1: a packed strip of 20 sessions, the same for all; $2, $3: users and their partitions of syncwatch.events.
INSERT INTO user_status (organization_id, user_id, partition, status, status_rank, bucket, reason, since, failing_since, in_a_row, due_at,
  recent, agent_id, changed_at, last_started_at, last_session_id, last_ended_at, last_status, objects, changes, failures, total_changes,
  conflicts, issues, error_source, error_category, error_code, error_retryable)
SELECT organization_id, user_id, partition, status,
       CASE status WHEN 'failing' THEN 0 WHEN 'stuck' THEN 1 WHEN 'late' THEN 2 WHEN 'partial' THEN 3 WHEN 'healthy' THEN 5 ELSE 6 END,
       CASE WHEN status = 'disabled' THEN 'disabled_error' ELSE status END,
       CASE WHEN status = 'disabled' THEN 'off_authorization' ELSE 'session_finished' END, now() - n % 90000 * interval '1 second',
       CASE WHEN status = 'failing' THEN now() - n % 90000 * interval '1 second' END,
       CASE WHEN status = 'failing' THEN n % 9 + 1 ELSE 0 END, now() + interval '10 minutes', $1,
       CASE WHEN n % 20011 = 7 THEN 'agent-lost' ELSE 'agent-' || n % 50 END, now(), now() - n % 3600 * interval '1 second',
       gen_random_uuid(), now() - n % 3600 * interval '1 second' + interval '40 seconds',
       CASE status WHEN 'failing' THEN 'errors' WHEN 'partial' THEN 'finished_with_issues' ELSE 'finished' END,
       n % 300, n % 40, n % 5, n % 45, n % 2, n % 4, CASE WHEN status = 'failing' THEN 'exchange' END,
       CASE WHEN status = 'failing' THEN (ARRAY['authentication', 'throttling', 'quota'])[least(n % 40, 2) + 1] END,
       CASE WHEN status = 'failing' THEN CASE WHEN n % 500 = 3 THEN 'ErrorMailboxMoved' ELSE '401' END END,
       CASE WHEN status = 'failing' THEN n % 2 = 0 END
  FROM (SELECT organization_id, user_id, partition, row_number() OVER (ORDER BY user_id) AS n,
               CASE WHEN NOT sync_enabled THEN 'disabled' WHEN random() < 0.06 THEN 'failing' WHEN random() < 0.005 THEN 'late'
                    WHEN random() < 0.001 THEN 'stuck' WHEN random() < 0.13 THEN 'partial' ELSE 'healthy' END AS status
          FROM sync_user JOIN unnest($2::uuid[], $3::smallint[]) AS sent (user_id, partition) USING (user_id)) AS each;

-- name: sessions
-- Numbers $1 ≤ n < $2 of $3 in all, spread evenly over the 30 days before $5; $4: users. Copied out of one connection and
-- into another, so each column has the type of the table. 80 % finished, 13 % with issues, 6 % errors; the newest ones run.
-- Agents, causes, modes, systems and triggers are as uneven as in life: most of the common, one in 100,000 of the rarest.
SELECT at AS started_at, gen_random_uuid() AS session_id, u.organization_id, u.user_id, (n % 12)::smallint AS partition,
       CASE WHEN n % 97 = 0 THEN 2 ELSE 1 END AS attempt, 4::bigint AS seq, n AS digest, at AS began, at AS first_appended_at,
       at AS appended_at, status, CASE WHEN status IN ('running', 'errors', 'cancelled') THEN status ELSE 'finished' END AS status_sent,
       CASE WHEN status <> 'running' THEN at + (n % 240) * interval '1 second' END AS ended_at, 1800 AS interval_s,
       status <> 'running' AS counted_ended, 1 AS counted_attempt, 4::bigint AS counted_seq, n AS counted_digest,
       n % 300 AS objects, n % 40 AS changes, CASE WHEN status = 'finished' THEN 0 ELSE n % 7 END AS failures, n % 45 AS total_changes,
       CASE WHEN status = 'finished' THEN 0 ELSE n % 2 END AS conflicts,
       (CASE WHEN status = 'finished_with_issues' THEN n % 5 + 1 ELSE 0 END)::integer AS issues,
       (CASE WHEN status = 'finished_with_issues' THEN n % 5 + 1 ELSE 0 END)::integer AS issues_arrived,
       (CASE WHEN status = 'finished_with_issues' THEN n % 5 + 1 + (n % 1999 = 0)::integer ELSE 0 END)::integer AS issues_sent,
       (n % 5003 = 0)::integer AS log_chunks_dropped, failed.error_retryable, failed.error_source, failed.error_category,
       failed.error_code, failed.error_message,
       CASE WHEN n % 1009 = 0 THEN 'Waiting for the mailbox ' || n % 100 END AS status_detail,
       CASE WHEN n % 100000 = 7 THEN 'initial' WHEN n % 3001 = 5 THEN 'force' WHEN n % 211 = 3 THEN 'manual' ELSE 'schedule' END AS trigger,
       CASE WHEN n % 53 = 0 THEN 'full' ELSE 'incremental' END AS mode, u.mail_system, 'salesforce' AS crm_system,
       CASE WHEN n % 100000 = 11 THEN 'agent-lost' ELSE 'agent-' || u.number % 50 END AS agent_id, '1.4.2' AS agent_version,
       '[{"type": "email", "direction": "mail_to_crm", "fetched": 160, "created": 12, "updated": 4}]'::jsonb AS report
  FROM (SELECT n, at, who,
               CASE WHEN at > $5::timestamptz - interval '4 minutes' AND dice < 0.4 THEN 'running' WHEN dice < 0.8 THEN 'finished'
                    WHEN dice < 0.93 THEN 'finished_with_issues' WHEN dice < 0.99 THEN 'errors' WHEN dice < 0.995 THEN 'timed_out'
                    ELSE 'cancelled' END AS status
          FROM (SELECT n, $5::timestamptz - interval '30 days' * (1 - (n + 0.5) / $3::bigint) AS at, random() AS dice,
                       (hashint8(n * 7919) & 2147483647) % $4::integer + 1 AS who
                  FROM generate_series($1::bigint, $2::bigint - 1) AS n) AS drawn) AS each
  JOIN benchmark_user u ON u.number = each.who
  LEFT JOIN benchmark_failure failed ON status = 'errors' AND failed.number = CASE WHEN n % 200 = 0 THEN 6 ELSE n % 6 END;

-- name: texts
-- Numbers $1 ≤ digest < $2: the exceptions of sessions that failed, about 800 characters each.
SELECT started_at, session_id, organization_id, error_message AS message,
       'Traceback (most recent call last): ' || repeat('File "/opt/connector/engine/sync.py", line 118, in exchange_items; ', 11)
         || error_message || ' at item ' || digest AS exception
  FROM sync_session WHERE started_at >= $1 AND started_at < $2 AND status = 'errors' ORDER BY started_at, session_id;

-- name: number_users
CREATE TABLE benchmark_user AS
SELECT row_number() OVER (ORDER BY user_id) AS number, organization_id, user_id, mail_system FROM sync_user;
CREATE TABLE benchmark_failure (number, error_source, error_category, error_code, error_retryable, error_message) AS VALUES
  (0, 'exchange', 'authentication', '401', false, 'ExchangeAuthError: 401 Unauthorized'),
  (1, 'exchange', 'throttling', '429', true, 'ErrorServerBusy: the server cannot service this request right now'),
  (2, 'connector', 'connectivity', 'ECONNRESET', true, 'ConnectionResetError: connection reset by peer'),
  (3, 'salesforce', 'configuration', 'INVALID_FIELD', false, 'INVALID_FIELD: no such column on entity Event'),
  (4, 'salesforce', 'authentication', 'INVALID_SESSION_ID', true, 'INVALID_SESSION_ID: session expired or invalid'),
  (5, 'exchange', 'timeout', '504', true, 'ReadTimeout: no answer within 60 s'),
  (6, 'crm', 'quota', 'STORAGE_LIMIT_EXCEEDED', false, 'STORAGE_LIMIT_EXCEEDED: storage limit exceeded');
CREATE UNIQUE INDEX benchmark_user_number ON benchmark_user (number);
ANALYZE benchmark_user, benchmark_failure;

-- name: indexes
-- What stands in the way of a fast COPY and is made again behind it: name and definition, the primary keys left out.
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index i WHERE i.indrelid = 'sync_session'::regclass AND NOT i.indisprimary;

-- name: issues
-- One issue for every fourth of the sessions of the last ten days that had some, of every code in turn.
INSERT INTO sync_issue (organization_id, issue_id, user_id, began, session_id, attempt, seq, digest, session_started_at, state, first_seen_at,
  last_seen_at, times, object_type, object_name, direction, operation, error_code, error_text, error_source, error_category,
  failure_code, mail_system, crm_system)
SELECT organization_id, gen_random_uuid(), user_id, began, session_id, 1, 1, 0, started_at, CASE WHEN digest % 5 = 0 THEN 'resolved' ELSE 'open' END,
       started_at, started_at, digest % 9 + 1, 'appointment', 'Budget review ' || digest, 'mail_to_crm', 'update', digest / 4 % 4, 'Record is locked',
       'salesforce', 'locked', 'UNABLE_TO_LOCK_ROW', 'exchange', 'salesforce'
  FROM sync_session WHERE issues > 0 AND started_at > now() - interval '10 days' AND digest % 4 = 0;

-- name: count_users
UPDATE organization o SET users = c.users, failing = c.failing, healthy = c.healthy, touched = c.failing
  FROM (SELECT organization_id, count(*) AS users, count(*) FILTER (WHERE status_rank = 0) AS failing,
               count(*) FILTER (WHERE status_rank = 5) AS healthy FROM user_status GROUP BY organization_id) c
 WHERE c.organization_id = o.organization_id;

-- name: buckets
-- What the leader counts organizations' users from.
INSERT INTO organization_status (organization_id, bucket, shard, users)
SELECT organization_id, bucket, partition, count(*) FROM user_status GROUP BY 1, 2, 3;

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

-- name: large
-- Whose file is measured: about 150,000 sessions of ten million.
SELECT organization_id FROM organization ORDER BY users DESC, organization_id OFFSET 7 LIMIT 1;

-- name: typical
SELECT organization_id FROM organization WHERE users > 0 ORDER BY abs(users - (SELECT avg(users) FROM organization)) LIMIT 1;

-- name: somebody
SELECT user_id FROM sync_user WHERE organization_id = $1 ORDER BY user_id LIMIT 1;
