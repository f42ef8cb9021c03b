// What is taken otherwise than in its turn: parts of searches, probes, suspects.

#include <limits>
#include <utility>

#include "storage/life/queue.hpp"
#include "storage/life/taking.hpp"

namespace outbox::storage {

namespace {

constexpr auto take_alone_action = "take";
// From the place of a probe on: a row in flight, or one whose key is held, is passed over.
constexpr int probe_looks_max = 32;
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

ProbeTake Queue::take_probe(double place, core::QueueState from, Claims& claims) {
  const core::BatchLimits one{.events_max = 1};
  Taking taking{one, {}, claims};
  ProbeTake probe;
  const std::int64_t begin = place_in(from, place);
  Statement& range = from == core::QueueState::ready ? at_once_ : in_search_;
  const ResetAtEnd end{range};
  range.bind(1, destination_).bind(2, from == core::QueueState::ready ? begin - 1 : begin);
  for (int looks = 0; looks < probe_looks_max && taking.rows.empty() && range.step(); ++looks) {
    const std::int64_t id = range.integer(0);
    if (claims.contains(id) || is_held(taking, range.text(column::ordering_key), id)) continue;
    taking.add(range, from, 0);
    if (from == core::QueueState::in_search) probe.search = range.integer(column::first_more);
  }
  finish(taking, claims);
  probe.take = std::move(taking.take);
  return probe;
}

// From the first to the last id of a state, `place` of the way; 0: there is none.
std::int64_t Queue::place_in(core::QueueState state, double place) {
  const auto edge = [&](const char* sql) {
    Statement row{db_, sql, take_alone_action};
    row.bind(1, destination_).bind(2, static_cast<std::int64_t>(state)).step();
    return row.integer(0);
  };
  const std::int64_t first = edge(
      "select min(event) from main.outbox_queue where destination = ?1 and state = ?2"
      " and due_at_ms = 0");
  const std::int64_t last = edge(
      "select max(event) from main.outbox_queue where destination = ?1 and state = ?2"
      " and due_at_ms = 0");
  return first + static_cast<std::int64_t>(static_cast<double>(last - first) * place);
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
  while (suspects_.step()) {
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
