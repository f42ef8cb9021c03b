-- The outbox's tables. Their columns are a contract with SQL users: docs/schema.md.
--
-- No JSON function and no generated column stands here: with trusted_schema=OFF, which SQLite advises,
-- 3.40.1 refuses them. Indexes cover undelivered rows only, so that history costs nothing.

create table main.outbox_events (
  id              integer primary key autoincrement,  -- commit order, since SQLite has one writer
  event_id        text    not null default (lower(hex(randomblob(16)))),
  destination     text    not null default 'track'
                  check (length(destination) between 1 and 32
                         and destination not glob '*[^a-z0-9_-]*' and destination glob '[a-z0-9]*'),
  payload         text    not null
                  check (length(payload) between 2 and 1000000 and instr(payload, char(0)) = 0
                         and substr(payload, 1, 1) = '{'),
  validated       integer not null default 0,         -- 1: checked by the library at enqueue
  ordering_key    text    check (length(ordering_key) between 1 and 256),
  dedupe_key      text    check (length(dedupe_key) between 1 and 256),
  state           integer not null default 0 check (state between 0 and 3),
                                                      -- 0 pending, 1 delivered, 2 dead, 3 discarded
  due_at_ms       integer not null default 0 check (due_at_ms >= 0),  -- Unix ms; 0: at once
  attempts        integer not null default 0,         -- refusals of this very event, never outages
  lonely_failures integer not null default 0,         -- the server failed on this event alone
  suspect_batch   integer,                            -- the batch that refused it alone; not yet judged
  enqueued_at_ms  integer not null
                  default (cast((julianday('now') - 2440587.5) * 86400000 as integer)),
  settled_at_ms   integer,
  last_error      text
) strict;

create index main.outbox_due on outbox_events (destination, due_at_ms, id) where state = 0;
create index main.outbox_keys on outbox_events (destination, ordering_key, id)
  where state = 0 and ordering_key is not null;
create index main.outbox_retrying on outbox_events (destination, id) where state = 0 and attempts > 0;
create index main.outbox_dead on outbox_events (destination, id) where state = 2;
create index main.outbox_dead_keys on outbox_events (destination, ordering_key, id)
  where state = 2 and ordering_key is not null;
create index main.outbox_discarded on outbox_events (destination, id) where state = 3;
create unique index main.outbox_dedupe on outbox_events (destination, dedupe_key)
  where dedupe_key is not null;

-- One row a destination, once a dispatcher or a person has touched it.
create table main.outbox_destinations (
  name               text    primary key,
  first_served_at_ms integer,                     -- null: no dispatcher has ever served it
  paused_at_ms       integer,                     -- by a person; null: not paused
  paused_reason      text,
  hold_kind          text,                        -- by the dispatcher; null: no hold
  hold_reason        text,
  hold_since_ms      integer,
  hold_until_ms      integer,
  hold_tries         integer not null default 0,  -- failed requests since hold_since_ms
  block_on_dead      integer not null default 0,  -- 1: a dead event holds its ordering key
  nudges             integer not null default 0,  -- moved by people: look and try now
  looks              integer not null default 0,  -- moved by people: look again, but do not try
  endpoint           text,                        -- whose hold this is; a changed one lifts it
  endpoint_proven    integer not null default 0,  -- 1: it has answered like the API
  batch_events_max   integer,                     -- slow start after a hold; null: full speed
  batch_bytes_max    integer,                     -- learned from 413; null: the configured one
  suspects           integer not null default 0,  -- refused alone since the last acceptance
  accepted_batch     integer,                     -- the newest batch with an acceptance
  database_identity  text,                        -- notices a restored or copied database
  delivered          integer not null default 0,  -- rows that are stored as delivered
  delivered_total    integer not null default 0,  -- deliveries ever
  removed            integer not null default 0,  -- rows pruned or erased, of any state
  requests_total     integer not null default 0   -- requests ever answered or failed
) strict;

-- The attempt log: one row a request, bounded. A halved batch keeps its work list here.
create table main.outbox_batches (
  id            integer primary key,  -- ascends: the newest row is never removed
  destination   text    not null,
  started_at_ms integer not null,
  took_ms       integer not null,
  events        integer not null,
  first_id      integer not null,
  last_id       integer not null,
  ids           text    not null,  -- ranges, in order: "17-116,118"
  bytes         integer not null,
  status        integer,           -- HTTP status; null: no answer
  outcome       text    not null,
  reason        text,              -- at most 256 sanitised bytes
  response_id   text,
  warnings      text,
  parent        integer,           -- the halved batch that this is a part of
  doubt         text               -- ids still in doubt, as ranges; null: none
) strict;

create index main.outbox_batches_doubt on outbox_batches (destination, id) where doubt is not null;

-- What people changed.
create table main.outbox_audit (
  id          integer primary key autoincrement,
  at_ms       integer not null,
  action      text    not null,
  actor       text    not null,
  destination text,
  subject     text,              -- ids or filters, never personal data
  events      integer not null,
  reason      text
) strict;
