#include "storage/life/ledger.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "outbox/errors.hpp"
#include "storage/life/queue_row.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto record_action = "record a round";

using Rows = std::vector<const core::QueuedEvent*>;

// The row as it was taken: its primary key, and when its event was enqueued.
std::string guarded(const char* change) {
  return std::string{change} +
         " where destination = ?1 and state = ?2 and due_at_ms = ?3 and event = ?4"
         " and enqueued_at_ms = ?5";
}

}  // namespace

// What one transaction has done so far.
struct Ledger::Recording {
  Claims& claims;
  core::Instant now;
  Marks marks;
  bool is_undisturbed = false;  // the rows are as they were taken
  bool has_missed = false;      // a run hit fewer rows than it has
  std::int64_t delivered = 0;
  std::set<std::string> keys = {};  // of events that have left

  void leave(const core::QueuedEvent& event) {
    if (!event.ordering_key.empty()) keys.insert(event.ordering_key);
  }
};

Ledger::Ledger(sqlite3* db, std::string destination, DestinationRow& row,
               std::chrono::milliseconds patience)
    : db_{db},
      destination_{std::move(destination)},
      row_{row},
      patience_{patience},
      log_{db, destination_},
      writing_{db, Brackets::Kind::write, record_action, Use::often},
      move_waiting_{
          db,
          guarded("update main.outbox_queue set state = 1") +
              " and (exists (select 1 from main.outbox_queue b indexed by outbox_queue_keys"
              " where b.destination = ?1 and b.ordering_key = ?6 and b.event < ?4 and b.state < 4)"
              " or exists (select 1 from main.outbox_destinations d, main.outbox_queue b"
              " indexed by outbox_queue_dead_keys where d.name = ?1 and d.block_on_dead and"
              " b.destination = ?1 and b.ordering_key = ?6 and b.event < ?4 and b.state = 4))",
          record_action, Use::often},
      // The guard of a whole run: how many rows there are, and the sum of their times, the lower
      // 40 bits of each, some 34 years, so that no sum overflows.
      count_run_{db,
                 "select count(*), sum(enqueued_at_ms & 0xffffffffff) from main.outbox_queue"
                 " where destination = ?1 and state = ?2 and due_at_ms = ?3"
                 " and event between ?4 and ?5",
                 record_action, Use::often},
      data_version_{db, "pragma main.data_version", record_action, Use::often},
      // Neighbours by id, all taken: between them there is no other row.
      remove_run_{db,
                  "delete from main.outbox_queue where destination = ?1 and state = ?2"
                  " and due_at_ms = ?3 and event between ?4 and ?5",
                  record_action, Use::often},
      remove_{db, guarded("delete from main.outbox_queue"), record_action, Use::often},
      scrub_{db, "update main.outbox_events set payload = '{}' where id = ?1", record_action,
             Use::often},
      bury_{db,
            guarded("update main.outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = ?6,"
                    " last_error = ?7, refusals = coalesce(?8, refusals),"
                    " solo_failures = coalesce(?9, solo_failures)"),
            record_action, Use::often},
      suspect_{db,
               guarded("update main.outbox_queue set state = 3, due_at_ms = ?6, refusals = ?7,"
                       " solo_failures = ?8, refused_in = ?9, search = ?10, last_error = ?11,"
                       " suspected_at_ms = ?12"),
               record_action, Use::often},
      // The time for which an event was scheduled does not count as waiting.
      search_{db,
              guarded("update main.outbox_queue set state = 2, due_at_ms = 0, search = ?6,"
                      " enqueued_at_ms = max(enqueued_at_ms, due_at_ms)"),
              record_action, Use::often},
      leave_search_{db,
                    "update main.outbox_queue set state = 0, search = null where destination = ?1"
                    " and state = 2 and due_at_ms = 0 and event = ?3 and search = ?2",
                    record_action, Use::often},
      end_search_{db,
                  "update main.outbox_queue set state = 0, search = null where destination = ?1"
                  " and state = 2 and due_at_ms = 0 and search = ?2",
                  record_action, Use::often},
      next_of_key_{db} {}

Recorded Ledger::record(const Changes& changes, Claims& claims, core::Instant now) {
  if (changes.is_empty()) return {};
  const KeptRowid kept{db_};
  if (const auto recorded = try_record(changes, claims, now, Marks::by_run)) return *recorded;
  return *try_record(changes, claims, now, Marks::one_by_one);
}

