-- Positions: how far each partition is applied. Who moves one, owns it for that transaction.

-- name: move_positions
-- The fence. Compare-and-set in key order; a row that is not returned was halted, or moved on without us: roll back, apply nothing.
-- Arrays, one element a partition: topic, partition, epoch, from, to, hash of the last record, its append time, append time of
-- the last record after more than a minute without any or NULL, halt reason or NULL.
WITH span AS (
  SELECT * FROM unnest($1::text[], $2::smallint[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[],
                       $8::timestamptz[], $9::text[])
    AS s (topic, partition, epoch, low, high, last_hash, applied_to, resumed_at, halted)
), mine AS MATERIALIZED (
  SELECT p.topic, p.partition FROM kafka_position p JOIN span s USING (topic, partition)
   WHERE p.epoch = s.epoch AND p.next_offset = s.low AND p.halted IS NULL
   ORDER BY p.topic, p.partition FOR UPDATE OF p
)
UPDATE kafka_position AS p
   SET next_offset = s.high, last_hash = s.last_hash, applied_to = greatest(p.applied_to, s.applied_to), heard_at = clock_timestamp(), resumed_at = coalesce(s.resumed_at, p.resumed_at),
       halted = s.halted, halted_at = CASE WHEN s.halted IS NOT NULL THEN clock_timestamp() END,
       halted_expected = CASE WHEN s.halted IS NOT NULL THEN s.high END, halted_found = NULL
  FROM span s JOIN mine USING (topic, partition)
 WHERE p.topic = s.topic AND p.partition = s.partition AND p.epoch = s.epoch AND p.next_offset = s.low AND p.halted IS NULL
RETURNING p.topic, p.partition, p.applied_to;

-- name: read_positions
-- FOR UPDATE in key order: waits for the last transaction of whoever owned them before.
SELECT p.topic, p.partition, p.epoch, p.next_offset, p.last_hash, p.applied_to, p.halted
  FROM kafka_position p JOIN unnest($1::text[], $2::smallint[]) AS w (topic, partition) USING (topic, partition)
 ORDER BY p.topic, p.partition FOR UPDATE OF p;

-- name: look_at_positions
SELECT p.topic, p.partition, p.epoch, p.next_offset, p.halted
  FROM kafka_position p JOIN unnest($1::text[], $2::smallint[]) AS w (topic, partition) USING (topic, partition);

-- name: halt
-- A halt is a column, no crash: the next owner must not crash on it in turn. Only `syncwatch positions accept` lifts it.
UPDATE kafka_position
   SET halted = $5, halted_at = clock_timestamp(), halted_expected = $4, halted_found = $6
 WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 AND halted IS NULL
RETURNING partition;

-- name: skip_gap
-- Where the topic says `note`: the lost range is written down and reading goes on at $5, under the epoch $6.
WITH moved AS (
  UPDATE kafka_position SET next_offset = $5, last_hash = NULL, epoch = $6
   WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4 AND halted IS NULL
  RETURNING topic, partition
), noted AS (
  INSERT INTO position_gap (topic, partition, epoch, first_offset, end_offset, reason, noted_at)
  SELECT topic, partition, $3, $4, $7, $8, clock_timestamp() FROM moved
  ON CONFLICT (topic, partition, epoch, first_offset) DO NOTHING
)
SELECT partition FROM moved;

-- name: accept_position
-- The operator's word (audited by the command): read on at $3. A new log ($4) raises the epoch. Nothing is left to compare with.
UPDATE kafka_position
   SET halted = NULL, halted_at = NULL, halted_expected = NULL, halted_found = NULL,
       last_hash = CASE WHEN $3 = next_offset AND NOT $4 THEN last_hash END,
       next_offset = $3, epoch = epoch + $4::boolean::integer
 WHERE topic = $1 AND partition = $2 AND halted IS NOT NULL
RETURNING epoch, next_offset;
