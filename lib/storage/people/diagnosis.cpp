#include "storage/people/diagnosis.hpp"

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>

#include "outbox/migrate.hpp"
#include "storage/life/log_gap.hpp"
#include "storage/life/store.hpp"
#include "storage/people/audit.hpp"
#include "storage/people/change.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/statement.hpp"
#include "storage/sqlite/transaction.hpp"

namespace outbox::storage {

namespace {

constexpr auto diagnose_action = "diagnose";
using Level = Finding::Level;

std::string events_text(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

Finding look_at_pages(sqlite3* db) {
  const std::string first = query_text(db, "pragma main.quick_check(1)", diagnose_action);
  if (first == "ok") return {"integrity", Level::good, "quick_check is ok"};
  return {"integrity", Level::problem,
          "the file is damaged: " + first + ". Restore a backup, or see sqlite.org/recovery.html"};
}

// What the schema of the outbox consists of, by name. An index that SQLite makes by itself has no
// text.
std::map<std::string, std::string> schema_of(sqlite3* db) {
  Statement rows{db,
                 "select type || ' ' || name, coalesce(sql, '') from main.sqlite_schema"
                 " where tbl_name glob 'outbox_*'",
                 diagnose_action};
  std::map<std::string, std::string> objects;
  while (rows.step()) objects[rows.text(0)] = rows.text(1);
  return objects;
}

struct CloseHandle {
  void operator()(sqlite3* db) const noexcept { sqlite3_close(db); }
};

// As the migrations make it.
std::map<std::string, std::string> schema_as_made() {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open(":memory:", &handle);
  const std::unique_ptr<sqlite3, CloseHandle> scratch{handle};
  if (code != SQLITE_OK) throw_error(handle, code, diagnose_action);
  migrate(ConnectionRef{handle});
  return schema_of(handle);
}

Finding look_at_schema(sqlite3* db) {
  const auto wanted = schema_as_made();
  auto found = schema_of(db);
  for (const auto& [name, sql] : wanted) {
    const auto there = found.find(name);
    if (there == found.end()) {
      return {"schema", Level::problem,
              "the " + name +
                  " is missing: somebody dropped it. The migrations in the sources have its text"};
    }
    if (there->second != sql) {
      return {"schema", Level::problem, "the " + name + " is not as the library made it"};
    }
    found.erase(there);
  }
  if (!found.empty()) {
    return {"schema", Level::warning,
            "the " + found.begin()->first +
                " is not the library's: it takes part in every enqueue and delivery"};
  }
  return {"schema", Level::good,
          "version " + std::to_string(migrated_version(ConnectionRef{db})) +
              ", as the library made it"};
}

// The first statement of the dispatcher that would read a table from its beginning to its end.
Finding look_at_plans(sqlite3* db) {
  const Store store{db, "track"};  // prepares them
  for (sqlite3_stmt* hot = sqlite3_next_stmt(db, nullptr); hot != nullptr;
       hot = sqlite3_next_stmt(db, hot)) {
    const std::string sql = sqlite3_sql(hot);
    if (sql.find("outbox_") == std::string::npos) continue;
    Statement plan{db, "explain query plan " + sql, diagnose_action};
    while (plan.step()) {
      const std::string step = plan.text(3);
      for (const char* large : {"SCAN outbox_events", "SCAN outbox_queue", "SCAN outbox_requests",
                                "SCAN e", "SCAN q"}) {
        if (step == large) {
          return {"plans", Level::problem,
                  "a statement of the dispatcher reads a whole table (" + step + "): " + sql};
        }
      }
    }
  }
  return {"plans", Level::good, "the dispatcher's statements find their rows by the indexes"};
}

// What log, queue and counters disagree about.
struct Differences {
  core::Ids missing = {};                              // in the log alone
  std::int64_t orphans = 0;                            // in the queue alone
  std::int64_t stranded = 0;                           // wait for an event that is not there
  std::int64_t altered = 0;                            // in both, and not the same
  std::map<std::string, std::int64_t> delivered = {};  // by how much the counters are too low
};

// Of the waiting events `q`, those before which nothing of their key is left.
constexpr auto is_stranded =
    "q.state = 1 and not exists (select 1 from main.outbox_queue b"
    " where b.destination = q.destination and b.ordering_key = q.ordering_key and b.state < 4"
    " and b.event < q.event and b.event in (select id from main.outbox_events))"
    " and not exists (select 1 from main.outbox_destinations d, main.outbox_queue b"
    " where d.name = q.destination and d.block_on_dead and b.destination = q.destination"
    " and b.ordering_key = q.ordering_key and b.state = 4 and b.event < q.event"
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
  while (rows.step()) {
    if (rows.integer(1) != 0) found.delivered[rows.text(0)] = rows.integer(1);
  }
  // They are counted above as delivered, and are not.
  Statement destination{db, "select destination from main.outbox_events where id = ?1",
                        diagnose_action};
  for (const std::int64_t id : found.missing) {
    const ResetAtEnd end{destination};
    if (destination.bind(1, id).step()) --found.delivered[destination.text(0)];
  }
  std::erase_if(found.delivered, [](const auto& difference) { return difference.second == 0; });
  return found;
}

Finding look_at_queue(const Differences& found) {
  if (!found.missing.empty()) {
    return {"queue", Level::problem,
            events_text(static_cast<std::int64_t>(found.missing.size())) +
                " in the log, neither queued nor delivered, the first is " +
                std::to_string(found.missing.front()) +
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

void apply(sqlite3* db, const Differences& found) {
  queue_events(db, found.missing);
  execute(db,
          "delete from main.outbox_queue where event not in (select id from main.outbox_events)",
          "repair");
  execute(db,
          (std::string{"update main.outbox_queue as q set state = 0 where "} + is_stranded).c_str(),
          "repair");
  Statement count{db,
                  "update main.outbox_destinations set delivered = delivered + ?2 where name = ?1",
                  "repair"};
  for (const auto& [name, difference] : found.delivered) {
    count.bind(1, std::string_view{name}).bind(2, difference).run();
  }
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

RepairReport repair(sqlite3* db, const ChangeNote& note, Mode mode) {
  while_busy([db] { require_schema(db); });
  Differences found;
  const auto report = [&found] {
    return RepairReport{.queued = static_cast<std::int64_t>(found.missing.size()) + found.stranded,
                        .unqueued = found.orphans,
                        .recounted = static_cast<std::int64_t>(found.delivered.size())};
  };
  const auto is_well = [&found] {
    return found.missing.empty() && found.orphans == 0 && found.stranded == 0 &&
           found.delivered.empty();
  };
  while_busy([&] { found = compare(db); });
  if (mode == Mode::dry_run || is_well()) return report();
  change_atomically(db, "repair", [&] {
    found = compare(db);
    if (is_well()) return;
    apply(db, found);
    write_audit(db,
                {.action = "repair",
                 .subject = "queued " + std::to_string(report().queued) + ", unqueued " +
                            std::to_string(report().unqueued) + ", recounted " +
                            std::to_string(report().recounted),
                 .note = note},
                report().queued + report().unqueued);
  });
  return report();
}

}  // namespace outbox::storage
