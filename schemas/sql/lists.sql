-- What every list needs besides its rows. Rows are read by statements put together in services/query/statements.py from
-- the column registry: a named query per filter and order would be hundreds.

-- name: see_one_organization
-- For this transaction alone, so that a connection goes back to the pool seeing nothing.
SELECT set_config('app.org', $1, true);

-- name: freshness
-- As of: the smallest applied append time over the partitions that are not halted; NULL until every one has been read.
SELECT CASE WHEN bool_and(applied_to IS NOT NULL) FILTER (WHERE halted IS NULL)
            THEN min(applied_to) FILTER (WHERE halted IS NULL) END AS as_of,
       coalesce(array_agg(topic || '/' || partition ORDER BY topic, partition) FILTER (WHERE halted IS NOT NULL),
                '{}') AS halted,
       max(heard_at) AS heard_at
  FROM kafka_position;

-- name: shorten
-- For the next statements of this transaction: a count may not hold up its page.
SELECT set_config('statement_timeout', $1, true);
