#include "core/id_ranges.hpp"
#include "storage/store.hpp"
#include "storage/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr int state_delivered = 1;
constexpr int state_dead = 2;

}  // namespace

void Store::record(const core::Settlement& settlement, core::Instant now) {
  if (settlement.is_empty()) return;
  const KeptRowid kept{db_};
  WriteTransaction transaction{db_, "record a round", patience_};

  std::int64_t delivered = 0;
  for (const std::int64_t id : settlement.delivered)
    delivered += mark(id, state_delivered, {}, now);
  for (const core::Death& death : settlement.dead) mark(death.id, state_dead, death.reason, now);
  for (const core::Attempt& attempt : settlement.attempts) log(attempt);
  if (!settlement.attempts.empty()) forget_old_batches_.run();

  const bool is_held = settlement.hold.has_value();
  const core::HoldState hold = settlement.hold.value_or(core::HoldState{});
  const auto held = [&](std::int64_t value) {
    return is_held ? std::optional{value} : std::nullopt;
  };
  update_destination_.bind(1, destination_)
      .bind(2, delivered)
      .bind(3, static_cast<std::int64_t>(settlement.attempts.size()))
      .bind(4, std::int64_t{settlement.changes_hold})
      .bind(5, text_or_null(hold.kind))
      .bind(6, text_or_null(hold.reason))
      .bind(7, held(core::unix_ms(hold.since)))
      .bind(8, held(core::unix_ms(hold.until)))
      .bind(9, hold.tries)
      .run();
  transaction.commit();
}

std::int64_t Store::mark(std::int64_t id, int state, const std::string& error, core::Instant now) {
  mark_.bind(1, id)
      .bind(2, std::int64_t{state})
      .bind(3, core::unix_ms(now))
      .bind(4, text_or_null(error))
      .run();
  return sqlite3_changes(db_);
}

void Store::log(const core::Attempt& attempt) {
  const std::string ranges = core::ranges_text(attempt.ids);
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
      .run();
}

}  // namespace outbox::storage
