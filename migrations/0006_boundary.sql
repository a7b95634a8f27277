-- Purpose: executions that come of others (children, forks, replays), and what a queue must know of them
-- Tables:  executions (columns)
-- Owner:   agent-gateway

ALTER TABLE executions
    ADD COLUMN relation            text CHECK (relation IN ('child', 'fork', 'replay')),
    ADD COLUMN parent_execution_id uuid,
    ADD COLUMN root_execution_id   uuid,
    ADD COLUMN parent_step         int,
    ADD COLUMN replay              jsonb,
    ADD COLUMN diverged_at         int,
    ADD COLUMN divergence          jsonb,
    ADD COLUMN fidelity            text,
    ADD COLUMN limits              jsonb,
    ADD COLUMN on_busy             text NOT NULL DEFAULT 'enqueue'
        CHECK (on_busy IN ('reject', 'enqueue', 'interrupt', 'rollback')),
    ADD COLUMN concurrency_key     text,
    ADD CONSTRAINT executions_parent FOREIGN KEY (org_id, parent_execution_id) REFERENCES executions (org_id, id);

CREATE INDEX executions_children ON executions (org_id, parent_execution_id) WHERE parent_execution_id IS NOT NULL;
CREATE INDEX executions_tree ON executions (org_id, root_execution_id) WHERE root_execution_id IS NOT NULL;
CREATE INDEX executions_thread ON executions (org_id, agent_id, thread_id) WHERE thread_id IS NOT NULL AND finished_at IS NULL;
