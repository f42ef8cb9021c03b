// What is taken otherwise than in its turn: parts of searches, probes, suspects.

#include <limits>
#include <utility>

#include "storage/life/queue.hpp"
#include "storage/life/taking.hpp"

namespace outbox::storage {

namespace {

constexpr auto take_alone_action = "take";
constexpr auto any_size = std::numeric_limits<std::size_t>::max();

}  // namespace

Take Queue::take_searched(const core::Ids& ids, Claims& claims) {
  const core::BatchLimits all{.events_max = ids.size(), .bytes_max = any_size};
  Taking taking{all, {}, claims};
  for (const std::int64_t id : ids) {
    const ResetAtEnd end{in_search_};
    const bool is_there =
        in_search_.bind(1, destination_).bind(2, id).step() && in_search_.integer(0) == id;
    if (!is_there || claims.contains(id) ||
        is_held(taking, in_search_.text(column::ordering_key), id))
      continue;
    taking.add(in_search_, core::QueueState::in_search, 0);
  }
  finish(taking, claims);
  return std::move(taking.take);
}

ProbeTake Queue::take_probe(const core::ProbeLook& look, core::Instant now, Claims& claims) {
  const core::BatchLimits one{.events_max = 1};
  Taking taking{one, now, claims};
  ProbeTake probe;
  const bool is_searched = look.source == core::ProbeSource::in_search;
  const bool is_scheduled = look.source == core::ProbeSource::scheduled;
  Statement& range = is_searched ? in_search_ : is_scheduled ? scheduled_ : at_once_;
  // Up to `end`, which is an id, or a time of scheduled events.
  const auto walk = [&](std::int64_t begin, std::int64_t end) {
    const ResetAtEnd reset{range};
    range.bind(1, destination_).bind(2, is_searched || is_scheduled ? begin : begin - 1);
    while (taking.rows.empty() && taking.looks < looks_max &&
           (is_scheduled ? step_scheduled(now) : range.step())) {
      const std::int64_t id = range.integer(column::event);
      const std::int64_t due_at_ms = is_scheduled ? range.integer(column::first_more) : 0;
      if ((is_scheduled ? due_at_ms : id) >= end) return;
      if (claims.contains(id)) continue;
      ++taking.looks;
      if (!is_searched) {
        add_ready(taking, range, due_at_ms);
      } else if (!is_held(taking, range.text(column::ordering_key), id)) {
        taking.add(range, core::QueueState::in_search, 0);
        probe.search = range.integer(column::first_more);
      }
    }
  };
  const std::int64_t place = place_in(look, now);
  walk(place, std::numeric_limits<std::int64_t>::max());
  taking.held_keys.clear();  // the head of such a key may stand before the place
  if (taking.rows.empty()) walk(1, place);
  finish(taking, claims);
  probe.take = std::move(taking.take);
  probe.take.has_more = probe.take.events.empty() && taking.looks >= looks_max;
  return probe;
}

// From the first to the last of a source, `place` of the way: an id, or of scheduled events when
// they are due. 0: there is none.
std::int64_t Queue::place_in(const core::ProbeLook& look, core::Instant now) {
  const bool is_scheduled = look.source == core::ProbeSource::scheduled;
  const auto state = look.source == core::ProbeSource::in_search ? core::QueueState::in_search
                                                                 : core::QueueState::ready;
  // One look-up each: SQLite finds a min() or max() at the end of a range when all before it in the
  // key is fixed.
  const auto edge = [&](const char* which) {
    const std::string sql = std::string{"select "} + which +
                            (is_scheduled ? "(due_at_ms)" : "(event)") +
                            " from main.outbox_queue where destination = ?1 and state = ?2 and" +
                            (is_scheduled ? " due_at_ms between 1 and ?3" : " due_at_ms = ?3");
    Statement row{db_, sql, take_alone_action};
    row.bind(1, destination_).bind(2, static_cast<std::int64_t>(state));
    row.bind(3, is_scheduled ? core::unix_ms(now) : 0).step();
    return row.integer(0);
  };
  const std::int64_t first = edge("min");
  const std::int64_t last = edge("max");
  return first + static_cast<std::int64_t>(static_cast<double>(last - first) * look.place);
}

std::optional<TakenSuspect> Queue::take_suspect(const SuspectLimits& limits, core::Instant now,
                                                Claims& claims) {
  const core::BatchLimits one{.events_max = 1};
  Taking taking{one, now, claims};
  const ResetAtEnd end{suspects_};
  suspects_.bind(1, destination_)
      .bind(2, core::unix_ms(now))
      .bind(3, core::unix_ms(now + limits.wait_max))
      .bind(4, limits.accepted_request)
      .bind(5, std::int64_t{limits.counts_earlier_evidence});
  std::size_t passed = 0;
  if (limits.place > 0) {
    while (suspects_.step()) ++passed;
    suspects_.reset();
    if (passed > 0)
      passed = static_cast<std::size_t>(static_cast<double>(passed - 1) * limits.place);
  }
  while (suspects_.step()) {
    if (passed > 0) {
      --passed;
      continue;
    }
    const std::int64_t id = suspects_.integer(0);
    const std::string key = suspects_.text(column::ordering_key);
    if (claims.contains(id) || is_held(taking, key, id)) continue;
    constexpr int more = column::first_more;
    const bool cornered = claims.is_empty() && is_cornered(key, id, limits.accepted_request, now);
    taking.add(suspects_, core::QueueState::suspect, suspects_.integer(more));
    TakenSuspect suspect{.suspicion = {.request = suspects_.integer(more + 1),
                                       .since = suspects_.integer(more + 2),
                                       .refusals = suspects_.integer(more + 3),
                                       .solo_failures = suspects_.integer(more + 4),
                                       .suspected_at_ms = suspects_.integer(more + 5),
                                       .is_cornered = cornered}};
    finish(taking, claims);
    suspect.take = std::move(taking.take);
    return suspect;
  }
  return std::nullopt;
}

// See `core::Suspicion`.
bool Queue::is_cornered(const std::string& key, std::int64_t id, std::int64_t accepted_request,
                        core::Instant now) {
  if (key.empty() || has_due(now)) return false;
  {
    const ResetAtEnd end{next_in_key_};
    const bool has_follower = next_in_key_.bind(1, destination_).bind(2, key).bind(3, id).step();
    if (!has_follower) return false;
  }
  const ResetAtEnd end{unproven_death_};
  return !unproven_death_.bind(1, destination_).bind(2, key).bind(3, accepted_request).step();
}

}  // namespace outbox::storage
