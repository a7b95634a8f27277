-- Purpose: which memories changed and when, so that a process may keep a collection in memory and know when it is old
-- Owner:   memory-vector-engine
-- Tables:  memory_changes

-- Noted by triggers, so that no writer can forget. `xid` tells a reader what its own snapshot could not see yet.
CREATE TABLE memory_changes (
    org_id        uuid NOT NULL,
    collection_id uuid NOT NULL,
    memory_id     uuid NOT NULL,
    xid           xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX memory_changes_since ON memory_changes (collection_id, xid) INCLUDE (org_id, memory_id);
CREATE INDEX memory_changes_age ON memory_changes USING brin (changed_at);
CALL protect_tenant_table('memory_changes');

CREATE FUNCTION note_changed_memories() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO memory_changes (org_id, collection_id, memory_id)
    SELECT DISTINCT org_id, collection_id, id FROM touched;
    RETURN NULL;
END $$;

CREATE FUNCTION note_changed_vectors() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO memory_changes (org_id, collection_id, memory_id)
    SELECT DISTINCT org_id, collection_id, memory_id FROM touched;
    RETURN NULL;
END $$;

CREATE TRIGGER memories_written AFTER INSERT ON memories REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_memories();
CREATE TRIGGER memories_changed AFTER UPDATE ON memories REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_memories();
CREATE TRIGGER memories_removed AFTER DELETE ON memories REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_memories();
CREATE TRIGGER memory_vectors_written AFTER INSERT ON memory_vectors REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_vectors();
CREATE TRIGGER memory_vectors_removed AFTER DELETE ON memory_vectors REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION note_changed_vectors();

-- Whether anything of some collections changed after the snapshots given, and, if nothing did, some memories: in one
-- snapshot and one round trip. It runs as its caller, so row-level security binds it to the organisation it names.
CREATE FUNCTION confirm_memories(org uuid, collections uuid[], snapshots text[], wanted uuid[])
    RETURNS TABLE (stale boolean, snapshot text, at timestamptz, server timestamptz, memory memories)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.org', org::text, true);
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT s.collection_id, s.seen::pg_snapshot AS seen, pg_snapshot_xmin(s.seen::pg_snapshot) AS oldest
        FROM unnest(collections, snapshots) AS s (collection_id, seen)
    ), news AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM asked a CROSS JOIN LATERAL (SELECT FROM memory_changes c
            WHERE c.org_id = org AND c.collection_id = a.collection_id AND c.xid >= a.oldest
            AND NOT pg_visible_in_snapshot(c.xid, a.seen) LIMIT 1) c) AS stale
    )
    SELECT n.stale, pg_current_snapshot()::text, now(), pg_postmaster_start_time(), f.m
    FROM news n LEFT JOIN LATERAL (
        SELECT l.m FROM unnest(wanted) AS w (id) CROSS JOIN LATERAL (SELECT m FROM memories m
            WHERE m.org_id = org AND m.id = w.id AND m.valid_to IS NULL
            AND (m.expires_at IS NULL OR m.expires_at > now()) OFFSET 0) l
        WHERE NOT n.stale) f ON true;
END $$;
REVOKE ALL ON FUNCTION confirm_memories(uuid, uuid[], text[], uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION confirm_memories(uuid, uuid[], text[], uuid[]) TO agentplane_app;
