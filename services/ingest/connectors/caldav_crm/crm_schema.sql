-- The CRM: a system of its own, in a schema of its own, with the rules that real ones have. Running this again changes nothing.
CREATE SCHEMA IF NOT EXISTS crm;

-- Who may be synchronized. The revision only ever rises, also after the database was made anew: it starts at the clock.
CREATE TABLE IF NOT EXISTS crm.organization (
    organization_id uuid PRIMARY KEY,
    slug            text NOT NULL UNIQUE,
    name            varchar(80) NOT NULL,
    sync_enabled    boolean NOT NULL DEFAULT true,
    disabled_reason text,
    changed_by      text NOT NULL DEFAULT 'set-up',
    revision        bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint
);

CREATE TABLE IF NOT EXISTS crm.seat (
    user_id         uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES crm.organization,
    email           varchar(120) NOT NULL UNIQUE,
    display_name    varchar(80) NOT NULL,
    external_id     text NOT NULL UNIQUE,
    sync_enabled    boolean NOT NULL DEFAULT true,
    disabled_reason text,
    changed_by      text NOT NULL DEFAULT 'set-up',
    revision        bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint
);

CREATE TABLE IF NOT EXISTS crm.account (
    account_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL REFERENCES crm.organization,
    name            varchar(80) NOT NULL,
    UNIQUE (organization_id, name)
);

CREATE TABLE IF NOT EXISTS crm.contact (
    contact_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES crm.account,
    full_name  varchar(80) NOT NULL,
    email      varchar(120) NOT NULL UNIQUE
);

-- An appointment. `version` is its etag; a deleted one stays in the recycle bin until somebody empties it.
-- `ical` is the calendar's own text as last received, so that what this table has no column for survives the way back.
CREATE TABLE IF NOT EXISTS crm.event (
    event_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner_id    uuid NOT NULL REFERENCES crm.seat,
    account_id  uuid REFERENCES crm.account,
    uid         text NOT NULL,
    subject     varchar(100) NOT NULL,
    location    varchar(120) NOT NULL DEFAULT '',
    description varchar(4000) NOT NULL DEFAULT '',
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    all_day     boolean NOT NULL DEFAULT false,
    ical        text,
    version     bigint NOT NULL DEFAULT 1,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz,
    CONSTRAINT event_has_a_subject CHECK (subject <> ''),
    CONSTRAINT event_ends_after_its_start CHECK (ends_at >= starts_at)
);

CREATE UNIQUE INDEX IF NOT EXISTS event_uid ON crm.event (owner_id, uid) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS event_only_once ON crm.event (owner_id, starts_at, subject) WHERE deleted_at IS NULL;

-- Whoever writes, by whatever means: the etag moves, and so does the revision of who was switched on or off.
CREATE OR REPLACE FUNCTION crm.next_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.changed_at := clock_timestamp();
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION crm.next_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := greatest(OLD.revision + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint);
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER event_version BEFORE UPDATE ON crm.event
    FOR EACH ROW EXECUTE FUNCTION crm.next_version();
CREATE OR REPLACE TRIGGER organization_revision BEFORE UPDATE ON crm.organization
    FOR EACH ROW EXECUTE FUNCTION crm.next_revision();
CREATE OR REPLACE TRIGGER seat_revision BEFORE UPDATE ON crm.seat
    FOR EACH ROW EXECUTE FUNCTION crm.next_revision();
