-- Purpose: what a replay must know of a step: its content key, who answered it, and the chunks of a stream
-- Tables:  steps (columns) step_bodies (columns)
-- Owner:   agent-observability

ALTER TABLE steps
    ADD COLUMN tokens_cached       int NOT NULL DEFAULT 0,
    ADD COLUMN key                 bytea,
    ADD COLUMN served_from         text NOT NULL DEFAULT 'live',
    ADD COLUMN source_execution_id uuid,
    ADD COLUMN source_seq          int,
    ADD COLUMN effect              text;

ALTER TABLE step_bodies ADD COLUMN response_chunks int[] NOT NULL DEFAULT '{}';
