-- What stands on the pages of one session, user or organization, on the overview and in the search.

-- name: organization_exists
SELECT EXISTS (SELECT FROM organization WHERE organization_id = $1);

-- name: user_exists
SELECT EXISTS (SELECT FROM sync_user WHERE organization_id = $1 AND user_id = $2);

-- name: session
SELECT s.*, t.message, t.exception, u.display_name, u.email, u.sync_enabled AS user_enabled,
       o.name AS organization_name, o.sync_enabled AS organization_enabled
  FROM sync_session s
  LEFT JOIN session_text t ON t.started_at = s.started_at AND t.session_id = s.session_id
  LEFT JOIN sync_user u ON u.organization_id = s.organization_id AND u.user_id = s.user_id
  LEFT JOIN organization o ON o.organization_id = s.organization_id
 WHERE s.started_at = $1 AND s.session_id = $2;

-- name: previous_session
SELECT started_at, session_id FROM sync_session
 WHERE organization_id = $1 AND user_id = $2 AND started_at <= $3 AND (started_at, session_id) < ($3, $4)
 ORDER BY started_at DESC, session_id DESC LIMIT 1;

-- name: next_session
SELECT started_at, session_id FROM sync_session
 WHERE organization_id = $1 AND user_id = $2 AND started_at >= $3 AND (started_at, session_id) > ($3, $4)
 ORDER BY started_at, session_id LIMIT 1;

-- name: usual_duration
-- Median seconds of the user's sessions before this one that came through, up to 20 of a week; NULL below five: no habit yet.
SELECT CASE WHEN count(*) >= 5 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) END
  FROM (SELECT extract(epoch FROM ended_at - started_at)::double precision AS seconds FROM sync_session
         WHERE organization_id = $1 AND user_id = $2 AND started_at < $3 AND started_at > $3::timestamptz - interval '7 days'
           AND status IN ('finished', 'finished_with_issues') AND ended_at IS NOT NULL
         ORDER BY started_at DESC LIMIT 20) AS before;

-- name: session_log_parts
-- Which attempts reported parts of a log, and how much of it arrived.
SELECT attempt, count(*)::integer AS chunks, max(chunk_no) AS last_chunk, bool_or(final) AS final,
       sum(line_count)::bigint AS lines, sum(dropped_lines)::bigint AS dropped_lines, sum(redactions)::bigint AS redactions,
       min(appended_at) AS first_at, max(appended_at) AS last_at
  FROM log_chunk WHERE started_at = $1 AND session_id = $2 GROUP BY attempt ORDER BY attempt;

-- name: session_of_log
-- Whose session it is, seen through row-level security, and how many chunks its newest attempt says it sent.
SELECT organization_id, user_id, started_at, attempt, log_chunks_sent, log_chunks_dropped, status
  FROM sync_session WHERE started_at = $1 AND session_id = $2;

-- name: log_size
-- How long a session's log is, before any of it is read: its lines, and the bytes that they are packed in.
SELECT coalesce(sum(line_count), 0)::bigint AS lines, coalesce(sum(octet_length(body)), 0)::bigint AS packed
  FROM log_chunk WHERE started_at = $1 AND session_id = $2;

-- name: log_tail
-- The chunks that hold the last $3 lines of a log, and the position of the line before each: every line in front of it is
-- one, and where an agent's own number is higher, that.
WITH counted AS (
  SELECT attempt, chunk_no, first_line, line_count, sum(line_count) OVER () AS total,
         sum(line_count) OVER (ORDER BY attempt, chunk_no) - line_count AS before
    FROM log_chunk WHERE started_at = $1 AND session_id = $2 AND line_count > 0
), placed AS (
  SELECT attempt, chunk_no, total - before - line_count AS behind,
         before + greatest(0, max(first_line - 1 - before) OVER (ORDER BY attempt, chunk_no)) AS position
    FROM counted
)
SELECT c.attempt, c.first_line, c.body, placed.position
  FROM placed
  JOIN log_chunk c ON c.started_at = $1 AND c.session_id = $2 AND c.attempt = placed.attempt AND c.chunk_no = placed.chunk_no
 WHERE placed.behind < $3 ORDER BY c.attempt, c.chunk_no;

-- name: log_chunks
SELECT attempt, chunk_no, first_line, line_count, dropped_lines, redactions, final, body
  FROM log_chunk WHERE started_at = $1 AND session_id = $2 ORDER BY attempt, chunk_no;

