-- Whose silence it is: users that are overdue, agents that are silent, our own monitoring. And what else needs somebody now.

-- name: overdue
-- Users that are late, and of those the ones whose agent is silent.
SELECT count(*) AS late, count(*) FILTER (WHERE reason = 'agent_silent') AS agent_silent
  FROM user_status WHERE status_rank < 4 AND status = 'late';

-- name: incomplete_reports
-- Users that need somebody and whose last session's issues did not all arrive, whatever else is wrong with them. `recent` says
-- how many are missing, 56 bytes behind the beginning of the session's id: schemas/recent.py.
SELECT count(*) FROM user_status
 WHERE status_rank < 4 AND status IN ('failing', 'stuck', 'late', 'partial') AND last_status <> 'running'
   AND substring(recent FROM nullif(position(uuid_send(last_session_id) IN recent), 0) + 56 FOR 4) <> '\x00000000'::bytea;

-- name: fresh
-- Users that need somebody and whose status is younger than an hour, by status. $1: as of.
SELECT status, count(*) AS users FROM user_status
 WHERE status_rank < 4 AND status IN ('failing', 'stuck', 'late', 'partial') AND since >= $1::timestamptz - interval '1 hour'
 GROUP BY 1;

-- name: longest_late
SELECT us.due_at, coalesce(o.name, us.organization_id::text) AS organization
  FROM user_status us LEFT JOIN organization o ON o.organization_id = us.organization_id
 WHERE us.status_rank = 2 AND us.due_at IS NOT NULL ORDER BY us.due_at LIMIT 1;

-- name: count_agents
-- $1: as of; $2: how long is silent; $3: how long is taken out of use, which is no silence, as it is none of a retired agent.
SELECT count(*) AS known, count(*) FILTER (WHERE heard_at < $1::timestamptz - $2::interval) AS silent
  FROM agent WHERE heard_at > $1::timestamptz - $3::interval AND NOT retired;

-- name: agents
-- The longest silent first. $1 to $3 as above; $4: how many at most. `late`: users whom the agent reported last, as their list has it.
SELECT a.agent_id, a.organization_id, o.name AS organization, a.version, a.heard_at, a.clock_error_s, a.sessions_running,
       a.queued, a.oldest_queued_s, a.heard_at < $1::timestamptz - $2::interval AS silent, coalesce(l.users, 0) AS late
  FROM agent a
  LEFT JOIN organization o ON o.organization_id = a.organization_id
  LEFT JOIN (SELECT agent_id, count(*) AS users FROM user_status WHERE status_rank = 2 GROUP BY agent_id) l ON l.agent_id = a.agent_id
 WHERE a.heard_at > $1::timestamptz - $3::interval AND NOT a.retired ORDER BY a.heard_at, a.agent_id LIMIT $4;

-- name: last_heard
-- The agent of an organization ($1) that was heard last, of those in use.
SELECT agent_id, heard_at FROM agent WHERE organization_id = $1 AND NOT retired ORDER BY heard_at DESC LIMIT 1;

-- name: partitions
SELECT topic, partition, applied_to, heard_at, halted, halted_at FROM kafka_position ORDER BY topic, partition;

-- name: stopped
-- Whose data stands still: users whose events come by partitions that have halted ($1), and their organizations. No index
-- finds them; asked only while something has halted, and only by the page that tells of it.
SELECT count(*) AS users, count(DISTINCT organization_id) AS organizations
  FROM user_status WHERE partition = ANY($1::smallint[]) AND reason <> 'removed';
