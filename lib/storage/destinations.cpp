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
                         " hold_since_ms, hold_until_ms, hold_tries"
                         " from main.outbox_destinations where name = ?1",
                         "read the destination", Use::often},
      at_once_{db,
               "select id, payload, validated, ordering_key from main.outbox_events"
               " where destination = ?1 and state = 0 and due_at_ms = 0 and id > ?2 order by id",
               "take", Use::often},
      scheduled_{db,
                 "select id, payload, validated, ordering_key from main.outbox_events"
                 " where destination = ?1 and state = 0 and due_at_ms between 1 and ?2"
                 " order by due_at_ms, id",
                 "take", Use::often},
      of_key_{db,
              "select id, payload, validated, ordering_key, due_at_ms from main.outbox_events"
              " where destination = ?1 and state = 0 and ordering_key = ?2 order by id",
              "take", Use::often},
      before_in_key_{db,
                     "select id from main.outbox_events where destination = ?1 and state = 0"
                     " and ordering_key = ?2 and id < ?3 order by id desc limit 1",
                     "take", Use::often},
      next_due_{db,
                "select min(due_at_ms) from main.outbox_events"
                " where destination = ?1 and state = 0 and due_at_ms > ?2",
                "take", Use::often},
      mark_{db,
            "update main.outbox_events set state = ?2, settled_at_ms = ?3, last_error = ?4"
            " where id = ?1 and state = 0",
            "record a round", Use::often},
      log_{db,
           "insert into main.outbox_batches (destination, started_at_ms, took_ms, events, first_id,"
           " last_id, ids, bytes, status, outcome, reason, response_id, warnings)"
           " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
           "record a round", Use::often},
      // 10,000 requests are a million events at the default batch size.
      forget_old_batches_{db,
                          "delete from main.outbox_batches where doubt is null and id <="
                          " (select max(id) - 10000 from main.outbox_batches)",
                          "record a round", Use::often},
      update_destination_{db,
                          "update main.outbox_destinations set delivered = delivered + ?2,"
                          " delivered_total = delivered_total + ?2,"
                          " requests_total = requests_total + ?3,"
                          " hold_kind = iif(?4, ?5, hold_kind),"
                          " hold_reason = iif(?4, ?6, hold_reason),"
                          " hold_since_ms = iif(?4, ?7, hold_since_ms),"
                          " hold_until_ms = iif(?4, ?8, hold_until_ms),"
                          " hold_tries = iif(?4, ?9, hold_tries) where name = ?1",
                          "record a round", Use::often} {}

void Store::serve(const std::string& endpoint, core::Instant now) {
  Statement known{db_,
                  "select 1 from main.outbox_destinations"
                  " where name = ?1 and first_served_at_ms is not null and endpoint = ?2",
                  "serve the destination"};
  if (known.bind(1, destination_).bind(2, endpoint).step()) return;
  known.reset();  // a reader cannot become the writer

  change_atomically(
      db_, "serve the destination",
      [&] {
        make_destination(db_, destination_, "serve the destination");
        Statement{
            db_,
            "update main.outbox_destinations set"
            " first_served_at_ms = coalesce(first_served_at_ms, ?3), endpoint = ?2,"
            " endpoint_proven = 0, hold_kind = null, hold_reason = null, hold_since_ms = null,"
            " hold_until_ms = null, hold_tries = 0 where name = ?1",
            "serve the destination"}
            .bind(1, destination_)
            .bind(2, endpoint)
            .bind(3, core::unix_ms(now))
            .run();
      },
      patience_);
}

core::DestinationState Store::destination() {
  const ResetAtEnd end{destination_state_};
  destination_state_.bind(1, destination_);
  core::DestinationState state;
  if (!destination_state_.step()) return state;
  state.is_paused = destination_state_.integer(0) != 0;
  state.nudges = destination_state_.integer(1);
  if (!destination_state_.is_null(2)) {
    state.hold = core::HoldState{.kind = destination_state_.text(2),
                                 .reason = destination_state_.text(3),
                                 .since = core::instant_of(destination_state_.integer(4)),
                                 .until = core::instant_of(destination_state_.integer(5)),
                                 .tries = destination_state_.integer(6)};
  }
  return state;
}

}  // namespace outbox::storage
