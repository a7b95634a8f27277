-- Purpose: memories that persist and are found: versions, postings for BM25, embeddings and their signatures.
-- Owner:   memory-vector-engine
-- Tables:  memory_models memory_collections memories memory_counts memory_terms memory_vectors
--          memory_past_vectors memory_pending memory_usage memory_graphs memory_graph_entries

-- Embedding models ever used. `serving` answers searches; `filling` is being embedded and takes over when complete.
CREATE TABLE memory_models (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    dimensions int NOT NULL,
    mapping    text NOT NULL CHECK (mapping IN ('exact', 'pad', 'truncate')),
    state      text NOT NULL CHECK (state IN ('serving', 'filling', 'retired')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (name, dimensions, mapping)
);
CREATE UNIQUE INDEX memory_models_serving ON memory_models (state) WHERE state IN ('serving', 'filling');
CALL protect_platform_table('memory_models');

-- What is searched as one: the memories of an agent, of a thread, of a user, or shared in the organisation.
-- Its row is locked by every writer, so that the order of versions is the order of commits.
CREATE TABLE memory_collections (
    org_id          uuid NOT NULL REFERENCES organisations (id),
    id              uuid NOT NULL,
    scope           text NOT NULL CHECK (scope IN ('agent', 'thread', 'user', 'organisation')),
    agent_id        uuid,
    thread_id       text,
    user_id         text,
    live            int NOT NULL DEFAULT 0,
    words           bigint NOT NULL DEFAULT 0,
    vector_weight   real NOT NULL DEFAULT 0.5,
    rank_constant   real NOT NULL DEFAULT 60,
    calibrated_live int NOT NULL DEFAULT 0,
    calibrated_at   timestamptz,
    written_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id)
);
CREATE INDEX memory_collections_grown ON memory_collections (live) WHERE live >= 64;
CALL protect_tenant_table('memory_collections');

-- One row per version; what was written is never changed, a version only ends.
CREATE TABLE memories (
    org_id              uuid NOT NULL,
    id                  uuid NOT NULL,
    version             int NOT NULL,
    collection_id       uuid NOT NULL,
    scope               text NOT NULL,
    agent_id            uuid,
    thread_id           text,
    user_id             text,
    type                text NOT NULL CHECK (type IN ('episodic', 'semantic', 'procedural', 'working')),
    content             text NOT NULL,
    content_hash        bytea NOT NULL,
    language            regconfig NOT NULL,
    words               int NOT NULL,
    importance          real NOT NULL CHECK (importance BETWEEN 0 AND 1),
    tags                text[] NOT NULL,
    metadata            jsonb NOT NULL,
    source_execution_id uuid,
    source_step_id      uuid,
    provenance          text,
    created_by          text NOT NULL,
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz,
    valid_from          timestamptz NOT NULL,
    valid_to            timestamptz,
    end_reason          text CHECK (end_reason IN ('updated', 'deleted', 'expired')),
    PRIMARY KEY (org_id, id, version),
    FOREIGN KEY (org_id, collection_id) REFERENCES memory_collections (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id),
    CHECK ((valid_to IS NULL) = (end_reason IS NULL))
);
-- No second index begins with org_id: before statistics exist, all that do look alike to the planner.
CREATE UNIQUE INDEX memories_current ON memories (id) WHERE valid_to IS NULL;
CREATE UNIQUE INDEX memories_same ON memories (collection_id, type, content_hash) WHERE valid_to IS NULL;
CREATE INDEX memories_history ON memories (collection_id, id DESC);
CREATE INDEX memories_expiring ON memories (expires_at) WHERE valid_to IS NULL AND expires_at IS NOT NULL;
CREATE INDEX memories_ended ON memories (valid_to) WHERE valid_to IS NOT NULL;
CALL protect_tenant_table('memories');

-- Kept apart from memories: counting a duplicate must not rewrite what a search reads.
CREATE TABLE memory_counts (
    org_id          uuid NOT NULL,
    memory_id       uuid NOT NULL,
    duplicates      int NOT NULL,
    last_written_at timestamptz NOT NULL,
    PRIMARY KEY (org_id, memory_id)
);
CALL protect_tenant_table('memory_counts');

-- Postings of the living memories, for BM25.
CREATE TABLE memory_terms (
    org_id        uuid NOT NULL,
    collection_id uuid NOT NULL,
    term          text NOT NULL,
    memory_id     uuid NOT NULL,
    frequency     int NOT NULL,
    words         int NOT NULL,
    expires_at    timestamptz,
    PRIMARY KEY (org_id, collection_id, term, memory_id) INCLUDE (frequency, words, expires_at)
);
ALTER TABLE memory_terms SET (autovacuum_vacuum_insert_scale_factor = 0.05);
CALL protect_tenant_table('memory_terms');

