-- Purpose: fidelity of every execution that ended, masks of tools' arguments, and what forks write to memory
-- Tables:  executions (index), replay_masks (column), memory_collections (column), memory_shadows
-- Owner:   agent-gateway, memory-vector-engine

-- What ended while nobody counted its steps, and what ended before this was kept.
CREATE INDEX executions_unjudged ON executions (id) WHERE finished_at IS NOT NULL AND fidelity IS NULL;

-- Empty for masks of model calls, else the tool whose arguments they are of.
ALTER TABLE replay_masks
    ADD COLUMN tool text NOT NULL DEFAULT '',
    DROP CONSTRAINT replay_masks_org_id_agent_id_agent_version_pointer_pattern_key,
    ADD CONSTRAINT replay_masks_once UNIQUE (org_id, agent_id, agent_version, tool, pointer, pattern);
