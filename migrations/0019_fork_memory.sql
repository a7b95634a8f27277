-- Purpose: what forks and replays do to memory, kept apart from the agents' own until somebody promotes it
-- Tables:  memory_fork_changes
-- Owner:   memory-vector-engine

-- One row for each memory that a fork remembered, changed or forgot, as it stands for the fork; of one that it
-- forgot only the id counts. It goes with the fork's execution, and before that when it is old.
CREATE TABLE memory_fork_changes (
    org_id              uuid NOT NULL,
    fork_id             uuid NOT NULL,
    memory_id           uuid NOT NULL,
    kind                text NOT NULL CHECK (kind IN ('remembered', 'changed', 'forgotten')),
    written_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    version             int NOT NULL DEFAULT 1,
    collection_id       uuid,
    scope               text,
    agent_id            uuid,
    thread_id           text,
    user_id             text,
    type                text,
    content             text,
    content_hash        bytea,
    language            regconfig,
    importance          real,
    tags                text[],
    metadata            jsonb,
    source_execution_id uuid,
    source_step_id      uuid,
    provenance          text,
    created_by          text,
    created_at          timestamptz,
    expires_at          timestamptz,
    model_id            int,
    embedding           halfvec(1536),
    PRIMARY KEY (org_id, fork_id, memory_id),
    FOREIGN KEY (org_id, fork_id) REFERENCES executions (org_id, id) ON DELETE CASCADE
);
CREATE INDEX memory_fork_changes_age ON memory_fork_changes (written_at);
CALL protect_tenant_table('memory_fork_changes');
