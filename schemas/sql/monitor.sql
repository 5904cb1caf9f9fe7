-- The monitor: what time alone changes, by the owner of the partition.

-- name: due_partitions
-- $1: full name of the events topic; $2: the partitions owned. Which of them have somebody to judge.
SELECT p.partition FROM kafka_position p
 WHERE p.topic = $1 AND p.partition = ANY ($2::smallint[]) AND p.halted IS NULL AND p.applied_to IS NOT NULL
   AND (EXISTS (SELECT FROM user_status us WHERE us.partition = p.partition AND us.check_at <= p.applied_to)
        OR EXISTS (SELECT FROM recompute_queue q WHERE q.partition = p.partition))
 ORDER BY p.partition;

-- name: fence
-- Compare-and-set from a position to itself: no row means that somebody else owns the partition, or that it was halted.
-- While the row is locked nobody moves it.
SELECT applied_to, resumed_at FROM kafka_position
 WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 AND halted IS NULL AND applied_to IS NOT NULL
   FOR NO KEY UPDATE;

-- name: due_users
SELECT organization_id, user_id, recent FROM user_status
 WHERE partition = $1 AND check_at <= $2 ORDER BY check_at LIMIT $3;

-- name: queued
SELECT organization_id, after_user_id, requested_at FROM recompute_queue
 WHERE partition = $1 ORDER BY requested_at, organization_id LIMIT 1;

-- name: users_of_organization
SELECT organization_id, user_id, recent FROM user_status
 WHERE organization_id = $1 AND partition = $2 AND user_id > coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
 ORDER BY user_id LIMIT $4;

-- name: go_on_in_queue
-- $4 is the last user judged. No row where the organization was queued again meanwhile: it begins from the first user.
UPDATE recompute_queue SET after_user_id = $4 WHERE organization_id = $1 AND partition = $2 AND requested_at = $3;

-- name: leave_queue
DELETE FROM recompute_queue WHERE organization_id = $1 AND partition = $2 AND requested_at = $3;

-- name: sessions
-- As they now stand: what is kept of a running session may be an older word of it.
SELECT t.n::integer AS n, s.session_id, s.started_at, s.began, s.attempt, s.seq, s.status, s.appended_at, s.first_appended_at,
       s.timed_out_at, s.deadline_at, s.interval_s, s.issues_sent, s.issues_arrived, s.error_retryable
  FROM unnest($1::timestamptz[], $2::uuid[]) WITH ORDINALITY AS t (started_at, session_id, n)
 CROSS JOIN LATERAL (SELECT * FROM sync_session f
                      WHERE f.started_at = t.started_at AND f.session_id = t.session_id OFFSET 0) AS s;

-- name: agents
-- $1: now; $2: how long is taken out of use, which is no silence, as it is none of a retired agent.
SELECT agent_id, organization_id, heard_at FROM agent WHERE heard_at > $1::timestamptz - $2::interval AND NOT retired;

-- name: forgotten
-- Sessions that fell out of their user's recent ones while they ran: more than 20 began after them. No limit is longer
-- than a day. Served by the index on unfinished sessions.
SELECT s.started_at, s.session_id FROM sync_session s
 WHERE s.status = 'running' AND s.started_at < $2::timestamptz - interval '25 hours' AND s.partition = $1
 ORDER BY s.started_at LIMIT $3;
