-- Makes one application's role and database, or brings them up to date. Running it again changes nothing.
-- Names come from the environment, the password from a mounted secret; psql quotes them.
\set ON_ERROR_STOP on
\set VERBOSITY terse
\set QUIET on
\getenv role DATABASE_ROLE
\set password `cat /run/genai/password`
\getenv database DATABASE_NAME
SET client_min_messages = warning;
-- With log_statement = ddl the password would land in the server's log.
SELECT format('SET log_statement = %L', 'none') WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) \gexec
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I WITH LOGIN PASSWORD %L', :'role', :'password') \gexec
-- The administrator of Aurora is not a superuser: to make a database for a role it must be a member of it.
SELECT format('GRANT %I TO CURRENT_USER', :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I ENCODING %L TEMPLATE template0', :'database', :'role', 'UTF8')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec
\echo 'database ready'
