-- Records that can never be applied, kept as they were.

-- name: add_rejects
-- In the transaction that moves the offset past them. The key is the place in the log, so each is kept once.
INSERT INTO rejected_event (topic, epoch, partition, "offset", organization_id, reason, detail, appended_at, key, headers, payload)
SELECT * FROM unnest($1::text[], $2::integer[], $3::smallint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[],
                     $9::bytea[], $10::bytea[], $11::bytea[]) AS r (a, b, c, d, e, f, g, h, i, j, k)
ON CONFLICT (topic, epoch, partition, "offset") DO NOTHING;
