-- What the service may do in its database: read and write rows, and of the access log only add. Run it as
-- `sdkportal_owner` after every `migrate`:
--     psql -U sdkportal_owner -d sdkportal -f grants.sql

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM sdkportal;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO sdkportal;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO sdkportal;
REVOKE UPDATE, DELETE ON mailbox_accesslogentry FROM sdkportal;
-- Which migrations have run is the owner's to say.
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM sdkportal;
