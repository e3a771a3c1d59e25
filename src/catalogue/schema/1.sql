-- Version 1. Never edited once released: what changes next is 2.sql.
--
-- Instants are RFC 3339 text in UTC, always with nine decimals: text order is time order, a person
-- reads them, and SQLite's own date functions take them. A length of time is a whole number of
-- nanoseconds. Lists and parameters are JSON text; everything that one would ask for by hand has a
-- column. No enum is a CHECK: the reader checks every word, and a new word needs no new table.

-- One row: what belongs to the whole host.
CREATE TABLE host (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    next_operation  INTEGER NOT NULL,   -- ids are never reused, pruned history or not
    clock_floor     TEXT,               -- the newest believed wall time
    elapsed_ns      INTEGER NOT NULL    -- how long heptad has run here in all
) STRICT;

INSERT INTO host (one, next_operation, elapsed_ns) VALUES (1, 0, 0);

-- What heptad protects. One row is one life: a resource that is erased and comes back begins
-- another, and the slots of the earlier one stay history.
CREATE TABLE account (
    life            INTEGER PRIMARY KEY AUTOINCREMENT,
    resource        TEXT NOT NULL UNIQUE,
    kind            TEXT NOT NULL,
    backend         TEXT NOT NULL,
    options         TEXT NOT NULL,      -- the backend's own, a JSON object
    tags            TEXT NOT NULL,
    -- The wish of the configuration: a time of day or a cron expression.
    time            TEXT,
    cron            TEXT,
    zone            TEXT NOT NULL,
    spread_seconds  INTEGER NOT NULL,
    keep_latest     INTEGER NOT NULL,
    keep_weekly     INTEGER NOT NULL,
    keep_monthly    INTEGER NOT NULL,
    keep_yearly     INTEGER NOT NULL,
    enabled         INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- What commands changed on top of it.
    wish_enabled    INTEGER CHECK (wish_enabled IN (0, 1)),
    wish_time       TEXT,
    timeline        TEXT NOT NULL,      -- [{"from", "rhythm": {"time" or "cron", "zone", "offset"}}]
    declared        INTEGER NOT NULL CHECK (declared IN (0, 1)),
    forgotten       INTEGER NOT NULL CHECK (forgotten IN (0, 1)),
    since           TEXT NOT NULL,
    identity        TEXT,
    stranger        TEXT,
    next_seq        INTEGER NOT NULL,
    credit          INTEGER NOT NULL,
    trouble         TEXT,
    taken_days      TEXT NOT NULL       -- every day that had its snapshot, as runs
) STRICT;

-- The sequence numbers of resources that were erased: never reused, should the name come back.
CREATE TABLE high_water (
    resource        TEXT PRIMARY KEY,
    next_seq        INTEGER NOT NULL
) STRICT;

-- Snapshots that exist, or whose taking is under way.
CREATE TABLE snapshot (
    resource        TEXT NOT NULL REFERENCES account (resource),
    seq             INTEGER NOT NULL,
    id              TEXT NOT NULL,
    object          TEXT NOT NULL,      -- the backend's identity of it
    origin          TEXT NOT NULL,      -- automatic, manual, copied
    name            TEXT,
    slot            TEXT,               -- a date, or the instant of a cron firing
    kept_from       INTEGER,
    taken_at        TEXT NOT NULL,
    tags            TEXT NOT NULL,
    health          TEXT NOT NULL,      -- taking, complete, suspect, missing, tampered
    reason          TEXT,               -- why it is suspect
    fate            TEXT NOT NULL,      -- live, trashed, doomed
    trashed_until_ns INTEGER,           -- compared with host.elapsed_ns
    empty           INTEGER CHECK (empty IN (0, 1)),
    entries         INTEGER,
    bytes           INTEGER,
    stored          INTEGER,
    exclusive       INTEGER,
    notes           TEXT NOT NULL,
    accepted        INTEGER NOT NULL CHECK (accepted IN (0, 1)),  -- by a person, though suspect
    PRIMARY KEY (resource, seq)
) STRICT;

-- Snapshots that are gone: what they were, and which operation ended them.
CREATE TABLE tombstone (
    resource        TEXT NOT NULL,
    seq             INTEGER NOT NULL,
    id              TEXT NOT NULL,
    origin          TEXT NOT NULL,
    name            TEXT,
    slot            TEXT,
    kept_from       INTEGER,
    taken_at        TEXT NOT NULL,
    health          TEXT NOT NULL,
    operation       INTEGER,
    erased_at       TEXT NOT NULL       -- when that operation began
) STRICT;

CREATE INDEX tombstone_by_resource ON tombstone (resource, seq);

-- What became of every slot of every day.
CREATE TABLE slot (
    resource        TEXT NOT NULL,
    life            INTEGER NOT NULL,   -- account.life; that row may be gone
    slot            TEXT NOT NULL,
    due             TEXT NOT NULL,
    period_end      TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    started         TEXT,
    finished        TEXT,
    fault           TEXT,               -- of the last attempt that failed
    failure         TEXT,
    operation       INTEGER,
    seq             INTEGER,
    outcome         TEXT,               -- complete, suspect, failed, skipped, missed; open while NULL
    reason          TEXT,
    PRIMARY KEY (life, slot)
) STRICT;

CREATE INDEX slot_by_due ON slot (resource, due);

-- Attempts to do one thing.
CREATE TABLE operation (
    id              INTEGER PRIMARY KEY,
    resource        TEXT NOT NULL,
    act             TEXT NOT NULL,
    seq             INTEGER,            -- the snapshot it is about
    parameters      TEXT NOT NULL,      -- what else the act needs, a JSON object
    cause           TEXT NOT NULL,
    retry           INTEGER,            -- which try again, when the cause is retry
    uid             INTEGER,            -- who asked, when the cause is peer
    key             TEXT,               -- the client's idempotency key
    created         TEXT NOT NULL,
    started         TEXT,
    finished        TEXT,
    state           TEXT NOT NULL,      -- queued, running, succeeded, failed
    fault           TEXT,
    reason          TEXT,               -- why it failed
    tries           INTEGER NOT NULL,
    output          TEXT NOT NULL
) STRICT;

CREATE INDEX operation_by_resource ON operation (resource, id);
CREATE INDEX operation_open ON operation (id) WHERE state IN ('queued', 'running');
CREATE INDEX operation_by_key ON operation (key, uid) WHERE key IS NOT NULL;
