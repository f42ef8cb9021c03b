#include "storage/destinations.hpp"

#include "storage/schema.hpp"
#include "storage/store.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

sqlite3* with_schema(sqlite3* db, std::chrono::milliseconds patience) {
  while_busy([db] { require_schema(db); }, patience);
  return db;
}

// Below 1 means nothing: a request holds an event at least.
std::optional<std::size_t> size_or_none(const Statement& row, int column) {
  if (row.integer(column) < 1) return std::nullopt;
  return static_cast<std::size_t>(row.integer(column));
}

}  // namespace

void make_destination(sqlite3* db, const std::string& name, const char* action) {
  Statement{db,
            "insert into main.outbox_destinations (name) select ?1 where not exists"
            " (select 1 from main.outbox_destinations where name = ?1)",
            action}
      .bind(1, name)
      .run();
}

// `state = 0` is literal in every statement: for a bound value SQLite could not use the partial
// indexes (sqlite.org/partialindex.html).
Store::Store(sqlite3* db, std::string destination, std::chrono::milliseconds patience)
    : db_{with_schema(db, patience)},
      destination_{std::move(destination)},
      patience_{patience},
      destination_state_{db,
                         "select paused_at_ms is not null, nudges, hold_kind, hold_reason,"
                         " hold_since_ms, hold_until_ms, hold_tries, batch_events_max,"
                         " batch_bytes_max, suspects, endpoint_proven, accepted_batch, looks"
                         " from main.outbox_destinations where name = ?1",
                         "read the destination", Use::often},
      searches_{db,
                "select id, doubt from main.outbox_batches"
                " where destination = ?1 and doubt is not null order by id",
                "read the searches", Use::often},
      at_instant_{db,
                  "select id, payload, validated, ordering_key, due_at_ms from main.outbox_events"
                  " where destination = ?1 and state = 0 and due_at_ms = ?2 and id > ?3"
                  " and suspect_batch is null order by id",
                  "take", Use::often},
      after_instant_{
          db,
          "select id, payload, validated, ordering_key, due_at_ms from main.outbox_events"
          " where destination = ?1 and state = 0 and due_at_ms > ?2 and due_at_ms <= ?3"
          " and suspect_batch is null order by due_at_ms, id",
          "take", Use::often},
      of_key_{db,
              "select id, payload, validated, ordering_key, due_at_ms, suspect_batch"
              " from main.outbox_events where destination = ?1 and state = 0 and ordering_key = ?2 "
              "order by id",
              "take", Use::often},
      before_in_key_{db,
                     "select id from main.outbox_events where destination = ?1 and state = 0"
                     " and ordering_key = ?2 and id < ?3 order by id desc limit 1",
                     "take", Use::often},
      dead_in_key_{db,
                   "select id from main.outbox_events where destination = ?1 and state = 2"
                   " and ordering_key = ?2 and id < ?3 limit 1",
                   "take", Use::often},
      by_id_{db,
             "select id, payload, validated, ordering_key, due_at_ms from main.outbox_events"
             " where id = ?1 and destination = ?2 and state = 0 and suspect_batch is null",
             "take", Use::often},
      // A failure at it alone is no refusal: it waits its time, whatever is accepted meanwhile.
      suspect_{
          db,
          "select e.id, e.payload, e.validated, e.ordering_key, e.suspect_batch,"
          " coalesce(b.parent, e.suspect_batch) as since, e.attempts, e.lonely_failures"
          " from main.outbox_events e left join main.outbox_batches b on b.id = e.suspect_batch"
          " where e.destination = ?1 and e.state = 0 and e.attempts > 0"
          " and e.suspect_batch is not null and (e.due_at_ms <= ?2 or e.due_at_ms > ?3"
          " or (e.lonely_failures = 0"
          " and iif(?5, coalesce(b.parent, e.suspect_batch), e.suspect_batch) < ?4))"
          " order by e.id",
          "take", Use::often},
      next_due_{db,
                "select min(due_at_ms) from main.outbox_events"
                " where destination = ?1 and state = 0 and due_at_ms > ?2",
                "take", Use::often},
      // Also what a person has discarded while it was under way: it has arrived.
      mark_delivered_{db,
                      "update main.outbox_events set state = 1, settled_at_ms = ?2,"
                      " last_error = null where id = ?1 and state in (0, 3)",
                      "record a round", Use::often},
      mark_scrubbed_{db,
                     "update main.outbox_events set state = 1, settled_at_ms = ?2,"
                     " last_error = null, payload = '{}' where id = ?1 and state in (0, 3)",
                     "record a round", Use::often},
      mark_dead_{db,
                 "update main.outbox_events set state = 2, settled_at_ms = ?2, last_error = ?3"
                 " where id = ?1 and state = 0",
                 "record a round", Use::often},
      mark_suspect_{db,
                    "update main.outbox_events set suspect_batch = ?2, attempts = ?3,"
                    " lonely_failures = ?4, due_at_ms = ?5, last_error = ?6"
                    " where id = ?1 and state = 0",
                    "record a round", Use::often},
      log_{db,
           "insert into main.outbox_batches (destination, started_at_ms, took_ms, events, first_id,"
           " last_id, ids, bytes, status, outcome, reason, response_id, warnings, parent, doubt)"
           " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
           "record a round", Use::often},
      update_search_{db, "update main.outbox_batches set doubt = ?2 where id = ?1",
                     "record a round", Use::often},
      // 10,000 requests are a million events at the default batch size.
      forget_old_batches_{db,
                          "delete from main.outbox_batches where doubt is null and id <="
                          " (select max(id) - 10000 from main.outbox_batches)",
                          "record a round", Use::often},
      update_destination_{
          db,
          "update main.outbox_destinations set delivered = delivered + ?2,"
          " delivered_total = delivered_total + ?2, requests_total = requests_total + ?3,"
          " hold_kind = ?4, hold_reason = ?5, hold_since_ms = ?6, hold_until_ms = ?7,"
          " hold_tries = ?8, batch_events_max = ?9, batch_bytes_max = ?10, suspects = ?11,"
          " endpoint_proven = ?12, accepted_batch = coalesce(?13, accepted_batch) where name = ?1",
          "record a round", Use::often},
      data_version_{db, "pragma main.data_version", "look for commits", Use::often},
      old_events_{db, destination_} {}

