#include "storage/life/destination_row.hpp"

#include <utility>
#include <vector>

#include "core/stored_names.hpp"
#include "storage/sqlite/schema.hpp"

namespace outbox::storage {

namespace {

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
