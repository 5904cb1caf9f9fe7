-- Accounts of people, their one-time links and sign-ins, keys of the API, tokens of agents. Only hashes are stored.

-- name: find_web_session
-- $2 now, $3 the oldest allowed last use, $4 the oldest allowed sign-in, $5 whether this is a use. A use is noted at most once a
-- minute.
WITH found AS (
  SELECT w.cookie_hash, w.seen_at, w.reveal_until, a.account_id, a.email, a.name, a.role, a.organization_id, a.user_id, a.preferences
    FROM web_session w JOIN account a ON a.account_id = w.account_id
   WHERE w.cookie_hash = $1 AND w.ended_at IS NULL AND w.seen_at > $3 AND w.created_at > $4 AND a.disabled_at IS NULL
), seen AS (
  UPDATE web_session w SET seen_at = $2 FROM found
   WHERE $5::boolean AND w.cookie_hash = found.cookie_hash AND found.seen_at < $2::timestamptz - interval '1 minute'
)
SELECT * FROM found;

-- name: find_key
SELECT key_id, name, role, organization_id FROM api_key
 WHERE key_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2);

-- name: use_link
-- Zero rows: unknown, used or expired; which of them is nobody's business.
WITH used AS (
  UPDATE sign_in_link SET used_at = $2 WHERE link_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING account_id
)
SELECT a.account_id, a.email, a.organization_id FROM used JOIN account a ON a.account_id = used.account_id
 WHERE a.disabled_at IS NULL;

-- name: add_web_session
INSERT INTO web_session (cookie_hash, account_id, created_at, seen_at) VALUES ($1, $2, $3, $3);

-- name: end_web_session
UPDATE web_session SET ended_at = $2 WHERE cookie_hash = $1 AND ended_at IS NULL;

-- name: reveal_names
UPDATE web_session SET reveal_until = $2 WHERE cookie_hash = $1;

-- name: hide_names
-- Zero rows: nothing was revealed any more.
UPDATE web_session SET reveal_until = NULL WHERE cookie_hash = $1 AND reveal_until > $2 RETURNING cookie_hash;

-- name: save_preferences
UPDATE account SET preferences = preferences || $2 WHERE account_id = $1;

-- name: add_account
-- Zero rows: there is one with this e-mail address already.
INSERT INTO account (account_id, email, name, role, organization_id, user_id, created_at) SELECT $1, $2, $3, $4, $5, $6, $7
 WHERE NOT EXISTS (SELECT FROM account WHERE lower(email) = lower($2))
ON CONFLICT (email) DO NOTHING RETURNING account_id;

-- name: list_accounts
SELECT email, name, role, organization_id, user_id, created_at, disabled_at FROM account ORDER BY email;

-- name: find_account
SELECT account_id, email, organization_id, disabled_at FROM account WHERE lower(email) = lower($1);

-- name: disable_account
-- Every sign-in and link of it ends with that, so that enabling it brings none back. Zero rows: there is none, or it is
-- disabled already.
WITH disabled AS (
  UPDATE account SET disabled_at = $2 WHERE lower(email) = lower($1) AND disabled_at IS NULL
  RETURNING account_id, email, organization_id
), signed_out AS (
  UPDATE web_session w SET ended_at = $2 FROM disabled WHERE w.account_id = disabled.account_id AND w.ended_at IS NULL
), used_up AS (
  UPDATE sign_in_link l SET used_at = $2 FROM disabled WHERE l.account_id = disabled.account_id AND l.used_at IS NULL
)
SELECT email, organization_id FROM disabled;

-- name: enable_account
UPDATE account SET disabled_at = NULL WHERE lower(email) = lower($1) AND disabled_at IS NOT NULL RETURNING email, organization_id;

-- name: add_link
INSERT INTO sign_in_link (link_hash, account_id, expires_at) VALUES ($1, $2, $3);

-- name: add_key
INSERT INTO api_key (key_hash, key_id, name, role, organization_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: list_keys
SELECT key_id, name, role, organization_id, created_at, expires_at, revoked_at FROM api_key ORDER BY created_at, key_id;

-- name: revoke_key
UPDATE api_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL RETURNING name, organization_id;

-- name: add_token
-- Zero rows: the agent is another organization's, or the operator's own. Its row in `agent` is of one of them for ever, so the
-- heartbeats of a second one would be dropped.
INSERT INTO agent_token (token_hash, token_id, agent_id, organization_id, created_at, expires_at) SELECT $1, $2, $3, $4, $5, $6
 WHERE NOT EXISTS (SELECT FROM agent_token WHERE agent_id = $3 AND organization_id <> $4)
   AND NOT EXISTS (SELECT FROM agent WHERE agent_id = $3 AND organization_id IS DISTINCT FROM $4)
RETURNING token_id;

-- name: list_tokens
SELECT token_id, agent_id, organization_id, created_at, expires_at, revoked_at FROM agent_token ORDER BY created_at, token_id;

-- name: revoke_token
UPDATE agent_token SET revoked_at = $2 WHERE token_id = $1 AND revoked_at IS NULL RETURNING agent_id, organization_id;