bool Store::serve(const Service& service, core::Instant now) {
  constexpr auto action = "serve the destination";
  begin_anew();  // another one may have served it meanwhile
  progress_.keys.clear();
  on_dead_ = service.on_dead;
  scrubs_ = service.scrubs;
  const std::int64_t blocks_on_dead = service.on_dead == core::OnDead::blocks ? 1 : 0;
  std::string last_identity;
  {
    Statement known{db_,
                    "select endpoint, database_identity, block_on_dead from"
                    " main.outbox_destinations where name = ?1 and first_served_at_ms is not null",
                    action};
    if (known.bind(1, destination_).step()) {
      last_identity = known.text(1);
      const bool is_known = known.text(0) == service.endpoint &&
                            last_identity == service.identity && known.integer(2) == blocks_on_dead;
      if (is_known) return true;
    }
  }  // a reader cannot become the writer

  const bool is_foreign =
      !last_identity.empty() && last_identity != service.identity && has_pending();
  change_atomically(
      db_, action,
      [&] {
        make_destination(db_, destination_, action);
        Statement{db_,
                  "update main.outbox_destinations set"
                  " database_identity = coalesce(?2, database_identity), block_on_dead = ?4,"
                  " first_served_at_ms = coalesce(first_served_at_ms, ?3) where name = ?1",
                  action}
            .bind(1, destination_)
            .bind(2, text_or_null(service.identity))
            .bind(3, core::unix_ms(now))
            .bind(4, blocks_on_dead)
            .run();
        meet_endpoint(service.endpoint);
        if (is_foreign && service.foreign == Foreign::is_paused) pause_foreign(now);
      },
      patience_);
  return !is_foreign;
}

// What was learned about another endpoint says nothing of this one.
void Store::meet_endpoint(const std::string& endpoint) {
  Statement{db_,
            "update main.outbox_destinations set endpoint = ?2,"
            " endpoint_proven = endpoint is null, hold_kind = null, hold_reason = null,"
            " hold_since_ms = null, hold_until_ms = null, hold_tries = 0,"
            " batch_events_max = null, batch_bytes_max = null, suspects = 0"
            " where name = ?1 and endpoint is not ?2",
            "serve the destination"}
      .bind(1, destination_)
      .bind(2, endpoint)
      .run();
}

void Store::pause_foreign(core::Instant now) {
  Statement{db_,
            "update main.outbox_destinations set paused_at_ms = coalesce(paused_at_ms, ?2),"
            " paused_reason = 'a copied or restored database: resume if its events may be"
            " sent again' where name = ?1",
            "serve the destination"}
      .bind(1, destination_)
      .bind(2, core::unix_ms(now))
      .run();
}

bool Store::has_pending() {
  Statement one{db_,
                "select 1 from main.outbox_events where destination = ?1 and state = 0 limit 1",
                "serve the destination"};
  return one.bind(1, destination_).step();
}

std::int64_t Store::data_version() {
  const ResetAtEnd end{data_version_};
  return data_version_.step() ? data_version_.integer(0) : 0;
}

core::DestinationState Store::destination() {
  core::DestinationState state;
  {
    const ResetAtEnd end{destination_state_};
    const Statement& row = destination_state_.bind(1, destination_);
    if (!destination_state_.step()) return state;
    state.is_paused = row.integer(0) != 0;
    state.nudges = row.integer(1);
    state.accepted_batch = row.integer(11);
    state.looks = row.integer(12);
    if (!row.is_null(2)) {
      state.stance.hold = core::HoldState{.kind = row.text(2),
                                          .reason = row.text(3),
                                          .since = core::instant_of(row.integer(4)),
                                          .until = core::instant_of(row.integer(5)),
                                          .tries = row.integer(6)};
    }
    state.stance.events_cap = size_or_none(row, 7);
    state.stance.bytes_cap = size_or_none(row, 8);
    state.stance.suspects = row.integer(9);
    state.stance.is_proven = row.integer(10) != 0;
  }
  state.searches = searches();
  return state;
}

bool Store::is_paused() {
  const ResetAtEnd end{destination_state_};
  return destination_state_.bind(1, destination_).step() && destination_state_.integer(0) != 0;
}

std::vector<core::Search> Store::searches() {
  const ResetAtEnd end{searches_};
  searches_.bind(1, destination_);
  std::vector<core::Search> found;
  while (searches_.step()) {
    found.push_back({searches_.integer(0), core::Doubt::parse(searches_.text(1))});
  }
  return found;
}

}  // namespace outbox::storage
