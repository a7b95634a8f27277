-- Purpose: ask in one statement whether kept collections are still as they were, and for the words of a question
-- Owner:   memory-vector-engine
-- Tables:  memory_changes
-- Note:    and the build of a large graph gets the memory it needs

-- Whether anything of some collections changed after the snapshots given, in one snapshot and one round trip, and the
-- words of a question as postings hold them. It runs as its caller, so row-level security binds it to the
-- organisation it names.
CREATE FUNCTION check_memories(
    org uuid, collections uuid[], snapshots text[], language regconfig, question text,
    OUT stale boolean, OUT snapshot text, OUT at timestamptz, OUT server timestamptz, OUT terms text[]
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.org', org::text, true);
    SELECT EXISTS (
        SELECT FROM unnest(collections, snapshots) AS a (collection_id, seen)
        CROSS JOIN LATERAL (SELECT FROM memory_changes c
            WHERE c.org_id = org AND c.collection_id = a.collection_id
            AND c.xid >= pg_snapshot_xmin(a.seen::pg_snapshot)
            AND NOT pg_visible_in_snapshot(c.xid, a.seen::pg_snapshot) LIMIT 1) c
    ), pg_current_snapshot()::text, now(), pg_postmaster_start_time()
    INTO stale, snapshot, at, server;
    terms := tsvector_to_array(to_tsvector(language, question));
END $$;
REVOKE ALL ON FUNCTION check_memories(uuid, uuid[], text[], regconfig, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_memories(uuid, uuid[], text[], regconfig, text) TO agentplane_app;

DROP FUNCTION confirm_memories(uuid, uuid[], text[], uuid[]);

-- A graph that does not fit into the memory of its build takes ten times as long; so much fits, up to 2 GB.
CREATE OR REPLACE FUNCTION close_memory_graph(graph int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    needed bigint := pg_total_relation_size(format('memory_graph_%s', graph)::regclass) * 3 / 2 / 1024;
BEGIN
    PERFORM set_config('maintenance_work_mem', greatest(65536, least(2097151, needed)) || 'kB', true);
    EXECUTE format('CREATE INDEX ON memory_graph_%s USING hnsw (embedding halfvec_cosine_ops) '
                   'WITH (ef_construction = 200)', graph);
END $$;
