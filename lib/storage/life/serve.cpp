// What happens when a dispatcher begins to serve a destination.

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/life/destination_row.hpp"
#include "storage/life/log_gap.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto serve_action = "serve the destination";

}  // namespace

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
  const std::int64_t gap = queue_log_alone(options);
  // Again: a person may have taken away the one that was free, and the next one still waited.
  const std::vector<std::string> held = frees ? held_keys() : std::vector<std::string>{};
  change_atomically(
      db_, serve_action,
      [&] {
        make_destination(db_, name_, serve_action);
        write_serve(options, now);
        meet_endpoint(options.endpoint);
        note_gap(db_, name_, gap);
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

// Some at a time, and then the others have as long to write. Where it stops, it can go on.
template <class Item, class Change>
void DestinationRow::in_parts(const std::vector<Item>& items, const ServeOptions& options,
                              Change change) {
  constexpr std::ptrdiff_t items_at_once = 200;
  constexpr int busy_pause_ms = 5;
  for (auto first = items.begin(); first != items.end();) {
    if (options.is_over && options.is_over()) {
      throw database_error{SQLITE_INTERRUPT, "outbox: serve the destination: interrupted"};
    }
    const auto end = first + std::min(items_at_once, items.end() - first);
    std::chrono::steady_clock::time_point begin;
    try {
      change_atomically(
          db_, serve_action,
          [&] {
            begin = std::chrono::steady_clock::now();
            change(std::vector<Item>{first, end});
          },
          patience_);
    } catch (const database_error& error) {
      if (!error.is_busy() || !options.is_over) throw;
      sqlite3_sleep(busy_pause_ms);
      continue;
    }
    first = end;
    const auto writing = std::chrono::steady_clock::now() - begin;
    sqlite3_sleep(static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(writing).count()));
  }
}

// The row says until the end that death blocks.
void DestinationRow::free_held(const ServeOptions& options) {
  NextOfKey next{db_};
  in_parts(held_keys(), options, [&](const std::vector<std::string>& keys) {
    for (const std::string& key : keys) next.free(name_, key, Dead::let_pass);
  });
}

// Of all destinations, since a gap that the events of one left would hide those of another. Returns
// the gap that was looked into and is left.
std::int64_t DestinationRow::queue_log_alone(const ServeOptions& options) {
  LogLook look = look_for_missing(db_, name_);
  in_parts(look.missing.ids, options, [&](core::Ids ids) {
    look.gap -= queue_missing(db_, {.ids = std::move(ids), .seen = look.missing.seen});
  });
  return look.gap;
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

}  // namespace outbox::storage
