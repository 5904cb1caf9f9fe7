-- The whole schema: tables, indexes, roles and row-level security.
-- Every tenant row carries organization_id. Tables that grow by the day are range-partitioned on started_at, with no
-- DEFAULT partition: a row without its day is a reject, never a stray.
-- Index nothing on sync_session that changes while a session runs: such an index costs more than all others together.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '120s';

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Roles. None is a superuser, none bypasses row-level security. Passwords are set by whoever deploys.
DO $$
DECLARE role_name text;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['syncwatch_writer', 'syncwatch_gateway', 'syncwatch_reader', 'syncwatch_reader_all', 'syncwatch_panel'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', role_name);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;   -- roles are shared by all databases of a server
      END;
    END IF;
  END LOOP;
END $$;

-- ---------------------------------------------------------------------------------------------- directory
CREATE TABLE organization (
  organization_id  uuid PRIMARY KEY,
  name             text,                                  -- NULL until announced: shown by its id
  name_key         text NOT NULL DEFAULT '',              -- name, case folded and without accents: sort and search
  external_id      text,
  mail_system      text,
  crm_system       text,
  sync_enabled     boolean NOT NULL DEFAULT true,
  disabled_reason  text,                                  -- manual, authorization, throttling, other …
  flag_since       timestamptz,                           -- append time of the event that set sync_enabled
  flag_actor       text,                                  -- "admin ilse@…" as sent: type and id
  interval_s       integer,
  revision         bigint NOT NULL DEFAULT -1,            -- -1: never announced
  digest           bigint NOT NULL DEFAULT 0,             -- decides between two contents of one revision
  state            text NOT NULL DEFAULT 'present' CHECK (state IN ('present', 'removed')),
  first_seen_at    timestamptz NOT NULL,
  announced_at     timestamptz,
  -- Figures kept by the leader, at most a second old; a list never sums.
  health           text NOT NULL DEFAULT 'quiet' CHECK (health IN ('disabled', 'down', 'degraded', 'quiet', 'ok')),
  health_rank      smallint NOT NULL DEFAULT 2,           -- down 0, degraded 1, quiet 2, ok 3, disabled 4
  health_since     timestamptz,
  users            integer NOT NULL DEFAULT 0,
  healthy          integer NOT NULL DEFAULT 0,
  partial          integer NOT NULL DEFAULT 0,
  failing          integer NOT NULL DEFAULT 0,
  late             integer NOT NULL DEFAULT 0,
  stuck            integer NOT NULL DEFAULT 0,
  new              integer NOT NULL DEFAULT 0,
  disabled         integer NOT NULL DEFAULT 0,
  disabled_by_error integer NOT NULL DEFAULT 0,           -- part of disabled: authorization or throttling
  touched          integer NOT NULL DEFAULT 0,            -- failing + late + stuck + disabled_by_error
  last_session_at  timestamptz,                           -- latest ended_at (else started_at) of its users' sessions
  errors_24h       integer NOT NULL DEFAULT 0,
  sessions_24h     integer NOT NULL DEFAULT 0
);
CREATE INDEX organization_by_health ON organization (health_rank, touched DESC, organization_id);
CREATE INDEX organization_by_name ON organization (name_key, organization_id);
CREATE INDEX organization_name_words ON organization USING gin (name_key gin_trgm_ops);

CREATE TABLE sync_user (
  organization_id  uuid NOT NULL,
  user_id          uuid NOT NULL,
  email            text,
  display_name     text,
  email_key        text NOT NULL DEFAULT '',
  name_key         text NOT NULL DEFAULT '',              -- display name (else e-mail), folded
  external_id      text,
  mail_system      text,
  crm_system       text,
  sync_enabled     boolean NOT NULL DEFAULT true,
  disabled_reason  text,
  flag_since       timestamptz,
  flag_actor       text,
  enabled_since    timestamptz,                           -- append time of the last false → true, or of the first announcement
  interval_s       integer,
  revision         bigint NOT NULL DEFAULT -1,
  digest           bigint NOT NULL DEFAULT 0,
  state            text NOT NULL DEFAULT 'present' CHECK (state IN ('present', 'removed')),
  first_seen_at    timestamptz NOT NULL,
  announced_at     timestamptz,
  PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX sync_user_email_words ON sync_user USING gin (email_key gin_trgm_ops);
CREATE INDEX sync_user_name_words ON sync_user USING gin (name_key gin_trgm_ops);
CREATE INDEX sync_user_by_name ON sync_user (organization_id, name_key, user_id);
CREATE INDEX sync_user_by_name_all ON sync_user (name_key, organization_id, user_id);
CREATE INDEX sync_user_off ON sync_user (organization_id, user_id) WHERE NOT sync_enabled;

-- One thin row per user, written only by the owner of its partition. The last session's figures are copied here, so
-- that the list of users filters and sorts without touching sessions.
CREATE TABLE user_status (
  organization_id  uuid NOT NULL,
  user_id          uuid NOT NULL,
  partition        smallint NOT NULL,                     -- of syncwatch.events: the one that last carried an event of this user
  status           text NOT NULL DEFAULT 'new' CHECK (status IN ('disabled', 'stuck', 'late', 'failing', 'partial', 'healthy', 'new')),
  status_rank      smallint NOT NULL DEFAULT 4,           -- failing 0, stuck 1, late 2, partial 3, new 4, healthy 5, disabled 6
  bucket           text NOT NULL DEFAULT 'new',           -- what organization_status counts it under
  reason           text NOT NULL DEFAULT 'nothing_ended', -- slug of the fact that decided
  since            timestamptz,                           -- of this status
  failing_since    timestamptz,
  in_a_row         integer NOT NULL DEFAULT 0,            -- failing sessions in a row, newest backwards
  check_at         timestamptz,                           -- earliest moment at which time alone can change the status
  due_at           timestamptz,                           -- next run due; NULL: push only or nothing to be due
  limit_at         timestamptz,                           -- of the newest session while it runs
  recent           bytea,                                 -- the 20 newest sessions, newest first: schemas/recent.py
  revision         bigint NOT NULL DEFAULT 0,             -- +1 with every status_change
  agent_id         text,                                  -- who reported last
  changed_at       timestamptz,                           -- append time at which anything here changed: live refresh
  last_started_at  timestamptz,                           -- the last ended session; where nothing ended, the newest one
  last_session_id  uuid,
  last_ended_at    timestamptz,
  last_status      text,
  objects          bigint, changes bigint, failures bigint, total_changes bigint, conflicts bigint, issues integer,
  error_source     text,
  error_category   text,
  error_code       text,
  error_retryable  boolean,
  PRIMARY KEY (organization_id, user_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02); -- two rows of 1.8 kB a page, and room for a new version of each
CREATE INDEX user_status_due ON user_status (partition, check_at) WHERE check_at IS NOT NULL;
CREATE INDEX user_status_by_rank ON user_status (organization_id, status_rank, user_id);
CREATE INDEX user_status_by_rank_all ON user_status (status_rank, organization_id, user_id);
-- What the Overview counts, without reading the rows: those that need somebody, and what the failing ones fail for.
CREATE INDEX user_status_attention ON user_status (status, reason, since) WHERE status_rank < 4;
CREATE INDEX user_status_failing ON user_status (organization_id, error_source, error_category, error_code)
  INCLUDE (failing_since, error_retryable) WHERE status_rank = 0;

-- Users of an organization by bucket and writer (shard = partition): two workers never wait on one row; sums are over shards.
-- Buckets: disabled_organization, disabled_manual (also "other"), disabled_error (authorization, throttling), stuck, late,
-- failing, failing_once (one in a row and retryable), partial, healthy, new; removed, which counts for nothing.
CREATE TABLE organization_status (
  organization_id  uuid NOT NULL,
  bucket           text NOT NULL,
  shard            smallint NOT NULL,
  users            integer NOT NULL DEFAULT 0,
  PRIMARY KEY (organization_id, bucket, shard)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- ---------------------------------------------------------------------------------------------- sessions, by day
CREATE TABLE sync_session (
  started_at        timestamptz NOT NULL,
  session_id        uuid NOT NULL,
  organization_id   uuid NOT NULL,
  user_id           uuid NOT NULL,
  attempt           integer NOT NULL,
  seq               bigint NOT NULL,
  digest            bigint NOT NULL,
  partition         smallint NOT NULL,                    -- of syncwatch.events: the one that brought this version, the shard of counters
  began             timestamptz NOT NULL,                 -- least(started_at, first_appended_at): the order of a user's sessions
  first_appended_at timestamptz NOT NULL,
  appended_at       timestamptz NOT NULL,                 -- of the record that first brought this version
  status            text NOT NULL,
  status_sent       text NOT NULL,
  ended_at          timestamptz,
  deadline_at       timestamptz,
  next_run_at       timestamptz,
  timed_out_at      timestamptz,                          -- applied time at which the service closed it
  interval_s        integer,
  objects           bigint NOT NULL DEFAULT 0,
  changes           bigint NOT NULL DEFAULT 0,
  failures          bigint NOT NULL DEFAULT 0,
  conflicts         bigint NOT NULL DEFAULT 0,
  total_changes     bigint NOT NULL DEFAULT 0,
  counted_ended     boolean NOT NULL,                     -- the event the counts above are from: the newest that ended,
  counted_attempt   integer NOT NULL,                     -- else the newest; so a finished attempt's counts stay while
  counted_seq       bigint NOT NULL,                      -- a greater attempt runs
  counted_digest    bigint NOT NULL,
  issues            integer NOT NULL DEFAULT 0,           -- sightings that arrived with code ≠ 0, this attempt
  issues_arrived    integer NOT NULL DEFAULT 0,           -- sightings that arrived, any code, this attempt
  issues_sent       integer NOT NULL DEFAULT 0,
  log_chunks_sent   integer NOT NULL DEFAULT 0,
  log_chunks_dropped integer NOT NULL DEFAULT 0,
  error_retryable   boolean,
  error_source      text,
  error_category    text,
  error_code        text,
  error_scope       text,
  error_message     text,                                 -- first 300 characters; the whole is in session_text
  status_detail     text,
  trigger           text,
  mode              text,
  mail_system       text,
  crm_system        text,
  agent_id          text NOT NULL,
  agent_version     text,
  mail_s            real,
  crm_s             real,
  engine_s          real,
  report            jsonb,                                -- objects[] as sent: type, direction and the eight counts
  PRIMARY KEY (started_at, session_id)
) PARTITION BY RANGE (started_at);
CREATE INDEX sync_session_of_organization ON sync_session (organization_id, started_at DESC, session_id DESC);
CREATE INDEX sync_session_of_user ON sync_session (organization_id, user_id, started_at DESC, session_id DESC);
CREATE INDEX sync_session_unclean ON sync_session (organization_id, status, started_at DESC, session_id DESC) WHERE status <> 'finished';
CREATE INDEX sync_session_with_error ON sync_session (organization_id, started_at DESC, session_id DESC)
 WHERE error_source IS NOT NULL OR status IN ('errors', 'timed_out');
CREATE INDEX sync_session_with_error_all ON sync_session (started_at DESC, session_id DESC)
 WHERE error_source IS NOT NULL OR status IN ('errors', 'timed_out');
CREATE INDEX sync_session_failures ON sync_session (organization_id, failures DESC, started_at DESC, session_id DESC) WHERE failures > 0;
CREATE INDEX sync_session_unclean_all ON sync_session (status, started_at DESC, session_id DESC) WHERE status <> 'finished';

-- Heavy text beside the thin row; only sessions that have some.
CREATE TABLE session_text (
  started_at       timestamptz NOT NULL,
  session_id       uuid NOT NULL,
  organization_id  uuid NOT NULL,
  message          text,
  exception        text,
  PRIMARY KEY (started_at, session_id)
) PARTITION BY RANGE (started_at);

-- One row per issue and session: what the job details list, and what times seen is counted from.
CREATE TABLE issue_sighting (
  started_at       timestamptz NOT NULL,
  session_id       uuid NOT NULL,
  issue_id         uuid NOT NULL,
  organization_id  uuid NOT NULL,
  user_id          uuid NOT NULL,
  attempt          integer NOT NULL,
  seq              bigint NOT NULL,
  digest           bigint NOT NULL,
  began            timestamptz NOT NULL,
  appended_at      timestamptz NOT NULL,
  state            text NOT NULL CHECK (state IN ('opened', 'resolved')),
  object_type      text NOT NULL,
  object_name      text,
  object_id        text,
  counterpart_id   text,
  direction        text NOT NULL,
  operation        text NOT NULL,
  error_code       smallint NOT NULL,
  error_text       text,
  error_source     text,
  error_category   text,
  error_retryable  boolean,
  attempts         integer,
  resolution       text,
  PRIMARY KEY (started_at, session_id, issue_id)
) PARTITION BY RANGE (started_at);
CREATE INDEX issue_sighting_of_issue ON issue_sighting (organization_id, issue_id, started_at DESC);

-- Log lines as sent, one chunk a row: body is a zstd-compressed JSON array of lines, secrets already taken out.
CREATE TABLE log_chunk (
  started_at       timestamptz NOT NULL,
  session_id       uuid NOT NULL,
  attempt          integer NOT NULL,
  chunk_no         integer NOT NULL,
  organization_id  uuid NOT NULL,
  user_id          uuid NOT NULL,
  appended_at      timestamptz NOT NULL,
  first_line       integer NOT NULL,
  line_count       integer NOT NULL,
  dropped_lines    integer NOT NULL DEFAULT 0,
  redactions       integer NOT NULL DEFAULT 0,
  final            boolean NOT NULL DEFAULT false,
  body             bytea NOT NULL,
  PRIMARY KEY (started_at, session_id, attempt, chunk_no)
) PARTITION BY RANGE (started_at);
CREATE INDEX log_chunk_of_user ON log_chunk (organization_id, user_id, started_at DESC);

-- ---------------------------------------------------------------------------------------------- issues
-- The newest sighting of each issue, kept while open and 90 days after.
CREATE TABLE sync_issue (
  organization_id  uuid NOT NULL,
  issue_id         uuid NOT NULL,
  user_id          uuid NOT NULL,
  began            timestamptz NOT NULL,                  -- (began, session_id, attempt, seq): the version
  session_id       uuid NOT NULL,
  attempt          integer NOT NULL,
  seq              bigint NOT NULL,
  digest           bigint NOT NULL,
  session_started_at timestamptz NOT NULL,
  state            text NOT NULL CHECK (state IN ('open', 'resolved', 'regressed')),
  was_resolved     boolean NOT NULL DEFAULT false,        -- any sighting said resolved: an open one after it is regressed
  first_seen_at    timestamptz NOT NULL,
  last_seen_at     timestamptz NOT NULL,
  closed_at        timestamptz,
  times            integer NOT NULL DEFAULT 0,            -- sessions in which it was seen opened
  object_type      text NOT NULL,
  object_name      text,
  object_id        text,
  counterpart_id   text,
  direction        text NOT NULL,
  operation        text NOT NULL,
  error_code       smallint NOT NULL,
  error_text       text,
  error_source     text,
  error_category   text,
  error_retryable  boolean,
  mail_system      text,
  crm_system       text,
  attempts         integer,
  resolution       text,
  PRIMARY KEY (organization_id, issue_id)
);
CREATE INDEX sync_issue_of_user ON sync_issue (organization_id, user_id, first_seen_at DESC, issue_id DESC);
CREATE INDEX sync_issue_of_organization ON sync_issue (organization_id, first_seen_at DESC, issue_id DESC);
CREATE INDEX sync_issue_newest ON sync_issue (first_seen_at DESC, issue_id DESC);
-- What the pages of an organization count: open issues, those that report a success (code 0) left out.
CREATE INDEX sync_issue_open ON sync_issue (organization_id) WHERE state <> 'resolved' AND error_code <> 0;
CREATE INDEX sync_issue_closed ON sync_issue (closed_at) WHERE closed_at IS NOT NULL;

-- ---------------------------------------------------------------------------------------------- roll-ups
-- Sessions by the hour of started_at. error_source and error_category are '' where there is none.
CREATE TABLE session_hour (
  organization_id  uuid NOT NULL,
  hour             timestamptz NOT NULL,
  status           text NOT NULL,
  error_source     text NOT NULL DEFAULT '',
  error_category   text NOT NULL DEFAULT '',
  shard            smallint NOT NULL,                     -- partition; -1 where the leader folded a closed hour
  sessions         bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (organization_id, hour, status, error_source, error_category, shard)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE session_hour_all (
  hour             timestamptz NOT NULL,
  status           text NOT NULL,
  error_source     text NOT NULL DEFAULT '',
  error_category   text NOT NULL DEFAULT '',
  mail_system      text NOT NULL DEFAULT '',
  shard            smallint NOT NULL,
  sessions         bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, status, error_source, error_category, mail_system, shard)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- ---------------------------------------------------------------------------------------------- status changes, agents
CREATE TABLE status_change (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id  uuid NOT NULL,
  user_id          uuid,                                  -- NULL: the organization's health
  was              text,
  became           text NOT NULL,
  reason           text NOT NULL,
  since            timestamptz NOT NULL,                  -- applied time at which it changed
  revision         bigint NOT NULL,                       -- rising per user, or per organization
  published_at     timestamptz
);
CREATE INDEX status_change_unpublished ON status_change (id) WHERE published_at IS NULL;
CREATE INDEX status_change_of_user ON status_change (organization_id, user_id, id DESC);
CREATE INDEX status_change_by_time ON status_change (since);

-- An organization's flag was flipped: its users are judged again by the owners of their partitions, 1,000 a transaction.
CREATE TABLE recompute_queue (
  organization_id  uuid NOT NULL,
  partition        smallint NOT NULL,
  requested_at     timestamptz NOT NULL,
  after_user_id    uuid,
  PRIMARY KEY (organization_id, partition)
);

CREATE TABLE agent (
  agent_id         text PRIMARY KEY,
  organization_id  uuid,                                  -- NULL: the operator's shared agent
  version          text,
  heard_at         timestamptz NOT NULL,                  -- append time of the newest heartbeat
  sent_at          timestamptz,
  clock_error_s    double precision,                      -- heard_at − sent_at
  sessions_running integer,
  queued           bigint,
  oldest_queued_s  double precision
);

-- ---------------------------------------------------------------------------------------------- positions, rejects
CREATE TABLE kafka_position (
  topic            text NOT NULL,
  partition        smallint NOT NULL,
  epoch            integer NOT NULL DEFAULT 0,
  next_offset      bigint NOT NULL DEFAULT 0,
  last_hash        bigint,                                -- of the record at next_offset - 1; NULL: none read yet
  applied_to       timestamptz,                           -- append time up to which this partition is applied
  heard_at         timestamptz,                           -- wall clock at which applied_to last moved: tells deaf from idle
  resumed_at       timestamptz,                           -- append time of the first record after more than 60 s without any
  halted           text,                                  -- reason; only `syncwatch positions accept` lifts it
  halted_at        timestamptz,
  halted_expected  bigint,
  halted_found     bigint,
  PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE position_gap (
  topic            text NOT NULL,
  partition        smallint NOT NULL,
  epoch            integer NOT NULL,
  first_offset     bigint NOT NULL,                       -- lost: first_offset ≤ offset < end_offset
  end_offset       bigint NOT NULL,
  reason           text NOT NULL,
  noted_at         timestamptz NOT NULL,
  PRIMARY KEY (topic, partition, epoch, first_offset)
);

CREATE TABLE rejected_event (
  topic            text NOT NULL,
  epoch            integer NOT NULL,
  partition        smallint NOT NULL,
  "offset"         bigint NOT NULL,
  organization_id  uuid,                                  -- where it could be read
  reason           text NOT NULL,
  detail           text,                                  -- without any text of the payload
  appended_at      timestamptz NOT NULL,
  key              bytea,
  headers          bytea,                                 -- msgpack list of (name, value)
  payload          bytea,
  replayed_at      timestamptz,
  PRIMARY KEY (topic, epoch, partition, "offset")
);
CREATE INDEX rejected_event_by_time ON rejected_event (appended_at);

-- ---------------------------------------------------------------------------------------------- accounts, keys, audit
CREATE TABLE account (
  account_id       uuid PRIMARY KEY,
  email            text NOT NULL UNIQUE,
  name             text,
  role             text NOT NULL CHECK (role IN ('platform_admin', 'support', 'organization_admin', 'end_user')),
  organization_id  uuid,
  user_id          uuid,
  preferences      jsonb NOT NULL DEFAULT '{}',           -- theme, zone, density, column order per list
  created_at       timestamptz NOT NULL,
  disabled_at      timestamptz,
  CHECK ((role IN ('organization_admin', 'end_user')) = (organization_id IS NOT NULL)),
  CHECK ((role = 'end_user') = (user_id IS NOT NULL))
);
CREATE TABLE sign_in_link (
  link_hash        bytea PRIMARY KEY,
  account_id       uuid NOT NULL REFERENCES account ON DELETE CASCADE,
  expires_at       timestamptz NOT NULL,
  used_at          timestamptz
);
CREATE TABLE web_session (
  cookie_hash      bytea PRIMARY KEY,
  account_id       uuid NOT NULL REFERENCES account ON DELETE CASCADE,
  created_at       timestamptz NOT NULL,
  seen_at          timestamptz NOT NULL,
  reveal_until     timestamptz,                           -- names of objects are shown until then
  ended_at         timestamptz
);
CREATE TABLE api_key (
  key_hash         bytea PRIMARY KEY,
  key_id           uuid NOT NULL UNIQUE,
  name             text NOT NULL,
  role             text NOT NULL CHECK (role IN ('platform_admin', 'support', 'organization_admin')),
  organization_id  uuid,
  created_at       timestamptz NOT NULL,
  expires_at       timestamptz,
  revoked_at       timestamptz,
  CHECK ((role = 'organization_admin') = (organization_id IS NOT NULL))
);
CREATE TABLE agent_token (
  token_hash       bytea PRIMARY KEY,
  token_id         uuid NOT NULL UNIQUE,
  agent_id         text NOT NULL,
  organization_id  uuid NOT NULL,
  created_at       timestamptz NOT NULL,
  expires_at       timestamptz,
  revoked_at       timestamptz
);
CREATE TABLE audit_event (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at               timestamptz NOT NULL,
  actor            text NOT NULL,                         -- e-mail, key name, or "operator" of the command line
  action           text NOT NULL,                         -- stable slug: sign_in, export_started, names_revealed, position_accepted …
  object           text,
  organization_id  uuid,
  before           jsonb,
  after            jsonb
);
CREATE INDEX audit_event_of_organization ON audit_event (organization_id, id DESC);
CREATE TABLE export (
  export_id        uuid PRIMARY KEY,
  actor            text NOT NULL,
  organization_id  uuid,
  list             text NOT NULL,
  query            text NOT NULL,                         -- the URL's query: a link that runs it again
  as_of            timestamptz,
  started_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  state            text NOT NULL CHECK (state IN ('running', 'complete', 'cut', 'cancelled')),
  rows             bigint,
  bytes            bigint,
  sha256           bytea
);

-- ---------------------------------------------------------------------------------------------- days
-- Makes the partitions of one day (UTC). LIKE + ATTACH waits for no reader. Called by the leader, 14 days ahead.
CREATE FUNCTION create_day(day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  parent text;
  child text;
  low timestamptz := day::timestamp AT TIME ZONE 'UTC';
  made boolean := false;
BEGIN
  FOREACH parent IN ARRAY ARRAY['sync_session', 'session_text', 'issue_sighting', 'log_chunk'] LOOP
    child := parent || '_' || to_char(day, 'YYYYMMDD');
    IF to_regclass(child) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = 80)', child, parent);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, low, low + interval '1 day');
      made := true;
    END IF;
  END LOOP;
  RETURN made;
END $$;

-- Drops one table's day. Waits at most half a second for readers, so the caller tries again later.
CREATE FUNCTION drop_day(parent text, day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE child text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF parent NOT IN ('sync_session', 'session_text', 'issue_sighting', 'log_chunk') THEN
    RAISE EXCEPTION 'no table of days: %', parent;
  END IF;
  IF to_regclass(child) IS NULL THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', '500ms', true);
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, child);
  EXECUTE format('DROP TABLE %I', child);
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION create_day(date), drop_day(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_day(date), drop_day(text, date) TO syncwatch_writer;

-- From before what is kept of sessions (schemas/retention.py) on.
SELECT create_day((current_date + ahead)::date) FROM generate_series(-31, 14) AS ahead;

-- ---------------------------------------------------------------------------------------------- grants and row-level security
GRANT USAGE ON SCHEMA public TO syncwatch_writer, syncwatch_gateway, syncwatch_reader, syncwatch_reader_all, syncwatch_panel;

GRANT SELECT, INSERT, UPDATE, DELETE ON organization, sync_user, user_status, organization_status, sync_session, session_text,
  issue_sighting, log_chunk, sync_issue, session_hour, session_hour_all, status_change, recompute_queue, agent,
  kafka_position, position_gap, rejected_event TO syncwatch_writer;
GRANT SELECT, DELETE ON audit_event TO syncwatch_writer;                       -- retention, as the next three
GRANT SELECT (export_id, started_at, state), UPDATE (state), DELETE ON export TO syncwatch_writer;
GRANT SELECT (cookie_hash, created_at), DELETE ON web_session TO syncwatch_writer;
GRANT SELECT (link_hash, expires_at), DELETE ON sign_in_link TO syncwatch_writer;
GRANT SELECT (agent_id, organization_id, revoked_at) ON agent_token TO syncwatch_writer; -- which agents are to be heard
GRANT SELECT ON organization, sync_user, user_status, organization_status, sync_session, session_text, issue_sighting, log_chunk,
  sync_issue, session_hour, status_change, agent TO syncwatch_reader, syncwatch_reader_all;
GRANT SELECT ON session_hour_all TO syncwatch_reader_all;
GRANT SELECT ON kafka_position TO syncwatch_reader, syncwatch_reader_all, syncwatch_panel;
GRANT SELECT ON audit_event TO syncwatch_reader, syncwatch_reader_all;
GRANT SELECT (token_hash, token_id, agent_id, organization_id, expires_at, revoked_at) ON agent_token TO syncwatch_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON account, sign_in_link, web_session, api_key, agent_token, export TO syncwatch_panel;
GRANT SELECT, INSERT ON audit_event TO syncwatch_panel;
GRANT SELECT ON organization, sync_user TO syncwatch_panel;
GRANT SELECT, UPDATE ON rejected_event TO syncwatch_panel;

DO $$
DECLARE tenant text;
BEGIN
  FOREACH tenant IN ARRAY ARRAY['organization', 'sync_user', 'user_status', 'organization_status', 'sync_session', 'session_text',
      'issue_sighting', 'log_chunk', 'sync_issue', 'session_hour', 'status_change', 'agent', 'audit_event', 'rejected_event',
      'recompute_queue'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant);
    EXECUTE format('CREATE POLICY writer ON %I TO syncwatch_writer USING (true) WITH CHECK (true)', tenant);
    EXECUTE format('CREATE POLICY one_organization ON %I FOR SELECT TO syncwatch_reader '
                   'USING (organization_id = NULLIF(current_setting(''app.org'', true), '''')::uuid)', tenant);
    EXECUTE format('CREATE POLICY all_organizations ON %I FOR SELECT TO syncwatch_reader_all USING (true)', tenant);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', tenant);
  END LOOP;
END $$;
CREATE POLICY panel ON organization FOR SELECT TO syncwatch_panel USING (true);
CREATE POLICY panel ON sync_user FOR SELECT TO syncwatch_panel USING (true);
CREATE POLICY panel ON audit_event TO syncwatch_panel USING (true) WITH CHECK (true);
CREATE POLICY panel ON rejected_event TO syncwatch_panel USING (true) WITH CHECK (true);
