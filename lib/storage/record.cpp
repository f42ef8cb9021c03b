#include "core/id_ranges.hpp"
#include "storage/store.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

std::chrono::microseconds Store::record(const core::Settlement& settlement, core::Instant now) {
  if (settlement.is_empty()) return {};
  const KeptRowid kept{db_};
  WriteTransaction transaction{db_, "record a round", patience_};
  const auto begin = std::chrono::steady_clock::now();

  std::int64_t delivered = 0;
  for (const std::int64_t id : settlement.delivered) delivered += deliver(id, now);
  for (const core::Death& death : settlement.dead) bury(death, now);

  std::vector<std::int64_t> batches;  // the id of each attempt in the log
  for (const core::Attempt& attempt : settlement.attempts) batches.push_back(log(attempt));
  // Not each time: the oldest rows are in a page of their own.
  constexpr std::int64_t forget_each = 100;
  const bool is_time =
      !batches.empty() && batches.back() % forget_each < static_cast<std::int64_t>(batches.size());
  if (is_time) forget_old_batches_.run();
  for (const core::Suspect& suspect : settlement.suspects) {
    record_suspect(suspect, batches.at(suspect.attempt));
  }
  for (const core::Search& search : settlement.searches) {
    const std::string doubt = search.doubt.text();
    update_search_.bind(1, search.batch).bind(2, text_or_null(doubt)).run();
  }
  record_stance(
      settlement.stance, delivered, static_cast<std::int64_t>(batches.size()),
      settlement.accepted ? std::optional{batches.at(*settlement.accepted)} : std::nullopt);
  transaction.commit();
  for (const std::int64_t id : settlement.delivered) free_key_of(id);
  for (const core::Death& death : settlement.dead) free_key_of(death.id);
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               begin);
}

void Store::count_attempts(std::int64_t id, const core::Suspicion& suspicion) {
  Statement{db_,
            "update main.outbox_events set attempts = ?2, lonely_failures = ?3"
            " where id = ?1 and state = 0",
            "record a round"}
      .bind(1, id)
      .bind(2, suspicion.attempts)
      .bind(3, suspicion.lonely_failures)
      .run();
}

void Store::record_suspect(const core::Suspect& suspect, std::int64_t batch) {
  mark_suspect_.bind(1, suspect.id)
      .bind(2, batch)
      .bind(3, suspect.suspicion.attempts)
      .bind(4, suspect.suspicion.lonely_failures)
      .bind(5, core::unix_ms(suspect.due))
      .bind(6, text_or_null(suspect.reason))
      .run();
}

void Store::record_stance(const core::Stance& stance, std::int64_t delivered, std::int64_t requests,
                          std::optional<std::int64_t> accepted_batch) {
  const core::HoldState hold = stance.hold.value_or(core::HoldState{});
  const auto held = [&](std::int64_t value) {
    return stance.hold ? std::optional{value} : std::nullopt;
  };
  const auto cap = [](const std::optional<std::size_t>& size) {
    return size ? std::optional{static_cast<std::int64_t>(*size)} : std::nullopt;
  };
  update_destination_.bind(1, destination_)
      .bind(2, delivered)
      .bind(3, requests)
      .bind(4, text_or_null(hold.kind))
      .bind(5, text_or_null(hold.reason))
      .bind(6, held(core::unix_ms(hold.since)))
      .bind(7, held(core::unix_ms(hold.until)))
      .bind(8, hold.tries)
      .bind(9, cap(stance.events_cap))
      .bind(10, cap(stance.bytes_cap))
      .bind(11, stance.suspects)
      .bind(12, std::int64_t{stance.is_proven})
      .bind(13, accepted_batch)
      .run();
}

// Returns how many rows that marked: none, when a person has taken the event away meanwhile.
std::int64_t Store::deliver(std::int64_t id, core::Instant now) {
  Statement& mark = scrubs_ ? mark_scrubbed_ : mark_delivered_;
  mark.bind(1, id).bind(2, core::unix_ms(now)).run();
  return sqlite3_changes(db_);
}

void Store::bury(const core::Death& death, core::Instant now) {
  if (death.suspicion) count_attempts(death.id, *death.suspicion);
  mark_dead_.bind(1, death.id)
      .bind(2, core::unix_ms(now))
      .bind(3, text_or_null(death.reason))
      .run();
}

bool Store::prune(core::Instant settled_before, core::Instant now) {
  const OldEvents::Position before = old_events_.position();
  const core::Ids ids = old_events_.next(settled_before, now);
  const bool is_through = old_events_.is_through();
  if (is_through) old_events_.rewind();
  if (!ids.empty()) {
    try {
      remove_delivered(ids);
    } catch (...) {
      old_events_.go_back(before);
      throw;
    }
  }
  return is_through;
}

void Store::remove_delivered(const core::Ids& ids) {
  change_atomically(
      db_, "prune",
      [&] {
        for (const auto& [destination, count] : remove_events(db_, ids, "state = 1")) {
          Statement{db_, count_removed_delivered, "prune"}
              .bind(1, std::string_view{destination})
              .bind(2, count)
              .run();
        }
      },
      patience_);
}

std::int64_t Store::log(const core::Attempt& attempt) {
  const std::string ranges = core::ranges_text(attempt.ids);
  const std::string doubt = attempt.doubt.text();
  log_.bind(1, destination_)
      .bind(2, core::unix_ms(attempt.started))
      .bind(3, attempt.took.count())
      .bind(4, static_cast<std::int64_t>(attempt.ids.size()))
      .bind(5, attempt.ids.front())
      .bind(6, attempt.ids.back())
      .bind(7, ranges)
      .bind(8, static_cast<std::int64_t>(attempt.bytes))
      .bind(9, attempt.status == 0 ? std::nullopt : std::optional{std::int64_t{attempt.status}})
      .bind(10, std::string_view{core::name_of(attempt.outcome.verdict)})
      .bind(11, text_or_null(attempt.outcome.reason))
      .bind(12, text_or_null(attempt.outcome.response_id))
      .bind(13, text_or_null(attempt.outcome.warnings))
      .bind(14, attempt.search)
      .bind(15, text_or_null(doubt))
      .run();
  return sqlite3_last_insert_rowid(db_);
}

}  // namespace outbox::storage
