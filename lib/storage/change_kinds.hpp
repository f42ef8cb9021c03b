#pragma once

// What retry, discard and requeue are, in SQL.

#include <vector>

#include "outbox/inspect.hpp"
#include "storage/filter.hpp"

namespace outbox::storage {

/// Events in one state to which a change applies.
struct Part {
  StateName name;
  const char* guard;  // in SQL, of the row at the moment of the change; ?2 is now
  bool has_index_by_id;
};

/// What one of the verbs does to an event.
struct Change {
  const char* action;
  const char* update;          // of one event, ?1; ?2 is now
  const char* guard_of_ids;    // when the events are named one by one
  const char* counters;        // of the destination, ?1, for ?2 events; null: none
  const char* at_end;          // once for each destination with changes
  bool keeps_reason;           // as ?3
  const char* instant;         // what since and until are about
  std::vector<Part> usual;     // without a state in the filter
  std::vector<Part> possible;  // with one
};

Change retrying_change();
Change discarding_change();
Change requeuing_change();

/// The parts that `filter` is about. Throws: `std::invalid_argument` for a state that the change
/// does not concern.
std::vector<Part> parts_of(const Change& change, const EventFilter& filter);

}  // namespace outbox::storage
