-- Status changes on their way to Kafka.

-- name: unpublished
-- By what is not published, never by a high-water mark: ids are not committed in their order.
SELECT id, organization_id, user_id, was, became, reason, since, revision FROM status_change
 WHERE published_at IS NULL ORDER BY id LIMIT $1;

-- name: mark_published
UPDATE status_change SET published_at = clock_timestamp() WHERE id = ANY ($1::bigint[]) AND published_at IS NULL;
