#include "core/decide/plan.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/event/event_check.hpp"
#include "core/event/limits.hpp"

namespace outbox::core {

namespace {

// Why the event can never be sent; empty: it can.
std::string unsendable_reason(const PendingEvent& event, const PlanRules& rules) {
  if (event.payload.size() > payload_bytes_max) {
    return "unsendable: " + std::to_string(event.payload.size()) + " bytes; a request holds " +
           std::to_string(request_bytes_max);
  }
  if (event.is_validated) return {};
  const auto violation = rules.takes_any_object ? object_violation(event.payload)
                                                : event_violation(event.payload, event.kind);
  if (!violation) return {};
  const std::string where = violation->field.empty() ? "" : violation->field + ": ";
  return "unsendable: " + where + violation->reason;
}

bool has_room(const Batch& batch, const PendingEvent& event, const BatchLimits& limits,
              const PlanRules& rules) {
  // The body ends with its closing bracket; one more payload costs its bytes and a comma.
  return (rules.mixes_kinds || batch.events.front().kind == event.kind) &&
         batch.events.size() < limits.events_max &&
         batch.body.size() + event.payload.size() + 1 <= limits.bytes_max;
}

void append(Batch& batch, const PendingEvent& event) {
  if (batch.events.empty()) {
    batch.body = "[";
  } else {
    batch.body.back() = ',';
  }
  batch.events.push_back({.id = event.id,
                          .event_id = std::string{event.event_id},
                          .kind = std::string{event.kind},
                          .ordering_key = std::string{event.ordering_key},
                          .headers = std::string{event.headers},
                          .enqueued_at = event.enqueued_at,
                          .offset = batch.body.size(),
                          .bytes = event.payload.size()});
  batch.body += event.payload;
  batch.body += ']';
}

// Of the body of a batch, when the events are about equally large.
std::size_t expected_bytes(const std::vector<PendingEvent>& events, const BatchLimits& limits) {
  std::size_t bytes = 0;
  for (const PendingEvent& event : events) bytes += event.payload.size() + 1;
  const std::size_t batches = (events.size() + limits.events_max - 1) / limits.events_max;
  return std::min(limits.bytes_max, bytes / std::max<std::size_t>(batches, 1) * 9 / 8 + 2);
}

// Grown byte by byte, a body of some 100 kB would be copied several times.
void begin_batch(Plan& plan, std::size_t bytes, std::size_t events_max) {
  plan.batches.emplace_back();
  plan.batches.back().events.reserve(events_max);
  plan.batches.back().body.reserve(bytes);
}

// Where the ordering keys of a plan are.
class Keys {
 public:
  /// Whether an event of `key` may not go into the batch `target`.
  bool hold_back(std::string_view key, std::size_t target) const {
    const auto known = batch_of_key_.find(key);
    return left_out_.contains(key) || (known != batch_of_key_.end() && known->second != target);
  }
  /// Nothing of the key may overtake what was left out.
  void leave_out(std::string_view key) { left_out_.insert(key); }
  void put(std::string_view key, std::size_t target) { batch_of_key_.emplace(key, target); }

 private:
  std::unordered_map<std::string_view, std::size_t> batch_of_key_;
  std::unordered_set<std::string_view> left_out_;
};

}  // namespace

Ids ids_of(const Batch& batch) {
  Ids ids;
  ids.reserve(batch.events.size());
  for (const BatchEvent& event : batch.events) ids.push_back(event.id);
  return ids;
}

Plan plan(const std::vector<PendingEvent>& events, const BatchLimits& limits,
          std::size_t batches_max, const PlanRules& rules) {
  Plan plan;
  Keys keys;
  const std::size_t body_bytes = expected_bytes(events, limits);
  bool is_full = false;
  for (const PendingEvent& event : events) {
    if (std::string reason = unsendable_reason(event, rules); !reason.empty()) {
      plan.unsendable.push_back({event.id, std::move(reason)});
      const bool blocks = rules.on_dead == OnDead::blocks && !event.ordering_key.empty();
      if (blocks) keys.leave_out(event.ordering_key);
      continue;
    }
    const bool needs_batch =
        plan.batches.empty() || !has_room(plan.batches.back(), event, limits, rules);
    is_full = is_full || (needs_batch && plan.batches.size() == batches_max);
    const std::size_t target = plan.batches.size() - (needs_batch ? 0 : 1);
    const bool has_key = !event.ordering_key.empty();
    if (is_full || (has_key && keys.hold_back(event.ordering_key, target))) {
      plan.left_out.push_back(event.id);
      if (has_key) keys.leave_out(event.ordering_key);
      continue;
    }
    if (needs_batch) begin_batch(plan, body_bytes, std::min(limits.events_max, events.size()));
    if (has_key) keys.put(event.ordering_key, target);
    append(plan.batches.back(), event);
  }
  return plan;
}

}  // namespace outbox::core
