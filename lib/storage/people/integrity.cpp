#include "storage/people/integrity.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "outbox/errors.hpp"
#include "outbox/migrate.hpp"
#include "storage/life/store.hpp"
#include "storage/sqlite/statement.hpp"

namespace outbox::storage {

namespace {

constexpr auto integrity_action = "diagnose";
using Level = Finding::Level;

// The caller's connection looks away from CHECKs while this lives. The pragma makes SQLite prepare
// its statements again, so none of them should be running.
class WithoutChecks {
 public:
  explicit WithoutChecks(sqlite3* db)
      : db_{db},
        was_so_{query_integer(db, "pragma ignore_check_constraints", integrity_action) == 1} {
    execute(db_, "pragma ignore_check_constraints = on", integrity_action);
  }
  ~WithoutChecks() {
    if (!was_so_) {
      sqlite3_exec(db_, "pragma ignore_check_constraints = off", nullptr, nullptr, nullptr);
    }
  }
  WithoutChecks(const WithoutChecks&) = delete;
  WithoutChecks& operator=(const WithoutChecks&) = delete;

 private:
  sqlite3* db_;
  bool was_so_;
};

}  // namespace

Finding look_at_pages(sqlite3* db) {
  const auto check = [db] {
    try {
      std::string first = query_text(db, "pragma main.quick_check(1)", integrity_action);
      std::replace(first.begin(), first.end(), '\n', ' ');
      return first;
    } catch (const database_error& error) {  // so damaged that it cannot even be checked
      if ((error.code() & 0xFF) != SQLITE_CORRUPT) throw;
      return std::string{"database disk image is malformed"};
    }
  };
  std::string first = check();
  if (first == "ok") return {"integrity", Level::good, "quick_check is ok"};
  // The rows with which an erasure fills the log for a while break a CHECK, so that nobody else
  // can have made them.
  const bool has_filling =
      first == "CHECK constraint failed in outbox_events" &&
      query_integer(db, "select 1 from main.outbox_events where id < 0 limit 1", integrity_action);
  if (has_filling) {
    const WithoutChecks unchecked{db};
    first = check();
    if (first == "ok") {
      return {"integrity", Level::warning,
              "quick_check is ok, but for rows of an erasure that is at work or was interrupted: "
              "run `outbox erase` again, for anybody, to take them away"};
    }
  }
  return {"integrity", Level::problem,
          "the file is damaged: " + first + ". Restore a backup, or see sqlite.org/recovery.html"};
}

namespace {

// What the schema of the outbox consists of, by name. An index that SQLite makes by itself has no
// text.
std::map<std::string, std::string> schema_of(sqlite3* db) {
  Statement rows{db,
                 "select type || ' ' || name, coalesce(sql, '') from main.sqlite_schema"
                 " where tbl_name glob 'outbox_*'",
                 integrity_action};
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
  if (code != SQLITE_OK) throw_error(handle, code, integrity_action);
  migrate(ConnectionRef{handle});
  return schema_of(handle);
}

}  // namespace

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

namespace {

// Whether a step of a query plan reads one of the large tables from its beginning to its end, or
// all that a destination has in the queue. The plan names a table as the statement does: with its
// schema, or by an alias.
bool reads_whole_table(const std::string& step) {
  for (const char* table : {"main.outbox_events", "main.outbox_queue", "main.outbox_requests",
                            "outbox_queue", "e", "q"}) {
    if (step == std::string{"SCAN "} + table) return true;
  }
  return step.find("PRIMARY KEY (destination=?)") != std::string::npos ||
         step.find("PRIMARY KEY (destination=? AND state<?)") != std::string::npos;
}

std::set<sqlite3_stmt*> statements_of(sqlite3* db) {
  std::set<sqlite3_stmt*> found;
  sqlite3_stmt* one = nullptr;
  while ((one = sqlite3_next_stmt(db, one)) != nullptr) found.insert(one);
  return found;
}

}  // namespace

// The first statement of the dispatcher that would read a table from its beginning to its end.
Finding look_at_plans(sqlite3* db) {
  const std::set<sqlite3_stmt*> of_the_host = statements_of(db);
  const Store store{db, "track"};  // prepares them
  for (sqlite3_stmt* const hot : statements_of(db)) {
    if (of_the_host.contains(hot)) continue;
    const std::string sql = sqlite3_sql(hot);
    if (sql.find("outbox_") == std::string::npos) continue;
    Statement plan{db, "explain query plan " + sql, integrity_action};
    while (plan.step()) {
      const std::string step = plan.text(3);
      if (reads_whole_table(step)) {
        return {"plans", Level::problem,
                "a statement of the dispatcher reads a whole table (" + step + "): " + sql};
      }
    }
  }
  return {"plans", Level::good, "the dispatcher's statements find their rows by the indexes"};
}

}  // namespace outbox::storage
