-- Purpose: executions whose agent asked something and waits, without a process, for the answer
-- Owner:   agent-gateway
-- Tables:  executions

-- What the agent asked, while it waits; and what it was answered, which every attempt after that is told.
ALTER TABLE executions ADD COLUMN interrupt jsonb;
ALTER TABLE executions ADD COLUMN resume jsonb;
