-- What every list needs besides its rows. Rows are read by statements put together in services/query/views/statements.py from
-- the column registry: a named query per filter and order would be hundreds.

-- name: begin
-- Several statements go to Postgres at once, here and wherever one of the fragments below stands behind another: a page that
-- has to wait for a processor waits once for each time it asks. Nothing can be bound then: what varies is put in.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: see_one_organization
-- For this transaction alone, so that a connection goes back to the pool seeing nothing.
SET LOCAL app.org = '{organization_id}';

-- name: freshness
-- As of: the smallest applied append time over the partitions that are not halted; NULL until every one has been read.
-- Heard at: when the last of all partitions moved, by the clock on the wall; still since: when the stillest one did.
-- Counted to: the append time that events are applied furthest to, by which the leader counts the last 24 hours. Any prefix
-- may stand in front of their topic's name.
SELECT CASE WHEN bool_and(applied_to IS NOT NULL) FILTER (WHERE halted IS NULL)
            THEN min(applied_to) FILTER (WHERE halted IS NULL) END AS as_of,
       coalesce(array_agg(topic || '/' || partition ORDER BY topic, partition) FILTER (WHERE halted IS NOT NULL),
                '{}') AS halted,
       max(heard_at) AS heard_at, min(heard_at) FILTER (WHERE halted IS NULL) AS still_since,
       max(applied_to) FILTER (WHERE topic LIKE '%syncwatch.events') AS counted_to
  FROM kafka_position;

-- name: plan_once
-- For the views that are asked for all day: each connection plans their statements once, for every day; which days are looked
-- at is found when they run. Planning takes two to ten times as long as reading. What decides on a way stands in the text of
-- such a statement, statuses and limits; bound are ids and times alone, and the way is an index by them whichever they are.
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;

-- name: plan_in_order
-- For usual views of sessions and issues: their rows come in the page's order and keep it. Nobody knows whose they will be,
-- and to sort all of the average organization looks cheap; the biggest has a hundred times as many.
SET LOCAL enable_sort = off;

-- name: shorten
-- For the next statements, where others follow: a count may not hold up its page.
SAVEPOINT shortened;
SET LOCAL statement_timeout = {milliseconds:d};

-- name: lengthen
-- What came too late is undone, and the time-out is what it was; so is all that was set since.
ROLLBACK TO shortened;

-- name: plan_less
-- Pages are read by index, in its order, and what stands beside their rows by its key. To weigh other ways for each day of
-- sessions takes longer than to read a page; and of an organization unknown to the planner all users are thought to be few.
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL enable_material = off;

-- name: statuses_with_many
-- Statuses of which an organization ($1) began more than $3 sessions since $2, by the sums of its hours.
SELECT status FROM session_hour WHERE organization_id = $1 AND hour >= $2 GROUP BY status HAVING sum(sessions) > $3;

-- name: few_sessions
-- Whether an organization ($1) has at most $3 sessions that began since $2, by the sums of its hours.
SELECT coalesce(sum(sessions), 0) <= $3 FROM session_hour WHERE organization_id = $1 AND hour >= $2;

-- name: few_issues
-- Whether an organization ($1) has at most $2 issues; more are not counted.
SELECT count(*) <= $2 FROM (SELECT FROM sync_issue WHERE organization_id = $1 LIMIT $2 + 1) AS few;

-- name: few_users
-- The same of its users.
SELECT count(*) <= $2 FROM (SELECT FROM user_status WHERE organization_id = $1 LIMIT $2 + 1) AS few;

-- name: freshness_and_texts
-- With how old the data is comes what a page of sessions shows of their texts: one row at least.
-- $1, $2: the sessions that may have some; $3, $4: the first and the last start, so that only their days are looked at;
-- $5: how many characters are shown.
WITH fresh AS (/* freshness */)
SELECT fresh.*, text.started_at, text.session_id, text.shown
  FROM fresh
  LEFT JOIN (
    SELECT t.started_at, t.session_id, left(coalesce(t.exception, t.message), $5) AS shown
      FROM unnest($1::timestamptz[], $2::uuid[]) AS failed (started_at, session_id)
      JOIN session_text t ON t.started_at = failed.started_at AND t.session_id = failed.session_id
     WHERE t.started_at >= $3 AND t.started_at <= $4
  ) AS text ON true;
