-- Purpose: a removed policy keeps its row, so that its revision never comes back under another content
-- Owner:   agent-gateway
-- Tables:  organisation_policies

ALTER TABLE organisation_policies ALTER COLUMN policy DROP NOT NULL;
