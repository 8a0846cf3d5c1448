-- Two roles for a node's database: `sdkportal_owner` owns what is in it and runs migrations, `sdkportal` is the
-- service's own and only reads and writes rows. With one role for both, whoever takes over the service could drop
-- the trigger that lets the access log only grow.
--
-- Run it in the node's database as a superuser, before the first `migrate` or on a node that has one role:
--     psql -d sdkportal -f roles.sql
-- then give both roles a password (\password sdkportal), or let pg_hba.conf say how they come in. After every
-- `migrate`: grants.sql. It may be run again.

DO $$
DECLARE
  thing record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sdkportal_owner') THEN
    CREATE ROLE sdkportal_owner LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sdkportal') THEN
    CREATE ROLE sdkportal LOGIN;
  END IF;
  EXECUTE format('ALTER DATABASE %I OWNER TO sdkportal_owner', current_database());
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO sdkportal', current_database());

  -- What one role owned so far, but for what belongs to extensions.
  FOR thing IN
    SELECT format('ALTER %s %I.%I OWNER TO sdkportal_owner',
                  CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                 ELSE 'TABLE' END,
                  n.nspname, c.relname) AS statement
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      -- A column's own sequence goes with its table.
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('e', 'a', 'i')
                      AND d.classid = 'pg_class'::regclass)
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO sdkportal_owner', p.oid::regprocedure)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('ALTER TEXT SEARCH %s %I.%I OWNER TO sdkportal_owner', t.kind, n.nspname, t.name)
    FROM (SELECT oid, 'CONFIGURATION' AS kind, cfgname AS name, cfgnamespace AS space FROM pg_ts_config
          UNION ALL SELECT oid, 'DICTIONARY', dictname, dictnamespace FROM pg_ts_dict) t
    JOIN pg_namespace n ON n.oid = t.space
    WHERE n.nspname = 'public'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
  LOOP
    EXECUTE thing.statement;
  END LOOP;
END
$$;

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

ALTER SCHEMA public OWNER TO sdkportal_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC, sdkportal;
GRANT USAGE ON SCHEMA public TO sdkportal;

-- What a migration makes from now on.
ALTER DEFAULT PRIVILEGES FOR ROLE sdkportal_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO sdkportal;
ALTER DEFAULT PRIVILEGES FOR ROLE sdkportal_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO sdkportal;
