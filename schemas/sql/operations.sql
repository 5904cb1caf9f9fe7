-- What the command line needs beyond accounts.

-- name: add_organization
-- Zero rows: it is there already. Revision -1: whatever the connector's directory says later is newer.
INSERT INTO organization (organization_id, name, name_key, mail_system, crm_system, revision, flag_since, first_seen_at, announced_at)
VALUES ($1, $2, $3, $4, $5, -1, $6, $6, NULL) ON CONFLICT (organization_id) DO NOTHING RETURNING organization_id;

-- name: organization_called
-- $1: a folded name.
SELECT organization_id FROM organization WHERE name_key = $1 AND state = 'present' LIMIT 1;

-- name: has_organization
SELECT EXISTS (SELECT FROM organization WHERE organization_id = $1);

-- name: has_user
SELECT EXISTS (SELECT FROM sync_user WHERE organization_id = $1 AND user_id = $2);

-- name: list_organizations
SELECT organization_id, coalesce(name, organization_id::text), CASE WHEN sync_enabled THEN 'enabled' ELSE 'disabled' END, health,
       users, failing
  FROM organization WHERE state = 'present' ORDER BY health_rank, touched DESC, organization_id;

-- name: list_rejects
SELECT topic, epoch, partition, "offset", appended_at, organization_id, reason, detail, replayed_at FROM rejected_event
 WHERE $1::text IS NULL OR reason = $1 ORDER BY appended_at DESC, topic, partition, "offset" DESC LIMIT $2;

-- name: newest_reject
SELECT max(appended_at) FROM rejected_event;

-- name: take_rejects
-- Marked and published in one transaction; two replays at once take different rows. $5 ends a replay: see newest_reject.
UPDATE rejected_event r SET replayed_at = $4
  FROM (SELECT topic, epoch, partition, "offset" FROM rejected_event
         WHERE replayed_at IS NULL AND payload IS NOT NULL AND appended_at <= $5
           AND ($1::text IS NULL OR reason = $1) AND ($2::text IS NULL OR topic = $2)
         ORDER BY appended_at, topic, partition, "offset" LIMIT $3 FOR UPDATE SKIP LOCKED) AS picked
 WHERE (r.topic, r.epoch, r.partition, r."offset") = (picked.topic, picked.epoch, picked.partition, picked."offset")
RETURNING r.topic, r.key, r.headers, r.payload;

-- name: list_positions
-- Lost: records gone before they were read, behind which reading went on; at least one for each range.
SELECT p.topic, p.partition, p.epoch, p.next_offset, p.applied_to, p.halted, p.halted_at, p.halted_expected, p.halted_found,
       g.records, g.noted_at
  FROM kafka_position p
  LEFT JOIN (SELECT topic, partition, sum(greatest(end_offset - first_offset, 1))::bigint AS records, max(noted_at) AS noted_at
               FROM position_gap GROUP BY topic, partition) g ON g.topic = p.topic AND g.partition = p.partition
 ORDER BY p.topic, p.partition;

-- name: halted_position
SELECT halted, next_offset, epoch, halted_found FROM kafka_position WHERE topic = $1 AND partition = $2 FOR UPDATE;