// None: a run of marks did not find what it was to find, and nothing is recorded.
std::optional<Recorded> Ledger::try_record(const Changes& changes, Claims& claims,
                                           core::Instant now, Marks marks) {
  const core::Settlement& settlement = changes.settlement;
  WriteTransaction transaction{db_, record_action, patience_, &writing_};
  const auto begin = std::chrono::steady_clock::now();
  Recording recording{.claims = claims, .now = now, .marks = marks};
  {
    const ResetAtEnd end{data_version_};
    recording.is_undisturbed =
        data_version_.step() && claims.is_undisturbed_at(data_version_.integer(0));
  }

  for (const core::QueuedEvent& event : changes.waiting) move_waiting(recording, event);
  core::Ids requests;  // their ids in the log
  for (const core::SentBatch& sent : settlement.requests) {
    const core::Ids delivered = deliver(recording, sent.delivered);
    if (recording.has_missed) return std::nullopt;
    requests.push_back(log_.add(sent, delivered));
    begin_search(recording, sent, requests.back());
  }
  core::Ids left_alone;
  for (const core::Death& death : settlement.dead) {
    if (!bury(recording, death)) left_alone.push_back(death.id);
  }
  for (const core::Suspect& suspect : settlement.suspects) {
    const bool is_done = this->suspect(recording, suspect, requests.at(suspect.request));
    if (!is_done) left_alone.push_back(suspect.id);
  }
  for (const core::OpenSearch& search : settlement.searches) change_search(recording, search);
  for (const std::string& key : recording.keys) {
    if (const auto freed = next_of_key_.free(destination_, key)) claims.look_from(*freed);
  }
  log_.forget_old(requests);
  if (!settlement.is_empty()) {
    row_.count({.delivered = recording.delivered,
                .requests = static_cast<std::int64_t>(requests.size()),
                .accepted_request = settlement.accepted
                                        ? std::optional{requests.at(*settlement.accepted)}
                                        : std::nullopt});
  }
  if (settlement.changes_endpoint) row_.record(settlement.endpoint);
  transaction.commit();
  return Recorded{.delivered = static_cast<std::uint64_t>(recording.delivered),
                  .left_alone = std::move(left_alone),
                  .locked = std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::steady_clock::now() - begin)};
}

namespace {

// Binds the guard of `guarded`.
Statement& bind_guard(Statement& statement, const std::string& destination,
                      const core::QueuedEvent& event) {
  return bind_row(statement, destination, event).bind(5, event.enqueued_at_ms);
}

bool is_neighbour(const core::QueuedEvent& left, const core::QueuedEvent& right) {
  return right.id == left.id + 1 && right.state == left.state && right.due_at_ms == left.due_at_ms;
}

}  // namespace

void Ledger::move_waiting(Recording& recording, const core::QueuedEvent& event) {
  bind_guard(move_waiting_, destination_, event).bind(6, event.ordering_key).run();
  if (sqlite3_changes(db_) == 0) recording.claims.look_from(event.id);
}

// Returns those that are delivered now: without those that a person has taken away meanwhile.
core::Ids Ledger::deliver(Recording& recording, const core::Ids& ids) {
  const Rows rows = recording.claims.rows_of(ids);
  core::Ids done;
  done.reserve(rows.size());
  for (auto first = rows.begin(); first != rows.end();) {
    auto end = first + 1;
    while (end != rows.end() && is_neighbour(**(end - 1), **end)) ++end;
    deliver_run(recording, {first, end}, done);
    first = end;
  }
  recording.delivered += static_cast<std::int64_t>(done.size());
  for (const core::QueuedEvent* const row : rows) recording.leave(*row);
  if (scrubs_) {
    for (const std::int64_t id : done) scrub_.bind(1, id).run();
  }
  return done;
}

