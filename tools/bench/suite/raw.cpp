#include "suite/raw.hpp"

#include <stdexcept>

namespace bench::raw {

Database open(const std::string& path, int more_flags) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | more_flags;
  if (sqlite3_open_v2(path.c_str(), &db, flags, nullptr) != SQLITE_OK) {
    sqlite3_close_v2(db);
    throw std::runtime_error{"raw: cannot open " + path};
  }
  return Database{db};
}

Statement prepare(const Database& db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    throw std::runtime_error{std::string{"raw: "} + sqlite3_errmsg(db.get())};
  }
  return Statement{statement};
}

void execute(const Database& db, const char* sql) {
  if (sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error{std::string{"raw: "} + sqlite3_errmsg(db.get())};
  }
}

void run(const Statement& statement) {
  const int code = sqlite3_step(statement.get());
  sqlite3_reset(statement.get());
  if (code != SQLITE_DONE) throw std::runtime_error{std::string{"raw: "} + sqlite3_errstr(code)};
}

void bind(const Statement& statement, int at, std::string_view text) {
  sqlite3_bind_text(statement.get(), at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

EventInsert::EventInsert(const Database& db)
    : insert_{prepare(db,
                      "insert into outbox_events (event_id, destination, payload, validated,"
                      " ordering_key, dedupe_key, due_at_ms, enqueued_at_ms)"
                      " values (?1, 'track', ?2, 1, null, null, 0, 1729439495059)")} {
  bind(insert_, 1, "01931c9e-0000-7000-8000-000000000001");
}

void EventInsert::run(std::string_view payload) {
  bind(insert_, 2, payload);
  raw::run(insert_);
}

}  // namespace bench::raw
