-- The audit trail: only ever added to.

-- name: add
INSERT INTO audit_event (at, actor, action, object, organization_id, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7);