-- name: same_cause
-- Users of the organization that fail for the same reason now, and since when the first of them does. $2 to $4: as in causes.
SELECT count(*) AS users, min(failing_since) AS since
  FROM user_status
 WHERE organization_id = $1 AND status_rank = 0 AND coalesce(error_source, 'unknown') = $2
   AND coalesce(error_category, 'other') = $3 AND coalesce(error_code, '') = coalesce($4, '');

-- name: session_issues
-- What the newest attempt of a session told of issues: first those that count, then what is resolved or no issue (code 0).
SELECT g.issue_id, g.state, g.object_type, g.object_name, g.object_id, g.counterpart_id, g.direction, g.operation, g.error_code,
       g.error_text, g.error_source, g.error_category, g.failure_code, g.error_retryable, g.attempts, g.resolution, i.times,
       i.first_seen_at, g.state = 'opened' AND g.error_code <> 0 AS counts,
       count(*) FILTER (WHERE g.state = 'opened' AND g.error_code <> 0) OVER () AS total
  FROM issue_sighting g
  JOIN sync_session s ON s.started_at = g.started_at AND s.session_id = g.session_id AND s.attempt = g.attempt
  LEFT JOIN sync_issue i ON i.organization_id = g.organization_id AND i.issue_id = g.issue_id
 WHERE g.started_at = $1 AND g.session_id = $2
 ORDER BY counts DESC, g.error_code = 0, g.object_type, g.object_name, g.issue_id LIMIT 1000;

-- name: names_of_sessions
-- The names of objects that issues of sessions told, of whatever attempt. $1, $2: the sessions; $3, $4: the first and the last
-- start, so that only their days are looked at.
SELECT g.started_at, g.session_id, array_agg(DISTINCT g.object_name) AS names
  FROM unnest($1::timestamptz[], $2::uuid[]) AS wanted (started_at, session_id)
  JOIN issue_sighting g ON g.started_at = wanted.started_at AND g.session_id = wanted.session_id
 WHERE g.started_at >= $3 AND g.started_at <= $4 AND g.object_name <> ''
 GROUP BY g.started_at, g.session_id;

-- name: user
SELECT u.*, us.status, us.reason, us.since, us.failing_since, us.in_a_row, us.due_at, us.limit_at, us.recent, us.agent_id,
       us.last_started_at, us.last_session_id, us.last_ended_at, us.last_status, us.objects, us.changes, us.failures,
       us.total_changes, us.conflicts, us.issues, us.error_source, us.error_category, us.error_code, us.error_retryable,
       o.name AS organization_name, o.sync_enabled AS organization_enabled, o.flag_since AS organization_flag_since,
       o.flag_actor AS organization_flag_actor, o.disabled_reason AS organization_disabled_reason,
       o.interval_s AS organization_interval_s, o.mail_system AS organization_mail_system,
       o.crm_system AS organization_crm_system, a.version AS agent_version, a.heard_at AS agent_heard_at,
       (SELECT count(*) FROM sync_issue i
         WHERE i.organization_id = u.organization_id AND i.user_id = u.user_id AND i.state <> 'resolved' AND i.error_code <> 0) AS open_issues
  FROM sync_user u
  LEFT JOIN user_status us ON us.organization_id = u.organization_id AND us.user_id = u.user_id
  LEFT JOIN organization o ON o.organization_id = u.organization_id
  LEFT JOIN agent a ON a.agent_id = us.agent_id
 WHERE u.organization_id = $1 AND u.user_id = $2;

-- name: recent_details
-- Status detail of a user's newest sessions, for the cells of its heat strip.
SELECT started_at, session_id, status_detail FROM sync_session
 WHERE organization_id = $1 AND user_id = $2 ORDER BY started_at DESC, session_id DESC LIMIT 20;

-- name: organization
SELECT o.*, (SELECT count(*) FROM sync_issue i WHERE i.organization_id = o.organization_id AND i.state <> 'resolved'
              AND i.error_code <> 0) AS open_issues
  FROM organization o WHERE o.organization_id = $1;

-- name: organization_agents
SELECT agent_id, version, heard_at, clock_error_s, sessions_running, queued, oldest_queued_s
  FROM agent WHERE organization_id = $1 AND NOT retired ORDER BY heard_at DESC LIMIT 20;

-- name: failing_since
SELECT min(failing_since) FROM user_status WHERE organization_id = $1 AND status_rank = 0;

