#include "core/plan.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/event_check.hpp"
#include "core/limits.hpp"

namespace outbox::core {

namespace {

// Why the event can never be sent; empty: it can.
std::string unsendable_reason(const PendingEvent& event) {
  if (event.payload.size() > payload_bytes_max) {
    return "unsendable: " + std::to_string(event.payload.size()) + " bytes; a request holds " +
           std::to_string(request_bytes_max);
  }
  if (event.is_validated) return {};
  const auto violation = event_violation(event.payload);
  if (!violation) return {};
  const std::string where = violation->field.empty() ? "" : violation->field + ": ";
  return "unsendable: " + where + violation->reason;
}

bool has_room(const Batch& batch, const PendingEvent& event, const BatchLimits& limits) {
  // The body ends with its closing bracket; one more payload costs its bytes and a comma.
  return batch.ids.size() < limits.events_max &&
         batch.body.size() + event.payload.size() + 1 <= limits.bytes_max;
}

void append(Batch& batch, const PendingEvent& event) {
  if (batch.ids.empty()) {
    batch.body = "[";
  } else {
    batch.body.back() = ',';
  }
  batch.body += event.payload;
  batch.body += ']';
  batch.ids.push_back(event.id);
}

}  // namespace

Plan plan(std::vector<PendingEvent> events, const BatchLimits& limits, std::size_t batches_max,
          OnDead on_dead) {
  Plan plan;
  std::unordered_map<std::string, std::size_t> batch_of_key;
  std::unordered_set<std::string> left_out_keys;  // nothing of these may overtake what was left out
  bool is_full = false;
  for (const PendingEvent& event : events) {
    if (std::string reason = unsendable_reason(event); !reason.empty()) {
      plan.unsendable.push_back({event.id, std::move(reason)});
      const bool blocks = on_dead == OnDead::blocks && !event.ordering_key.empty();
      if (blocks) left_out_keys.insert(event.ordering_key);
      continue;
    }
    const bool needs_batch = plan.batches.empty() || !has_room(plan.batches.back(), event, limits);
    is_full = is_full || (needs_batch && plan.batches.size() == batches_max);
    const std::size_t target = plan.batches.size() - (needs_batch ? 0 : 1);
    const auto known = batch_of_key.find(event.ordering_key);
    const bool is_behind_another_batch = known != batch_of_key.end() && known->second != target;
    if (is_full || is_behind_another_batch || left_out_keys.contains(event.ordering_key)) {
      plan.left_out.push_back(event.id);
      if (!event.ordering_key.empty()) left_out_keys.insert(event.ordering_key);
      continue;
    }
    if (needs_batch) plan.batches.emplace_back();
    if (!event.ordering_key.empty()) batch_of_key.emplace(event.ordering_key, target);
    append(plan.batches.back(), event);
  }
  return plan;
}

}  // namespace outbox::core
