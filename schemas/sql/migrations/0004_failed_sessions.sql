-- An index of failed sessions by time: whom the errors of a day touched, and for what, without reading the sessions.
-- Nothing of it changes while a session runs. Only days that have no rows yet get it, as a day that is written to would have
-- to be locked for it; the two before are read by sync_session_unclean_all, more slowly, until they are past.

SET LOCAL lock_timeout = '1s';
SET LOCAL statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX sync_session_failed ON ONLY sync_session (started_at DESC, session_id DESC)
 INCLUDE (organization_id, user_id, error_source, error_category) WHERE status IN ('errors', 'timed_out');

DO $$
DECLARE
  child regclass;
  has_rows boolean;
BEGIN
  FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'sync_session'::regclass LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', child) INTO has_rows;
    IF NOT has_rows THEN
      EXECUTE format('CREATE INDEX %1$I ON %2$s (started_at DESC, session_id DESC) '
                     'INCLUDE (organization_id, user_id, error_source, error_category) '
                     'WHERE status IN (''errors'', ''timed_out'')', child::text || '_failed', child);
      EXECUTE format('ALTER INDEX sync_session_failed ATTACH PARTITION %I', child::text || '_failed');
    END IF;
  END LOOP;
END $$;