-- name: causes
-- What two or more users of an organization fail for now: one line per source, category and code, never per text, since a
-- text carries ids and times of its own. `grown`: users that began to fail in the ten minutes up to $2. An error of which
-- nothing was said is `unknown`, `other`, here as everywhere (expressions.py).
SELECT coalesce(error_source, 'unknown') AS source, coalesce(error_category, 'other') AS category,
       nullif(error_code, '') AS code, count(*) AS users,
       min(failing_since) AS since, count(*) FILTER (WHERE failing_since > $2::timestamptz - interval '10 minutes') AS grown
  FROM user_status WHERE organization_id = $1 AND status_rank = 0
 GROUP BY 1, 2, 3 HAVING count(*) > 1 ORDER BY users DESC, since, 1, 2, 3 LIMIT 50;

-- name: causes_all
-- The greatest open causes of all organizations that may be seen: one line per organization, source, category and code.
-- Named after they are counted.
SELECT us.organization_id, coalesce(o.name, us.organization_id::text) AS organization, us.source, us.category, us.code, us.users,
       us.since, us.grown
  FROM (SELECT organization_id, coalesce(error_source, 'unknown') AS source, coalesce(error_category, 'other') AS category,
               nullif(error_code, '') AS code, count(*) AS users, min(failing_since) AS since,
               count(*) FILTER (WHERE failing_since > $1::timestamptz - interval '10 minutes') AS grown
          FROM user_status WHERE status_rank = 0
         GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
         ORDER BY users DESC, since, 1, 2, 3, 4 LIMIT 50) us
  LEFT JOIN organization o ON o.organization_id = us.organization_id
 ORDER BY us.users DESC, us.since, 1, 3, 4, 5;

-- name: version_changed
-- Whether the agent that ran last for an organization ($1) as its users began to fail ($2) had changed its version since $3:
-- from what to what, and when it first ran that. Two agents of two versions side by side are no change. $4: how far back a
-- session of before is looked for. The moments are bound, so that only the days between them are planned.
WITH last AS (
  SELECT agent_id, agent_version FROM sync_session
   WHERE organization_id = $1 AND started_at <= $2 AND started_at > $3 AND agent_version IS NOT NULL
   ORDER BY started_at DESC, session_id DESC LIMIT 1
)
SELECT earlier.agent_version AS was, last.agent_version AS became,
       (SELECT min(s.started_at) FROM sync_session s
         WHERE s.organization_id = $1 AND s.started_at <= $2 AND s.started_at > $3
           AND s.agent_id = last.agent_id AND s.agent_version = last.agent_version) AS at
  FROM last
 CROSS JOIN LATERAL (
   SELECT s.agent_version FROM sync_session s
    WHERE s.organization_id = $1 AND s.started_at <= $3 AND s.started_at > $4
      AND s.agent_id = last.agent_id AND s.agent_version IS NOT NULL
    ORDER BY s.started_at DESC, s.session_id DESC LIMIT 1) AS earlier
 WHERE earlier.agent_version <> last.agent_version;

-- name: organizations_by_flag
SELECT count(*) FILTER (WHERE sync_enabled) AS enabled, count(*) FILTER (WHERE NOT sync_enabled) AS disabled
  FROM organization WHERE state = 'present';

-- name: organizations_by_health
-- `fresh`: those whose health is younger than an hour. $1: as of.
SELECT health, count(*) AS organizations, count(*) FILTER (WHERE health_since >= $1::timestamptz - interval '1 hour') AS fresh
  FROM organization WHERE state = 'present' GROUP BY health;

-- name: users_by_status
-- Kept by the leader on each organization; users of a switched-off organization count under disabled.
SELECT coalesce(sum(failing), 0)::bigint AS failing, coalesce(sum(stuck), 0)::bigint AS stuck, coalesce(sum(late), 0)::bigint AS late,
       coalesce(sum(partial), 0)::bigint AS partial, coalesce(sum(new), 0)::bigint AS new,
       coalesce(sum(healthy), 0)::bigint AS healthy, coalesce(sum(disabled), 0)::bigint AS disabled,
       coalesce(sum(disabled_by_error), 0)::bigint AS disabled_by_error
  FROM organization WHERE state = 'present';

-- name: hours_all
SELECT hour, status, sum(sessions)::bigint AS sessions FROM session_hour_all
 WHERE hour >= $1 GROUP BY hour, status ORDER BY hour;

-- name: hours_of_organization
SELECT hour, status, sum(sessions)::bigint AS sessions FROM session_hour
 WHERE organization_id = $2 AND hour >= $1 GROUP BY hour, status ORDER BY hour;

-- name: watched_since_all
SELECT min(hour) AS hour FROM session_hour_all;

-- name: watched_since_of_organization
SELECT min(hour) AS hour FROM session_hour WHERE organization_id = $1;

