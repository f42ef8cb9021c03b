#pragma once

// A small app with an outbox, for programs that make its disk fail: each event has a row of the
// app's own in the same transaction, so that the two must agree whatever happens.

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <outbox/outbox.hpp>
#include <set>
#include <string>
#include <utility>

#include "track_server/server.hpp"

namespace faults {

// What arrived, by user.
class Received {
 public:
  void add(const std::string& body) {
    const std::lock_guard guard{mutex_};
    for (const nlohmann::json& event : nlohmann::json::parse(body)) {
      ++counts_[event.at("user_id").get<std::string>()];
    }
  }
  std::map<std::string, int> take() {
    const std::lock_guard guard{mutex_};
    return std::exchange(counts_, {});
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> counts_;
};

class Bench {
 public:
  Bench() : folder_{std::filesystem::temp_directory_path() / ("outbox-io-" + unique())} {
    std::filesystem::create_directories(folder_);
  }
  ~Bench() { std::filesystem::remove_all(folder_); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  std::string new_path() { return (folder_ / (std::to_string(++files_) + ".db")).string(); }
  void remove(const std::string& path) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal", "-outbox-track.lock"}) {
      std::filesystem::remove(path + suffix);
    }
  }
  outbox::Endpoint endpoint() const {
    return outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = server_.url()});
  }
  std::map<std::string, int> received() { return received_.take(); }

 private:
  static std::string unique() {
    return std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  }

  std::filesystem::path folder_;
  int files_ = 0;
  Received received_;
  track_server::TrackServer server_{
      {.keeps_events = false, .on_request = [this](const auto& request) {
         if (request.events > 0) received_.add(request.body);
       }}};
};

inline outbox::DispatcherOptions options() {
  outbox::DispatcherOptions options;
  options.backoff_min = std::chrono::milliseconds{1};
  options.backoff_max = std::chrono::milliseconds{5};
  return options;
}

inline SQLite::Database open_app(const std::string& path, const std::string& vfs = {}) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5'000, vfs};
  db.exec("pragma journal_mode = wal; create table if not exists notes (user text primary key)");
  return db;
}

inline void enqueue(SQLite::Database& db, const std::string& prefix) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  for (const char* suffix : {"-a", "-b"}) {
    SQLite::Statement insert{db, "insert into notes values (?)"};
    insert.bind(1, prefix + suffix);
    insert.exec();
    outbox::enqueue(db, outbox::TrackEvent{.event_name = "signed_up", .user_id = prefix + suffix});
  }
  transaction.commit();
}

struct Allowed {
  std::string erased = {};        // this user's event need not arrive
  bool may_lose_commits = false;  // what arrived may have lost its row since
};

// What is wrong once the disk works again; empty: nothing.
inline std::string fault_after(const std::string& path, Bench& bench, const Allowed& allowed = {}) {
  SQLite::Database db = open_app(path);
  outbox::migrate(db);
  const outbox::DeliverReport report = outbox::deliver_once(db, bench.endpoint(), options());
  if (report.remaining != 0 || outbox::status(db).counts.pending != 0) return "not all delivered";
  if (outbox::status(db).counts.dead != 0) return "an event died";
  if (db.execAndGet("pragma integrity_check").getString() != "ok") return "the file is damaged";
  for (const outbox::Finding& found : outbox::diagnose(db)) {
    if (found.level == outbox::Finding::Level::problem) return found.text;
  }
  std::set<std::string> notes;
  SQLite::Statement read{db, "select user from notes"};
  while (read.executeStep()) notes.insert(read.getColumn(0).getString());
  const std::map<std::string, int> received = bench.received();
  for (const std::string& user : notes) {
    if (received.count(user) == 0 && user != allowed.erased) return user + " is lost";
  }
  for (const auto& [user, count] : received) {
    if (notes.count(user) == 0 && !allowed.may_lose_commits) return user + " is a phantom";
    if (count > 2) return user + " arrived " + std::to_string(count) + " times";
  }
  return {};
}

}  // namespace faults
