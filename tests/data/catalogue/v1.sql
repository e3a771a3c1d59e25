PRAGMA auto_vacuum = INCREMENTAL;

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

-- A small catalogue as version 1 left it.
PRAGMA application_id = 1212502100;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;

UPDATE host SET next_operation = 8, clock_floor = '2026-11-22T12:00:00.000000000Z',
    elapsed_ns = 90000000000000;

INSERT INTO account VALUES (1, 'web-1', 'disk', 'btrfs', '{"path":"/srv/web"}', '{"team":"web"}',
    '06:00:00', NULL, 'Europe/Berlin', 120, 7, 4, 0, 0, 1, NULL, '04:30:00',
    '[{"from":"2026-11-01T00:00:00.000000000Z","rhythm":{"time":"06:00:00","zone":"Europe/Berlin","offset":120}},{"from":"2026-11-22T23:00:00.000000000Z","rhythm":{"time":"04:30:00","zone":"Europe/Berlin","offset":120}}]',
    1, 0, '2026-11-01T00:00:00.000000000Z', 'uuid-1', NULL, 4, 1, NULL, '2026-11-20..2026-11-20');
INSERT INTO account VALUES (3, 'database-1', 'database', 'exec', '{}', '{}', NULL, '15 */4 * * *',
    'Mars/Olympus_Mons', 0, 7, 0, 0, 0, 1, 1, NULL,
    '[{"from":"2026-11-01T00:00:00.000000000Z","rhythm":{"cron":"15 */4 * * *","zone":"Mars/Olympus_Mons","offset":0}}]',
    1, 0, '2026-11-01T00:00:00.000000000Z', NULL, 'uuid-9', 12, 0, 'cannot be reached', '');
INSERT INTO high_water VALUES ('gone-1', 9);

INSERT INTO snapshot VALUES ('web-1', 1, '6f1e2d3c-0000-4000-8000-000000000001', 'sv-1',
    'automatic', NULL, '2026-11-20', NULL, '2026-11-20T05:02:00.123456789Z', '{"team":"web"}',
    'complete', NULL, 'live', NULL, 0, 120, 4096, 8192, 100, '[]', 0);
INSERT INTO snapshot VALUES ('web-1', 2, '6f1e2d3c-0000-4000-8000-000000000002', 'sv-2',
    'automatic', NULL, '2026-11-21', NULL, '2026-11-21T05:02:00.000000000Z', '{}', 'suspect',
    'it is empty', 'trashed', 100000000000000, 1, 0, NULL, NULL, NULL,
    '["a nested subvolume is not in it"]', 0);
INSERT INTO snapshot VALUES ('web-1', 3, '6f1e2d3c-0000-4000-8000-000000000003', 'sv-3', 'manual',
    'before-upgrade', NULL, 1, '2026-11-20T05:02:00.123456789Z', '{}', 'complete', NULL, 'live',
    NULL, NULL, NULL, NULL, NULL, NULL, '[]', 0);
INSERT INTO snapshot VALUES ('database-1', 11, '6f1e2d3c-0000-4000-8000-000000000011', '',
    'automatic', NULL, '2026-11-22T08:15:00Z', NULL, '2026-11-22T08:15:01.000000000Z', '{}',
    'missing', NULL, 'doomed', NULL, NULL, NULL, NULL, NULL, NULL, '[]', 0);
INSERT INTO tombstone VALUES ('web-1', 0, '6f1e2d3c-0000-4000-8000-000000000000', 'automatic',
    NULL, '2026-11-13', NULL, '2026-11-13T05:02:00.000000000Z', 'complete', 6,
    '2026-11-20T05:02:09.000000000Z');

INSERT INTO slot VALUES ('web-1', 1, '2026-11-19', '2026-11-19T05:02:00.000000000Z',
    '2026-11-19T23:00:00.000000000Z', 0, NULL, NULL, NULL, NULL, NULL, NULL, 'missed',
    'heptad was not running');
INSERT INTO slot VALUES ('web-1', 1, '2026-11-20', '2026-11-20T05:02:00.000000000Z',
    '2026-11-20T23:00:00.000000000Z', 1, '2026-11-20T05:02:00.000000000Z',
    '2026-11-20T05:02:01.000000000Z', NULL, NULL, 2, 1, 'complete', NULL);
INSERT INTO slot VALUES ('web-1', 1, '2026-11-21', '2026-11-21T05:02:00.000000000Z',
    '2026-11-21T23:00:00.000000000Z', 2, '2026-11-21T05:03:00.000000000Z',
    '2026-11-21T05:03:01.000000000Z', 'no-space', 'no room', 3, 2, 'suspect', 'it is empty');
INSERT INTO slot VALUES ('web-1', 1, '2026-11-22', '2026-11-22T05:02:00.000000000Z',
    '2026-11-22T23:00:00.000000000Z', 1, '2026-11-22T05:02:00.000000000Z', NULL, 'no-space',
    'no room', 3, NULL, NULL, NULL);
INSERT INTO slot VALUES ('gone-1', 2, '2026-11-10', '2026-11-10T06:00:00.000000000Z',
    '2026-11-11T00:00:00.000000000Z', 1, NULL, NULL, NULL, NULL, NULL, NULL, 'failed', 'broken');
INSERT INTO slot VALUES ('database-1', 3, '2026-11-22T08:15:00Z',
    '2026-11-22T08:15:00.000000000Z', '2026-11-22T12:15:00.000000000Z', 1, NULL, NULL, NULL, NULL,
    NULL, 11, 'skipped', 'identity: another one is in its place');

INSERT INTO operation VALUES (2, 'web-1', 'take', 1, '{"slot":"2026-11-20"}', 'schedule', NULL,
    NULL, NULL, '2026-11-20T05:02:00.000000000Z', '2026-11-20T05:02:00.000000000Z',
    '2026-11-20T05:02:00.000000000Z', 'succeeded', NULL, NULL, 1, 'hook: flushed');
INSERT INTO operation VALUES (3, 'web-1', 'take', 2, '{"slot":"2026-11-21"}', 'retry', 1, NULL,
    NULL, '2026-11-21T05:03:00.000000000Z', '2026-11-21T05:03:00.000000000Z',
    '2026-11-21T05:03:00.000000000Z', 'failed', 'no-space', 'no room', 1, '');
INSERT INTO operation VALUES (5, 'web-1', 'keep', 3,
    '{"name":"before-upgrade","tags":{"why":"upgrade"},"from":1}', 'peer', NULL, 1000, 'key-5',
    '2026-11-22T09:00:00.000000000Z', '2026-11-22T09:00:00.000000000Z',
    '2026-11-22T09:00:00.000000000Z', 'succeeded', NULL, NULL, 1, '');
INSERT INTO operation VALUES (6, 'web-1', 'destroy', 0, '{"why":"rotated","paid_by":1}',
    'rotation', NULL, NULL, NULL, '2026-11-20T05:02:09.000000000Z',
    '2026-11-20T05:02:09.000000000Z', '2026-11-20T05:02:09.000000000Z', 'succeeded', NULL, NULL,
    1, '');
INSERT INTO operation VALUES (7, 'web-1', 'create', 3, '{"name":"web-2","path":"/srv/web-2"}',
    'peer', NULL, 0, NULL, '2026-11-22T11:00:00.000000000Z', '2026-11-22T11:00:00.000000000Z',
    NULL, 'running', NULL, NULL, 2, '');
