-- Tokens of agents, as the gateway reads them.

-- name: find_token
-- By hash: what is stored is no use to whoever reads it. Revoked and expired ones come back too, so that the answer can say so.
SELECT token_id, agent_id, organization_id, expires_at, revoked_at
  FROM agent_token
 WHERE token_hash = $1;
