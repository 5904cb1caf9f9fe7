-- What the connector asks of the CRM. The CRM is not Syncwatch's database: nothing here reads or writes schema public.

-- name: list_events
SELECT event_id::text AS href, version::text AS etag FROM crm.event WHERE owner_id = $1 AND deleted_at IS NULL;

-- name: read_events
SELECT event_id::text AS href, version::text AS etag, uid, subject, location, description, starts_at, ends_at, all_day,
       ical, changed_at
  FROM crm.event WHERE owner_id = $1 AND event_id = ANY ($2::uuid[]) AND deleted_at IS NULL;

-- name: insert_event
INSERT INTO crm.event (owner_id, uid, subject, location, description, starts_at, ends_at, all_day, ical)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING event_id::text AS href, version::text AS etag;

-- name: update_event
-- Zero rows: gone, or changed since it was listed; `event_etag` tells which.
UPDATE crm.event
   SET subject = $4, location = $5, description = $6, starts_at = $7, ends_at = $8, all_day = $9, ical = $10
 WHERE owner_id = $1 AND event_id = $2 AND version = $3 AND deleted_at IS NULL
RETURNING version::text AS etag;

-- name: delete_event
-- Into the recycle bin, like all deletions here.
UPDATE crm.event SET deleted_at = now()
 WHERE owner_id = $1 AND event_id = $2 AND version = $3 AND deleted_at IS NULL
RETURNING version::text AS etag;

-- name: event_etag
SELECT version::text AS etag FROM crm.event WHERE owner_id = $1 AND event_id = $2 AND deleted_at IS NULL;

-- name: read_organization
SELECT organization_id, name, sync_enabled, disabled_reason, changed_by, revision
  FROM crm.organization WHERE organization_id = $1;

-- name: read_seats
SELECT user_id, organization_id, email, display_name, external_id, sync_enabled, disabled_reason, changed_by, revision
  FROM crm.seat WHERE organization_id = $1 ORDER BY email;
