-- What the set-up and the life script do to the CRM, by plain SQL, as its own users would. Nothing here is the connector's.

-- name: add_organization
INSERT INTO crm.organization (organization_id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (organization_id) DO NOTHING;

-- name: add_seat
INSERT INTO crm.seat (user_id, organization_id, email, display_name, external_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (user_id) DO NOTHING;

-- name: add_account
INSERT INTO crm.account (organization_id, name) VALUES ($1, $2) ON CONFLICT (organization_id, name) DO NOTHING;

-- name: add_contact
INSERT INTO crm.contact (account_id, full_name, email)
SELECT account_id, $3, $4 FROM crm.account WHERE organization_id = $1 AND name = $2
ON CONFLICT (email) DO NOTHING;

-- name: has_events
-- The recycle bin counts: whoever deleted the first appointments does not want them again.
SELECT EXISTS (SELECT FROM crm.event WHERE owner_id = $1);

-- name: add_event
INSERT INTO crm.event (owner_id, uid, subject, location, starts_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING;

-- name: some_events
SELECT event_id, uid, subject, location, starts_at, ends_at FROM crm.event
 WHERE owner_id = $1 AND deleted_at IS NULL ORDER BY uid;

-- name: change_location
UPDATE crm.event SET location = $2 WHERE event_id = $1 AND deleted_at IS NULL;

-- name: touch_event
UPDATE crm.event SET description = description || 'Seen.' WHERE event_id = $1 AND deleted_at IS NULL;

-- name: recycle_event
UPDATE crm.event SET deleted_at = now() WHERE event_id = $1 AND deleted_at IS NULL;

-- name: recycle_all
UPDATE crm.event SET deleted_at = now() WHERE owner_id = $1 AND deleted_at IS NULL RETURNING event_id;

-- name: restore_events
-- What came back meanwhile under the same uid or in the same place stays as it is.
UPDATE crm.event AS gone SET deleted_at = NULL
 WHERE event_id = ANY ($1::uuid[]) AND deleted_at IS NOT NULL
   AND NOT EXISTS (SELECT FROM crm.event AS there
                    WHERE there.owner_id = gone.owner_id AND there.deleted_at IS NULL
                      AND (there.uid = gone.uid OR (there.starts_at, there.subject) = (gone.starts_at, gone.subject)));

-- name: event_of_uid
SELECT event_id, subject, location, description, starts_at, ends_at, all_day FROM crm.event
 WHERE owner_id = $1 AND uid = $2 AND deleted_at IS NULL;

-- name: lock_event
SELECT event_id FROM crm.event WHERE owner_id = $1 AND uid = $2 AND deleted_at IS NULL FOR UPDATE;

-- name: lock_events
LOCK TABLE crm.event IN ACCESS EXCLUSIVE MODE;

-- name: is_awaited
-- Whether somebody stands in line behind this very connection.
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)));

-- name: switch_seat
UPDATE crm.seat SET sync_enabled = $2, disabled_reason = $3, changed_by = $4
 WHERE user_id = $1 AND sync_enabled IS DISTINCT FROM $2;

-- name: switch_organization
UPDATE crm.organization SET sync_enabled = $2, disabled_reason = $3, changed_by = $4
 WHERE organization_id = $1 AND sync_enabled IS DISTINCT FROM $2;