-- Embeddings of the living memories. `signature` holds the signs of the rotated embedding; a search reads it from
-- the covering index and only then the embeddings of the nearest. PLAIN: an embedding fits its page uncompressed.
CREATE TABLE memory_vectors (
    org_id        uuid NOT NULL,
    memory_id     uuid NOT NULL,
    model_id      int NOT NULL REFERENCES memory_models (id),
    collection_id uuid NOT NULL,
    content_hash  bytea NOT NULL,
    expires_at    timestamptz,
    stored_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    signature     bit(1536) NOT NULL,
    embedding     halfvec(1536) NOT NULL,
    PRIMARY KEY (org_id, memory_id, model_id)
);
ALTER TABLE memory_vectors ALTER COLUMN signature SET STORAGE PLAIN;
ALTER TABLE memory_vectors ALTER COLUMN embedding SET STORAGE PLAIN;
-- Index-only scans need pages known to be all visible, so vacuum early.
ALTER TABLE memory_vectors SET (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02
);
CREATE INDEX memory_vectors_near ON memory_vectors (collection_id, model_id)
    INCLUDE (org_id, memory_id, expires_at, signature);
CREATE INDEX memory_vectors_content ON memory_vectors (content_hash, org_id, model_id);
CALL protect_tenant_table('memory_vectors');

-- Embeddings of versions that ended: the cache by content, and what a search `as_of` the past compares with.
CREATE TABLE memory_past_vectors (
    org_id       uuid NOT NULL,
    content_hash bytea NOT NULL,
    model_id     int NOT NULL,
    stored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    signature    bit(1536) NOT NULL,
    embedding    halfvec(1536) NOT NULL,
    PRIMARY KEY (org_id, content_hash, model_id)
);
CREATE INDEX memory_past_vectors_age ON memory_past_vectors (stored_at);
CALL protect_tenant_table('memory_past_vectors');

-- Memories that wait for an embedding; a worker takes some by moving `not_before` ahead.
CREATE TABLE memory_pending (
    org_id        uuid NOT NULL,
    memory_id     uuid NOT NULL,
    collection_id uuid NOT NULL,
    not_before    timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts      int NOT NULL DEFAULT 0,
    last_error    text,
    PRIMARY KEY (org_id, memory_id)
);
CREATE INDEX memory_pending_due ON memory_pending (not_before);
CREATE INDEX memory_pending_collection ON memory_pending (collection_id);
CALL protect_tenant_table('memory_pending');

CREATE TABLE memory_usage (
    org_id    uuid NOT NULL,
    day       date NOT NULL,
    operation text NOT NULL,
    calls     bigint NOT NULL,
    items     bigint NOT NULL,
    tokens    bigint NOT NULL,
    PRIMARY KEY (org_id, day, operation)
);
CALL protect_tenant_table('memory_usage');

-- An HNSW graph over what is too large for signatures: one collection, or (null) a whole organisation. Its entries
-- are a table of their own, so that no filter stands behind the graph and a new one is built beside the old.
CREATE TABLE memory_graphs (
    org_id        uuid NOT NULL,
    id            int NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    collection_id uuid,
    model_id      int NOT NULL REFERENCES memory_models (id),
    state         text NOT NULL CHECK (state IN ('building', 'ready')),
    built_through timestamptz NOT NULL,
    entries       int NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, id)
);
CALL protect_tenant_table('memory_graphs');

CREATE TABLE memory_graph_entries (
    graph_id  int NOT NULL,
    org_id    uuid NOT NULL,
    memory_id uuid NOT NULL,
    embedding halfvec(1536) NOT NULL
) PARTITION BY LIST (graph_id);
ALTER TABLE memory_graph_entries ALTER COLUMN embedding SET STORAGE PLAIN;
CALL protect_tenant_table('memory_graph_entries');

-- What was written after a graph was built is searched beside it.
CREATE INDEX memory_vectors_recent ON memory_vectors (stored_at);

-- Tables are the owner's to make; these three let the system role make, finish and drop those of graphs only.
CREATE FUNCTION open_memory_graph(graph int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TABLE memory_graph_%s (LIKE memory_graph_entries INCLUDING STORAGE)', graph);
    EXECUTE format('ALTER TABLE memory_graph_entries ATTACH PARTITION memory_graph_%s FOR VALUES IN (%s)',
                   graph, graph);
END $$;

CREATE FUNCTION close_memory_graph(graph int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET maintenance_work_mem = '256MB' AS $$
BEGIN
    EXECUTE format('CREATE INDEX ON memory_graph_%s USING hnsw (embedding halfvec_cosine_ops) '
                   'WITH (ef_construction = 200)', graph);
END $$;

CREATE FUNCTION drop_memory_graph(graph int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS memory_graph_%s', graph);
END $$;

REVOKE ALL ON FUNCTION open_memory_graph(int), close_memory_graph(int), drop_memory_graph(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_memory_graph(int), close_memory_graph(int), drop_memory_graph(int)
    TO agentplane_system;
