-- Version 7, on top of v6.sql: what its step did.

-- Version 7: when a completed snapshot last paid for an older one, and what was thrown away why.

-- {"at_ns", "unpaid", "lowered"}. NULL: none has paid since heptad knows of payments.
ALTER TABLE account ADD COLUMN payment TEXT;
-- snapshot.fate is also trashed-unmarked or trashed-rotated from now on.

PRAGMA user_version = 7;
