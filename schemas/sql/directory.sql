-- Organizations, users and agents as the systems of record and the agents themselves announce them.

-- name: add_placeholders
-- Rows for organizations and users first seen in an event; shown by their ids until they are announced.
-- Arrays, one element a user: organization, user, when it was first seen.
WITH seen AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS s (organization_id, user_id, first_seen_at)
), organizations AS (
  INSERT INTO organization (organization_id, first_seen_at)
  SELECT organization_id, min(first_seen_at) FROM seen GROUP BY organization_id ORDER BY organization_id
  ON CONFLICT (organization_id) DO NOTHING
)
INSERT INTO sync_user (organization_id, user_id, first_seen_at)
SELECT organization_id, user_id, first_seen_at FROM seen ORDER BY organization_id, user_id
ON CONFLICT (organization_id, user_id) DO NOTHING;

-- name: merge_organizations
-- The greater (revision, digest) wins. Tells of which the users must be judged again: a flag, an interval or a removal changed.
-- Arrays, one element an organization.
INSERT INTO organization AS kept (organization_id, name, name_key, external_id, mail_system, crm_system, sync_enabled,
  disabled_reason, flag_since, flag_actor, interval_s, revision, digest, state, first_seen_at, announced_at)
SELECT organization_id, name, name_key, external_id, mail_system, crm_system, sync_enabled, disabled_reason, announced_at,
       flag_actor, interval_s, revision, digest, state, announced_at, announced_at
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::text[], $9::text[],
              $10::integer[], $11::bigint[], $12::bigint[], $13::timestamptz[], $14::text[])
    AS a (organization_id, name, name_key, external_id, mail_system, crm_system, sync_enabled, disabled_reason, flag_actor,
          interval_s, revision, digest, announced_at, state)
 ORDER BY organization_id
ON CONFLICT (organization_id) DO UPDATE SET
  name = excluded.name, name_key = excluded.name_key, external_id = excluded.external_id, mail_system = excluded.mail_system,
  crm_system = excluded.crm_system, sync_enabled = excluded.sync_enabled, disabled_reason = excluded.disabled_reason,
  flag_since = CASE WHEN kept.sync_enabled = excluded.sync_enabled AND kept.revision >= 0 THEN kept.flag_since ELSE excluded.flag_since END,
  flag_actor = CASE WHEN kept.sync_enabled = excluded.sync_enabled AND kept.revision >= 0 THEN kept.flag_actor ELSE excluded.flag_actor END,
  interval_s = excluded.interval_s, revision = excluded.revision, digest = excluded.digest, state = excluded.state,
  announced_at = coalesce(kept.announced_at, excluded.announced_at)
WHERE (kept.revision, kept.digest) < (excluded.revision, excluded.digest)
RETURNING organization_id, (old.sync_enabled, old.disabled_reason, old.interval_s, old.state)
  IS DISTINCT FROM (new.sync_enabled, new.disabled_reason, new.interval_s, new.state) AS judge_again;

-- name: merge_users
-- The greater (revision, digest) wins. Enabled since: the last change from off to on, or the first announcement.
-- Arrays, one element a user.
INSERT INTO sync_user AS kept (organization_id, user_id, email, display_name, email_key, name_key, external_id, mail_system,
  crm_system, sync_enabled, disabled_reason, flag_since, flag_actor, enabled_since, interval_s, revision, digest, state,
  first_seen_at, announced_at)
SELECT organization_id, user_id, email, display_name, email_key, name_key, external_id, mail_system, crm_system, sync_enabled,
       disabled_reason, announced_at, flag_actor, announced_at, interval_s, revision, digest, state, announced_at, announced_at
  FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
              $10::boolean[], $11::text[], $12::text[], $13::integer[], $14::bigint[], $15::bigint[], $16::timestamptz[], $17::text[])
    AS a (organization_id, user_id, email, display_name, email_key, name_key, external_id, mail_system, crm_system, sync_enabled,
          disabled_reason, flag_actor, interval_s, revision, digest, announced_at, state)
 ORDER BY organization_id, user_id
ON CONFLICT (organization_id, user_id) DO UPDATE SET
  email = excluded.email, display_name = excluded.display_name, email_key = excluded.email_key, name_key = excluded.name_key,
  external_id = excluded.external_id, mail_system = excluded.mail_system, crm_system = excluded.crm_system,
  sync_enabled = excluded.sync_enabled, disabled_reason = excluded.disabled_reason,
  flag_since = CASE WHEN kept.sync_enabled = excluded.sync_enabled AND kept.revision >= 0 THEN kept.flag_since ELSE excluded.flag_since END,
  flag_actor = CASE WHEN kept.sync_enabled = excluded.sync_enabled AND kept.revision >= 0 THEN kept.flag_actor ELSE excluded.flag_actor END,
  enabled_since = CASE WHEN kept.revision < 0 OR (excluded.sync_enabled AND NOT kept.sync_enabled) THEN excluded.enabled_since
                       ELSE kept.enabled_since END,
  interval_s = excluded.interval_s, revision = excluded.revision, digest = excluded.digest, state = excluded.state,
  announced_at = coalesce(kept.announced_at, excluded.announced_at)
WHERE (kept.revision, kept.digest) < (excluded.revision, excluded.digest)
RETURNING organization_id, user_id;

-- name: merge_agents
-- Only the newest heartbeat counts. An agent of one organization is never taken over by another's, nor is a shared one.
INSERT INTO agent AS kept (agent_id, organization_id, version, heard_at, clock_error_s, sessions_running, queued, oldest_queued_s)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[], $5::float8[], $6::integer[], $7::bigint[],
                     $8::float8[]) AS a (a, b, c, d, e, f, g, h) ORDER BY a
ON CONFLICT (agent_id) DO UPDATE SET
  organization_id = excluded.organization_id, version = excluded.version, heard_at = excluded.heard_at,
  clock_error_s = excluded.clock_error_s, sessions_running = excluded.sessions_running, queued = excluded.queued,
  oldest_queued_s = excluded.oldest_queued_s
WHERE kept.heard_at < excluded.heard_at
  AND kept.organization_id IS NOT DISTINCT FROM excluded.organization_id;