void Ledger::deliver_run(Recording& recording, std::span<const core::QueuedEvent* const> run,
                         core::Ids& done) {
  const auto bind_run = [&](Statement& statement) -> Statement& {
    return statement.bind(1, destination_)
        .bind(2, static_cast<std::int64_t>(run.front()->state))
        .bind(3, run.front()->due_at_ms)
        .bind(4, run.front()->id)
        .bind(5, run.back()->id);
  };
  bool is_run = run.size() > 1 && recording.marks == Marks::by_run;
  if (is_run && !recording.is_undisturbed) {
    constexpr std::int64_t bits = 0xFF'FFFF'FFFF;
    std::int64_t times = 0;
    for (const core::QueuedEvent* const event : run) times += event->enqueued_at_ms & bits;
    const ResetAtEnd end{count_run_};
    is_run = bind_run(count_run_).step() &&
             count_run_.integer(0) == static_cast<std::int64_t>(run.size()) &&
             count_run_.integer(1) == times;
  }
  if (is_run) {
    bind_run(remove_run_).run();
    recording.has_missed |= sqlite3_changes(db_) != static_cast<int>(run.size());
  }
  for (const core::QueuedEvent* const event : run) {
    if (is_run || deliver_one(*event)) done.push_back(event->id);
  }
}

// A person may have moved the event meanwhile: given up or asked for again, it has arrived.
bool Ledger::deliver_one(const core::QueuedEvent& event) {
  bind_guard(remove_, destination_, event).run();
  if (sqlite3_changes(db_) > 0) return true;
  const auto moved = find_queued(db_, event.id, destination_);
  if (!moved || moved->stored_at_ms != event.stored_at_ms) return false;
  return try_change(bind_guard(remove_, destination_, *moved), *moved);
}

// Runs `change` of `row`; false: a person was faster. A trigger or an authorizer of the host's can
// ignore a change without an error, and the event would be sent for ever.
bool Ledger::try_change(Statement& change, const core::QueuedEvent& row) {
  change.run();
  if (sqlite3_changes(db_) > 0) return true;
  const auto found = find_queued(db_, row.id, destination_);
  if (!found || !core::are_same_row(*found, row)) return false;
  throw database_error{SQLITE_CONSTRAINT_TRIGGER,
                       "outbox: record: a trigger or authorizer ignored the change of event " +
                           std::to_string(row.id)};
}

// False: the row is not as it was any more, and stays as it is.
bool Ledger::bury(Recording& recording, const core::Death& death) {
  const core::QueuedEvent* const row = recording.claims.find(death.id);
  if (row == nullptr) return false;
  const auto counted = [&](auto member) {
    return death.suspicion ? std::optional{(*death.suspicion).*member} : std::nullopt;
  };
  const bool is_done = try_change(bind_guard(bury_, destination_, *row)
                                      .bind(6, core::unix_ms(recording.now))
                                      .bind(7, text_or_null(death.reason))
                                      .bind(8, counted(&core::Suspicion::refusals))
                                      .bind(9, counted(&core::Suspicion::solo_failures)),
                                  *row);
  recording.leave(*row);
  return is_done;
}

bool Ledger::suspect(Recording& recording, const core::Suspect& suspect, std::int64_t request) {
  const core::QueuedEvent* const row = recording.claims.find(suspect.id);
  if (row == nullptr) return false;
  const std::int64_t since = suspect.suspicion.since == 0 ? request : suspect.suspicion.since;
  return try_change(bind_guard(suspect_, destination_, *row)
                        .bind(6, core::unix_ms(suspect.due))
                        .bind(7, suspect.suspicion.refusals)
                        .bind(8, suspect.suspicion.solo_failures)
                        .bind(9, request)
                        .bind(10, since)
                        .bind(11, text_or_null(suspect.reason))
                        .bind(12, suspect.suspicion.suspected_at_ms),
                    *row);
}

void Ledger::begin_search(Recording& recording, const core::SentBatch& sent, std::int64_t request) {
  for (const std::int64_t id : sent.begun.all()) {
    const core::QueuedEvent* const row = recording.claims.find(id);
    if (row == nullptr) continue;
    try_change(bind_guard(search_, destination_, *row).bind(6, request), *row);
  }
}

// What has left a search, and what is still in one that has ended, is one of many again.
void Ledger::change_search(Recording& recording, const core::OpenSearch& search) {
  log_.change_search(search);
  for (const std::int64_t id : search.left) {
    leave_search_.bind(1, destination_).bind(2, search.request).bind(3, id).run();
    if (sqlite3_changes(db_) > 0) recording.claims.look_from(id);
  }
  if (!search.search.is_empty()) return;
  end_search_.bind(1, destination_).bind(2, search.request).run();
  if (sqlite3_changes(db_) > 0) recording.claims.look_from(1);
}

}  // namespace outbox::storage