-- name: kinds_all
-- Errors by source, category and hour.
SELECT coalesce(nullif(error_source, ''), 'unknown') AS source, coalesce(nullif(error_category, ''), 'other') AS category, hour,
       sum(sessions)::bigint AS errors
  FROM session_hour_all WHERE hour >= $1 AND status IN ('errors', 'timed_out') GROUP BY 1, 2, 3;

-- name: kinds_of_organization
SELECT coalesce(nullif(error_source, ''), 'unknown') AS source, coalesce(nullif(error_category, ''), 'other') AS category, hour,
       sum(sessions)::bigint AS errors
  FROM session_hour WHERE organization_id = $2 AND hour >= $1 AND status IN ('errors', 'timed_out') GROUP BY 1, 2, 3;

-- name: failed_by_kind
-- Whom the errors of a span touched, by kind, and in a row without one all of them: users that are present, organizations that
-- are. A user who failed for two kinds counts in both and once in all. $1, $2: the span; $3: one organization, or NULL for all.
WITH failed AS MATERIALIZED (
  SELECT organization_id, user_id, source, category,
         (organization_id, user_id) IN (SELECT organization_id, user_id FROM user_status
                                         WHERE status_rank = 6 AND reason = 'removed'
                                           AND ($3::uuid IS NULL OR organization_id = $3)) AS gone
    FROM (SELECT organization_id, user_id, coalesce(error_source, 'unknown') AS source, coalesce(error_category, 'other') AS category
            FROM sync_session
           WHERE status IN ('errors', 'timed_out') AND started_at >= $1 AND started_at < $2
             AND ($3::uuid IS NULL OR organization_id = $3)
           GROUP BY 1, 2, 3, 4 OFFSET 0) AS each   -- few are left to be looked up then
), counted AS (
  SELECT source, category, organization_id, count(*) FILTER (WHERE NOT gone) AS users FROM failed GROUP BY 1, 2, 3
  UNION ALL
  SELECT NULL, NULL, organization_id, count(DISTINCT user_id) FILTER (WHERE NOT gone) FROM failed GROUP BY 3
)
SELECT source, category, sum(counted.users)::bigint AS users, count(*) FILTER (WHERE o.state = 'present') AS organizations
  FROM counted LEFT JOIN organization o USING (organization_id) GROUP BY 1, 2;

-- name: failing_by_kind
-- Users failing now by kind of error, of one organization or (NULL) of all. Counted by organization first.
SELECT source, category, sum(users)::bigint AS users, bool_and(retryable) AS retryable
  FROM (SELECT coalesce(error_source, 'unknown') AS source, coalesce(error_category, 'other') AS category, count(*) AS users,
               bool_and(coalesce(error_retryable, false)) AS retryable
          FROM user_status WHERE status_rank = 0 AND ($1::uuid IS NULL OR organization_id = $1)
         GROUP BY organization_id, 1, 2) AS of_organization
 GROUP BY 1, 2;

-- name: find_organizations
SELECT organization_id, coalesce(name, organization_id::text) AS name, sync_enabled, health FROM organization
 WHERE state = 'present' AND (name_key LIKE $1 OR external_id = $2 OR organization_id = $3) ORDER BY name_key LIMIT 6;

-- name: find_users
-- By part of a name or an address: what the trigram indexes answer.
SELECT u.organization_id, u.user_id, coalesce(u.display_name, u.email, u.user_id::text) AS name, u.email, u.sync_enabled,
       us.status, coalesce(o.name, o.organization_id::text) AS organization
  FROM (SELECT * FROM sync_user WHERE state = 'present' AND (name_key LIKE $1 OR email_key LIKE $1) LIMIT 200) u
  LEFT JOIN user_status us ON us.organization_id = u.organization_id AND us.user_id = u.user_id
  LEFT JOIN organization o ON o.organization_id = u.organization_id
 ORDER BY u.name_key, u.user_id LIMIT 11;

-- name: find_users_by_id
-- By a whole id, ours or the CRM's: asked only where no name fits, as it reads every user.
SELECT u.organization_id, u.user_id, coalesce(u.display_name, u.email, u.user_id::text) AS name, u.email, u.sync_enabled,
       us.status, coalesce(o.name, o.organization_id::text) AS organization
  FROM (SELECT * FROM sync_user WHERE state = 'present' AND (external_id = $1 OR user_id = $2) LIMIT 11) u
  LEFT JOIN user_status us ON us.organization_id = u.organization_id AND us.user_id = u.user_id
  LEFT JOIN organization o ON o.organization_id = u.organization_id
 ORDER BY u.name_key, u.user_id;
