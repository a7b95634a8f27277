#!/bin/sh
# What a fresh PostgreSQL needs before the migrations: the database, its owner, and pgvector.
# Run once by the postgres image; the other two roles are made by the migrations themselves.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres --set password="$POSTGRES_OWNER_PASSWORD" <<'SQL'
CREATE ROLE agentplane_owner LOGIN NOSUPERUSER CREATEROLE PASSWORD :'password';
CREATE DATABASE agentdb OWNER agentplane_owner;
\connect agentdb
CREATE EXTENSION vector;
ALTER SCHEMA public OWNER TO agentplane_owner;
SQL
