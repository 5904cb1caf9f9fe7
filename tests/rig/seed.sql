-- What the leader and the counters would keep, derived from the seeded rows. $1 is now.

-- name: hours
INSERT INTO session_hour (organization_id, hour, status, error_source, error_category, shard, sessions)
SELECT organization_id, date_trunc('hour', started_at), status, coalesce(error_source, ''), coalesce(error_category, ''), 0, count(*)
  FROM sync_session GROUP BY 1, 2, 3, 4, 5;

-- name: hours_all
INSERT INTO session_hour_all (hour, status, error_source, error_category, mail_system, shard, sessions)
SELECT date_trunc('hour', started_at), status, coalesce(error_source, ''), coalesce(error_category, ''),
       coalesce(mail_system, ''), 0, count(*)
  FROM sync_session GROUP BY 1, 2, 3, 4, 5;

-- name: counts
UPDATE organization o
   SET users = c.users, healthy = c.healthy, partial = c.partial, failing = c.failing, late = c.late, stuck = c.stuck,
       new = c.new, disabled = c.disabled, touched = c.failing
  FROM (SELECT organization_id, count(*) AS users, count(*) FILTER (WHERE status = 'healthy') AS healthy,
               count(*) FILTER (WHERE status = 'partial') AS partial, count(*) FILTER (WHERE status = 'failing') AS failing,
               count(*) FILTER (WHERE status = 'late') AS late, count(*) FILTER (WHERE status = 'stuck') AS stuck,
               count(*) FILTER (WHERE status = 'new') AS new, count(*) FILTER (WHERE status = 'disabled') AS disabled
          FROM user_status GROUP BY organization_id) c
 WHERE c.organization_id = o.organization_id;

-- name: figures
UPDATE organization o
   SET last_session_at = s.newest, errors_24h = s.errors
  FROM (SELECT organization_id, max(coalesce(ended_at, started_at)) AS newest,
               count(*) FILTER (WHERE status IN ('errors', 'timed_out')) AS errors
          FROM sync_session WHERE started_at >= date_trunc('hour', $1::timestamptz) - interval '23 hours' GROUP BY organization_id) s
 WHERE s.organization_id = o.organization_id;

-- name: health
UPDATE organization
   SET health_since = $1::timestamptz,
       health = CASE WHEN NOT sync_enabled THEN 'disabled' WHEN failing > 0 AND failing * 2 >= users THEN 'down'
                     WHEN failing > 0 THEN 'degraded' ELSE 'ok' END,
       health_rank = CASE WHEN NOT sync_enabled THEN 4 WHEN failing > 0 AND failing * 2 >= users THEN 0
                          WHEN failing > 0 THEN 1 ELSE 3 END;

-- name: positions
INSERT INTO kafka_position (topic, partition, applied_to, heard_at)
SELECT 'syncwatch.events', p, $1::timestamptz, $1::timestamptz FROM generate_series(0, 11) AS p
ON CONFLICT (topic, partition) DO UPDATE SET applied_to = excluded.applied_to, heard_at = excluded.heard_at;

-- name: agents
INSERT INTO agent (agent_id, organization_id, version, heard_at)
SELECT 'agent-' || organization_id, organization_id, '1.2', $1::timestamptz FROM organization
ON CONFLICT (agent_id) DO NOTHING;
