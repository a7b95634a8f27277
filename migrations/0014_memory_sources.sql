-- Purpose: find what an execution remembered, to undo it
-- Tables:  memories (index)
-- Owner:   memory-vector-engine

CREATE INDEX memories_source ON memories (org_id, source_execution_id)
    WHERE source_execution_id IS NOT NULL AND valid_to IS NULL;
