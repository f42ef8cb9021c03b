#include "storage/life/destination_row.hpp"

#include <algorithm>
#include <vector>

#include "core/stored_names.hpp"
#include "storage/life/log_gap.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/sqlite/schema.hpp"

namespace outbox::storage {

namespace {

constexpr auto serve_action = "serve the destination";

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

DestinationRow::DestinationRow(sqlite3* db, std::string name, std::chrono::milliseconds patience)
    : db_{db},
      name_{std::move(name)},
      patience_{patience},
      row_{db,
           "select paused_at_ms is not null, probes_asked, hold_kind, hold_reason, hold_since_ms,"
           " hold_until_ms, hold_tries, batch_events_max, batch_bytes_max, suspects,"
           " endpoint_proven, accepted_request, failures, selective, innocent_failures,"
           " endpoint, database_identity, block_on_dead"
           " from main.outbox_destinations where name = ?1",
           "read the destination", Use::often},
      searches_{db,
                "select id, search from main.outbox_requests"
                " where destination = ?1 and search is not null order by id",
                "read the searches", Use::often},
      paused_{db,
              "select 1 from main.outbox_destinations"
              " where name = ?1 and paused_at_ms is not null",
              "read the destination", Use::often},
      count_{db,
             "update main.outbox_destinations set delivered = delivered + ?2,"
             " delivered_total = delivered_total + ?2, requests_total = requests_total + ?3,"
             " accepted_request = coalesce(?4, accepted_request) where name = ?1",
             "record a round", Use::often},
      update_{db,
              "update main.outbox_destinations set hold_kind = ?2, hold_reason = ?3,"
              " hold_since_ms = ?4, hold_until_ms = ?5, hold_tries = ?6, batch_events_max = ?7,"
              " batch_bytes_max = ?8, suspects = ?9, endpoint_proven = ?10, failures = ?11,"
              " selective = ?12, innocent_failures = ?13 where name = ?1",
              "record a round", Use::often} {}

bool DestinationRow::serve(const ServeOptions& options, core::Instant now) {
  served_.reset();
  bool is_known = false;
  bool frees = false;  // death blocks no more
  std::string last_identity;
  {
    Statement known{db_,
                    "select endpoint, database_identity, block_on_dead, log_gap"
                    " from main.outbox_destinations"
                    " where name = ?1 and first_served_at_ms is not null",
                    serve_action};
    if (known.bind(1, name_).step()) {
      last_identity = known.text(1);
      const bool blocks = options.on_dead == core::OnDead::blocks;
      frees = known.integer(2) != 0 && !blocks;
      is_known = known.text(0) == options.endpoint && last_identity == options.identity &&
                 (known.integer(2) != 0) == blocks && known.integer(3) == log_gap(db_);
      if (is_known) served_ = {known.text(0), last_identity, blocks};
    }
  }  // a reader cannot become the writer
  if (is_known) return true;

  const bool is_foreign =
      !last_identity.empty() && last_identity != options.identity && has_pending();
  if (frees) free_held(options);
  const LogLook look = look_for_missing(db_, name_);
  const std::vector<std::string> held = frees ? held_keys() : std::vector<std::string>{};
  change_atomically(
      db_, serve_action,
      [&] {
        make_destination(db_, name_, serve_action);
        write_serve(options, now);
        meet_endpoint(options.endpoint);
        close_gap(db_, name_, look);
        NextOfKey next{db_};
        for (const std::string& key : held) next.free(name_, key, Dead::let_pass);
        if (is_foreign && options.foreign == Foreign::is_paused) pause_foreign(now);
        const ResetAtEnd end{row_};
        if (row_.bind(1, name_).step()) served_ = served_in_row();
      },
      patience_);
  return !is_foreign;
}

void DestinationRow::write_serve(const ServeOptions& options, core::Instant now) {
  Statement{db_,
            "update main.outbox_destinations set"
            " database_identity = coalesce(?2, database_identity), block_on_dead = ?4,"
            " first_served_at_ms = coalesce(first_served_at_ms, ?3) where name = ?1",
            serve_action}
      .bind(1, name_)
      .bind(2, text_or_null(options.identity))
      .bind(3, core::unix_ms(now))
      .bind(4, std::int64_t{options.on_dead == core::OnDead::blocks})
      .run();
}

// What was learned about another endpoint says nothing of this one.
void DestinationRow::meet_endpoint(const std::string& endpoint) {
  Statement{db_,
            "update main.outbox_destinations set endpoint = ?2,"
            " endpoint_proven = endpoint is null, hold_kind = null, hold_reason = null,"
            " hold_since_ms = null, hold_until_ms = null, hold_tries = 0,"
            " batch_events_max = null, batch_bytes_max = null, suspects = 0, failures = 0,"
            " selective = 0, innocent_failures = 0 where name = ?1 and endpoint is not ?2",
            serve_action}
      .bind(1, name_)
      .bind(2, endpoint)
      .run();
}

DestinationRow::Served DestinationRow::served_in_row() const {
  return {.endpoint = row_.text(15), .identity = row_.text(16), .blocks = row_.integer(17) != 0};
}

// Some keys at a time, and then the others have as long to write. Where it stops, it can go on: the
// row says until the end that death blocks.
void DestinationRow::free_held(const ServeOptions& options) {
  constexpr std::ptrdiff_t keys_at_once = 200;
  constexpr int busy_pause_ms = 5;
  const std::vector<std::string> held = held_keys();
  NextOfKey next{db_};
  for (auto key = held.begin(); held.end() - key > keys_at_once;) {
    if (options.is_over && options.is_over()) {
      throw database_error{SQLITE_INTERRUPT, "outbox: serve the destination: interrupted"};
    }
    std::chrono::steady_clock::time_point begin;
    try {
      change_atomically(
          db_, serve_action,
          [&] {
            begin = std::chrono::steady_clock::now();
            std::for_each(key, key + keys_at_once,
                          [&](const std::string& one) { next.free(name_, one, Dead::let_pass); });
          },
          patience_);
    } catch (const database_error& error) {
      if (!error.is_busy() || !options.is_over) throw;
      sqlite3_sleep(busy_pause_ms);
      continue;
    }
    key += keys_at_once;
    const auto writing = std::chrono::steady_clock::now() - begin;
    sqlite3_sleep(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(writing).count()));
  }
}

// The keys whose first event waits behind a dead one. Read without the write lock: nobody but the
// dispatcher makes an event wait.
std::vector<std::string> DestinationRow::held_keys() {
  Statement keys{db_,
                 "select distinct d.ordering_key from main.outbox_queue d where d.destination = ?1"
                 " and d.ordering_key is not null and d.state = 4 and exists (select 1 from"
                 " main.outbox_queue w indexed by outbox_queue_keys where w.destination = ?1"
                 " and w.ordering_key = d.ordering_key and w.state < 4 and w.state = 1"
                 " and w.event = (select min(event) from main.outbox_queue"
                 " indexed by outbox_queue_keys where destination = ?1"
                 " and ordering_key = d.ordering_key and state < 4))",
                 serve_action};
  std::vector<std::string> held;
  for (keys.bind(1, name_); keys.step();) held.push_back(keys.text(0));
  return held;
}

void DestinationRow::pause_foreign(core::Instant now) {
  Statement{db_,
            "update main.outbox_destinations set paused_at_ms = coalesce(paused_at_ms, ?2),"
            " paused_reason = 'a copied or restored database: resume if its events may be"
            " sent again' where name = ?1",
            serve_action}
      .bind(1, name_)
      .bind(2, core::unix_ms(now))
      .run();
}

bool DestinationRow::has_pending() {
  Statement one{db_, "select 1 from main.outbox_queue where destination = ?1 and state < 4 limit 1",
                serve_action};
  return one.bind(1, name_).step();
}

core::DestinationState DestinationRow::read() {
  core::DestinationState state = read_row();
  require_schema_of(row_);
  state.searches = searches();
  return state;
}

core::DestinationState DestinationRow::read_row() {
  core::DestinationState state;
  const ResetAtEnd end{row_};
  const Statement& row = row_.bind(1, name_);
  if (!row_.step()) return state;
  state.has_row = !served_ || served_in_row() == *served_;
  state.is_paused = row.integer(0) != 0;
  state.probes_asked = row.integer(1);
  if (!row.is_null(2)) {
    state.endpoint.hold = core::HoldState{.kind = core::hold_kind_named(row.text(2)),
                                          .reason = row.text(3),
                                          .since = core::instant_of(row.integer(4)),
                                          .until = core::instant_of(row.integer(5)),
                                          .tries = row.integer(6)};
  }
  state.endpoint.events_cap = size_or_none(row, 7);
  state.endpoint.bytes_cap = size_or_none(row, 8);
  state.endpoint.suspects = row.integer(9);
  state.endpoint.is_proven = row.integer(10) != 0;
  state.accepted_request = row.integer(11);
  state.endpoint.failures = row.integer(12);
  state.endpoint.is_selective = row.integer(13) != 0;
  state.endpoint.innocent_failures = row.integer(14);
  return state;
}

// A newer version may have migrated the database while this one was at work.
void DestinationRow::require_schema_of(Statement& statement) {
  if (statement.was_prepared_anew()) require_schema(db_);
}

bool DestinationRow::is_paused() {
  const ResetAtEnd end{paused_};
  return paused_.bind(1, name_).step();
}

std::vector<core::OpenSearch> DestinationRow::searches() {
  const ResetAtEnd end{searches_};
  searches_.bind(1, name_);
  std::vector<core::OpenSearch> found;
  while (searches_.step()) {
    found.push_back({searches_.integer(0), core::Search::parse(searches_.text(1))});
  }
  return found;
}

void DestinationRow::count(const RoundCounts& counts) {
  count_.bind(1, name_)
      .bind(2, counts.delivered)
      .bind(3, counts.requests)
      .bind(4, counts.accepted_request)
      .run();
  require_schema_of(count_);
}

void DestinationRow::record(const core::EndpointState& endpoint) {
  const core::HoldState hold = endpoint.hold.value_or(core::HoldState{});
  const auto held = [&](std::int64_t value) {
    return endpoint.hold ? std::optional{value} : std::nullopt;
  };
  const auto cap = [](const std::optional<std::size_t>& size) {
    return size ? std::optional{static_cast<std::int64_t>(*size)} : std::nullopt;
  };
  update_.bind(1, name_)
      .bind(2, text_or_null(endpoint.hold ? to_string(hold.kind) : ""))
      .bind(3, text_or_null(hold.reason))
      .bind(4, held(core::unix_ms(hold.since)))
      .bind(5, held(core::unix_ms(hold.until)))
      .bind(6, hold.tries)
      .bind(7, cap(endpoint.events_cap))
      .bind(8, cap(endpoint.bytes_cap))
      .bind(9, endpoint.suspects)
      .bind(10, std::int64_t{endpoint.is_proven})
      .bind(11, endpoint.failures)
      .bind(12, std::int64_t{endpoint.is_selective})
      .bind(13, endpoint.innocent_failures)
      .run();
}

}  // namespace outbox::storage
