-- Version 5, on top of v4.sql: what its step did.

-- Version 5: what an idempotency key was given for.

-- SHA-256 of the whole request, in hexadecimal; NULL without a key, and of the versions before.
ALTER TABLE operation ADD COLUMN digest TEXT;

PRAGMA user_version = 5;
