-- The outbox's tables: a log of what happened, and a queue of what is still to do. docs/schema.md explains
-- them, and says which columns SQL users may write.
--
-- No JSON function and no generated column stands here: with trusted_schema=OFF, which SQLite advises,
-- 3.40.1 refuses them.

-- The log: one row an event, written once. Only retention and erasure remove rows.
create table main.outbox_events (
  id             integer primary key autoincrement check (id > 0),  -- commit order: SQLite has one writer
  event_id       text    not null default (lower(hex(randomblob(16)))),
  destination    text    not null default 'track'
                 check (length(destination) between 1 and 32
                        and instr(destination, char(0)) = 0
                        and destination not glob '*[^a-z0-9_-]*' and destination glob '[a-z0-9]*'),
  payload        text    not null
                 check (length(payload) between 2 and 1000000 and instr(payload, char(0)) = 0
                        and substr(payload, 1, 1) = '{'),
  validated      integer not null default 0,        -- 1: checked by the library at enqueue
  kind           text    -- what a sink routes by; null: track
                 check (length(kind) between 1 and 64 and instr(kind, char(0)) = 0),
  headers        text    -- a JSON object of strings
                 check (length(headers) between 2 and 4096 and instr(headers, char(0)) = 0),
  ordering_key   text
                 check (length(ordering_key) between 1 and 256 and instr(ordering_key, char(0)) = 0),
  dedupe_key     text
                 check (length(dedupe_key) between 1 and 256 and instr(dedupe_key, char(0)) = 0),
  due_at_ms      integer not null default 0 check (due_at_ms >= 0),  -- Unix ms; 0: at once
  enqueued_at_ms integer not null
                 default (cast((julianday('now') - 2440587.5) * 86400000 as integer))
) strict;

create unique index main.outbox_dedupe on outbox_events (destination, dedupe_key)
  where dedupe_key is not null;

-- The queue: one small row an event that is not delivered. Each state is one range of this b-tree.
create table main.outbox_queue (
  destination    text    not null,
  state          integer not null default 0 check (state between 0 and 5),
                         -- 0 ready, 1 waiting behind an earlier event of its key, 2 in a search,
                         -- 3 suspect, 4 dead, 5 discarded
  due_at_ms      integer not null default 0,  -- of a suspect: its next try; 0 in states 2, 4 and 5
  event          integer not null,            -- outbox_events.id
  ordering_key   text,
  enqueued_at_ms integer not null,
  refusals       integer,  -- it was refused alone this often; null: never
  solo_failures  integer,  -- the endpoint failed at it alone this often, while it accepted others
  refused_in     integer,  -- the newest request in which it was refused or failed alone
  search         integer,  -- the request with which the search for it began
  suspected_at_ms integer, -- when it became a suspect
  settled_at_ms  integer,  -- when it died or was discarded
  last_error     text,
  primary key (destination, state, due_at_ms, event)
) strict, without rowid;

create index main.outbox_queue_keys on outbox_queue (destination, ordering_key, event)
  where ordering_key is not null and state < 4;
create index main.outbox_queue_dead_keys on outbox_queue (destination, ordering_key, event)
  where ordering_key is not null and state = 4;

-- One INSERT into the log, in any language, is a complete enqueue.
create trigger main.outbox_enqueue after insert on outbox_events begin
  insert into outbox_queue (destination, due_at_ms, event, ordering_key, enqueued_at_ms)
  values (new.destination, new.due_at_ms, new.id, new.ordering_key, new.enqueued_at_ms);
end;

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
  probes_asked       integer not null default 0,  -- moved by people: try now, whatever a hold says
  endpoint           text,                        -- whose hold this is; another one lifts it
  endpoint_proven    integer not null default 0,  -- 1: it has answered like the API
  batch_events_max   integer,                     -- slow start after a hold; null: full speed
  batch_bytes_max    integer,                     -- learned from 413; null: the configured one
  suspects           integer not null default 0,  -- refused alone since the last acceptance
  failures           integer not null default 0,  -- failed requests since the last acceptance
  selective          integer not null default 0,  -- it fails at some events while it accepts others
  innocent_failures  integer not null default 0,  -- thousandths: what it accepts had failed alone so often
  accepted_request   integer,                     -- the newest request with an acceptance
  database_identity  text,                        -- notices a restored or copied database
  log_gap            integer,                     -- ids that the log was last found to lack
  delivered          integer not null default 0,  -- events that are stored as delivered
  delivered_total    integer not null default 0,  -- deliveries ever
  removed            integer not null default 0,  -- events pruned or erased, of any state
  requests_total     integer not null default 0   -- requests ever answered or failed
) strict;

-- The request log. A row lives as long as the events that it delivered; of the others, the newest
-- 10,000 stay. A refused batch keeps the work list of its search here.
create table main.outbox_requests (
  id            integer primary key,  -- ascends: the newest row is never removed
  destination   text    not null,
  started_at_ms integer not null,
  took_ms       integer not null,
  events        integer not null,
  first_id      integer not null,
  last_id       integer not null,
  ids           text    not null,  -- what it carried, as ranges in order: "17-116,118"
  delivered_ids text,              -- what it delivered and is not requeued since; null: nothing
  bytes         integer not null,
  status        integer,           -- HTTP status; null: no answer
  outcome       text    not null,
  reason        text,              -- at most 256 sanitised bytes
  response_id   text,
  warnings      text,
  parent        integer,           -- the request whose search this was a part of
  search        text               -- ids that the search is still about, as ranges; null: none
) strict;

create index main.outbox_requests_searches on outbox_requests (destination, id) where search is not null;
create index main.outbox_requests_undelivered on outbox_requests (id) where delivered_ids is null;

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

-- What SQL users read. A query reads the whole queue once, so its cost grows with what is undelivered.
create view main.outbox_event_states as
with q as materialized (select * from outbox_queue)
select e.id, e.event_id, e.destination, e.kind,
       case when q.event is null then 'delivered' when q.state < 4 then 'pending'
            when q.state = 4 then 'dead' else 'discarded' end as state,
       case q.state when 0 then 'ready' when 1 then 'waiting' when 2 then 'in search'
            when 3 then 'suspect' end as waits_as,
       coalesce(q.due_at_ms, e.due_at_ms) as due_at_ms,
       coalesce(q.refusals, 0) as refusals, coalesce(q.solo_failures, 0) as solo_failures,
       e.enqueued_at_ms, q.settled_at_ms, q.last_error, e.ordering_key, e.dedupe_key, e.payload
  from outbox_events e left join q on q.event = e.id
 where +e.id > 0;  -- below are only rows with which an erasure fills the log; +: no plan begins there
