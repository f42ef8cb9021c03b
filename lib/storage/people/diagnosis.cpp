#include "storage/people/diagnosis.hpp"

#include <sqlite3.h>

#include <map>
#include <string>

#include "storage/life/log_gap.hpp"
#include "storage/people/audit.hpp"
#include "storage/people/change.hpp"
#include "storage/people/integrity.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox {

namespace storage {

namespace {

constexpr auto diagnose_action = "diagnose";
constexpr auto repair_action = "repair";
using Level = Finding::Level;

std::string events_text(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

// What log, queue and counters disagree about.
struct Differences {
  Unqueued missing = {};                               // in the log alone
  std::int64_t orphans = 0;                            // in the queue alone
  std::int64_t stranded = 0;                           // wait for an event that is not there
  std::int64_t altered = 0;                            // in both, and not the same
  std::map<std::string, std::int64_t> delivered = {};  // by how much the counters are too low
};

// Of the waiting events `q`, those before which nothing of their key is left.
constexpr auto is_stranded =
    "q.state = 1 and not exists (select 1 from main.outbox_queue b indexed by outbox_queue_keys"
    " where b.destination = q.destination and b.ordering_key = q.ordering_key and b.state < 4"
    " and b.event < q.event and b.event in (select id from main.outbox_events))"
    " and not exists (select 1 from main.outbox_destinations d, main.outbox_queue b"
    " indexed by outbox_queue_dead_keys where d.name = q.destination and d.block_on_dead"
    " and b.destination = q.destination and b.ordering_key = q.ordering_key and b.state = 4 and "
    "b.event < q.event"
    " and b.event in (select id from main.outbox_events))";

Differences compare(sqlite3* db) {
  Differences found{.missing = unqueued(db)};
  found.orphans = query_integer(db,
                                "select count(*) from main.outbox_queue"
                                " where event not in (select id from main.outbox_events)",
                                diagnose_action)
                      .value_or(0);
  found.stranded =
      query_integer(
          db,
          (std::string{"select count(*) from main.outbox_queue q where "} + is_stranded).c_str(),
          diagnose_action)
          .value_or(0);
  found.altered = query_integer(db,
                                "select count(*) from main.outbox_queue q join main.outbox_events e"
                                " on e.id = q.event where e.destination <> q.destination"
                                " or e.ordering_key is not q.ordering_key",
                                diagnose_action)
                      .value_or(0);
  Statement rows{db,
                 "with counted (name, delivered) as materialized ("
                 " select destination, count(*) from main.outbox_events"
                 " where id > 0 and id not in (select event from main.outbox_queue) group by 1)"
                 " select d.name, coalesce(c.delivered, 0) - d.delivered"
                 " from main.outbox_destinations d left join counted c on c.name = d.name",
                 diagnose_action};
  while (rows.step()) found.delivered[rows.text(0)] = rows.integer(1);
  // They are counted above as delivered, and are not. A destination without a row has no counter.
  Statement destination{db, "select destination from main.outbox_events where id = ?1",
                        diagnose_action};
  for (const std::int64_t id : found.missing.ids) {
    const ResetAtEnd end{destination};
    if (!destination.bind(1, id).step()) continue;
    const auto counter = found.delivered.find(destination.text(0));
    if (counter != found.delivered.end()) --counter->second;
  }
  std::erase_if(found.delivered, [](const auto& difference) { return difference.second == 0; });
  return found;
}

Finding look_at_queue(const Differences& found) {
  if (!found.missing.ids.empty()) {
    return {"queue", Level::problem,
            events_text(static_cast<std::int64_t>(found.missing.ids.size())) +
                " in the log, neither queued nor delivered, the first is " +
                std::to_string(found.missing.ids.front()) +
                ": triggers were switched off, or rows deleted",
            true};
  }
  if (found.orphans > 0) {
    return {"queue", Level::problem,
            std::to_string(found.orphans) +
                " rows of the queue have no event in the log: somebody deleted those",
            true};
  }
  if (found.stranded > 0) {
    return {"queue", Level::problem,
            events_text(found.stranded) +
                " waiting for an earlier one of their ordering key, which is not there: somebody "
                "changed rows by hand",
            true};
  }
  if (found.altered > 0) {
    return {"queue", Level::problem,
            events_text(found.altered) +
                " with another destination or ordering key in the queue than in the log: somebody "
                "changed rows by hand"};
  }
  return {"queue", Level::good, "log and queue agree"};
}

Finding look_at_counters(sqlite3* db, const Differences& found) {
  if (!found.delivered.empty()) {
    const auto& [name, difference] = *found.delivered.begin();
    return {"counters", Level::problem,
            "the counter of delivered events of " + name + " is " +
                std::to_string(difference > 0 ? difference : -difference) +
                (difference > 0 ? " too low" : " too high"),
            true};
  }
  const Counts counts = read_status(db, {}, core::system_now()).counts;
  const std::int64_t sum =
      counts.pending + counts.delivered + counts.dead + counts.discarded + counts.removed;
  const std::string parts =
      "pending " + std::to_string(counts.pending) + " + dead " + std::to_string(counts.dead) +
      " + discarded " + std::to_string(counts.discarded) + " + delivered " +
      std::to_string(counts.delivered) + " + removed " + std::to_string(counts.removed);
  if (sum == counts.enqueued) {
    return {"counters", Level::good, "enqueued " + std::to_string(sum) + " = " + parts};
  }
  return {"counters", Level::warning,
          "enqueued " + std::to_string(counts.enqueued) + " and " + parts + " differ by " +
              std::to_string(counts.enqueued - sum) +
              ": ids of somebody's own, INSERT OR IGNORE, or rows deleted by hand"};
}

std::int64_t last_repair(sqlite3* db) {
  return query_integer(db, "select max(id) from main.outbox_audit where action = 'repair'",
                       repair_action)
      .value_or(0);
}

// Returns what it changed. What others did since `found` was found moved the counters and the rows
// alike, so a difference is still the same.
RepairReport apply(sqlite3* db, const Differences& found) {
  RepairReport report{.queued = queue_missing(db, found.missing),
                      .recounted = static_cast<std::int64_t>(found.delivered.size())};
  // Each reads the whole queue while writers wait: only where there is something to repair.
  if (found.orphans > 0) {
    execute(db,
            "delete from main.outbox_queue where event not in (select id from main.outbox_events)",
            repair_action);
    report.unqueued = sqlite3_changes(db);
  }
  if (found.stranded > 0) {
    const std::string free =
        std::string{"update main.outbox_queue as q set state = 0 where "} + is_stranded;
    execute(db, free.c_str(), repair_action);
    report.queued += sqlite3_changes(db);
  }
  Statement count{db,
                  "update main.outbox_destinations set delivered = delivered + ?2 where name = ?1",
                  repair_action};
  for (const auto& [name, difference] : found.delivered) {
    count.bind(1, std::string_view{name}).bind(2, difference).run();
  }
  return report;
}

}  // namespace

std::vector<Finding> diagnose(sqlite3* db) {
  return while_busy([&] {
    std::vector<Finding> findings;
    findings.push_back(look_at_pages(db));
    if (findings.front().level == Level::problem) return findings;  // the rest would guess
    findings.push_back(look_at_schema(db));
    if (findings.back().level == Level::problem) return findings;
    findings.push_back(look_at_plans(db));
    const ReadTransaction moment{db};
    const Differences found = compare(db);
    findings.push_back(look_at_queue(found));
    findings.push_back(look_at_counters(db, found));
    return findings;
  });
}

}  // namespace storage

inline namespace v1 {

RepairReport repair(ConnectionRef connection, const ChangeNote& note, Mode mode) {
  using namespace storage;
  sqlite3* const db = connection.handle();
  while_busy([db] { require_schema(db); });
  Differences found;
  std::int64_t repaired = 0;
  while_busy([&] {
    const ReadTransaction moment{db};
    repaired = last_repair(db);
    found = compare(db);
  });
  RepairReport report{
      .queued = static_cast<std::int64_t>(found.missing.ids.size()) + found.stranded,
      .unqueued = found.orphans,
      .recounted = static_cast<std::int64_t>(found.delivered.size())};
  const bool is_well = report.queued + report.unqueued + report.recounted == 0;
  if (mode == Mode::dry_run || is_well) return report;
  change_atomically(db, repair_action, [&] {
    // Somebody was faster, and what was found is not so any more.
    if (last_repair(db) != repaired) found = compare(db);
    report = apply(db, found);
    if (report.queued + report.unqueued + report.recounted == 0) return;
    write_audit(db,
                {.action = repair_action,
                 .subject = "queued " + std::to_string(report.queued) + ", unqueued " +
                            std::to_string(report.unqueued) + ", recounted " +
                            std::to_string(report.recounted),
                 .note = note},
                report.queued + report.unqueued);
  });
  return report;
}

}  // namespace v1
}  // namespace outbox
