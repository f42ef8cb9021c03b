// A host with a wrapper of its own: a member `getHandle()` is all that outbox asks of it.
//
//     example_own_wrapper DATABASE URL

#include <sqlite3.h>

#include <cstdio>
#include <memory>
#include <outbox/outbox.hpp>
#include <stdexcept>
#include <string>

namespace {

class Connection {
 public:
  explicit Connection(const std::string& path) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open(path.c_str(), &opened);
    db_.reset(opened);
    if (code != SQLITE_OK) throw std::runtime_error{"cannot open " + path};
    sqlite3_busy_timeout(opened, 5000);
  }
  sqlite3* getHandle() const { return db_.get(); }
  void run(const char* sql) const {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      throw std::runtime_error{sqlite3_errmsg(db_.get())};
    }
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  std::unique_ptr<sqlite3, Close> db_;
};

// Rolls back by itself, also when an exception passes.
class Transaction {
 public:
  explicit Transaction(const Connection& db) : db_{db} { db_.run("begin immediate"); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!is_done_) sqlite3_exec(db_.getHandle(), "rollback", nullptr, nullptr, nullptr);
  }
  void commit() {
    db_.run("commit");
    is_done_ = true;
  }

 private:
  const Connection& db_;
  bool is_done_ = false;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  const Connection db{argv[1]};
  db.run("pragma journal_mode = wal");
  outbox::migrate(db);
  Transaction transaction{db};
  outbox::enqueue(db, outbox::TrackEvent{.event_name = "signed_up", .user_id = "u1"});
  transaction.commit();
  const outbox::DeliverReport report = outbox::deliver_once(
      db, outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]}));
  return report.delivered == 1 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
