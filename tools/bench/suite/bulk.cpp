#include "suite/bulk.hpp"

#include <atomic>
#include <exception>
#include <stdexcept>
#include <thread>

#include "outbox/operate.hpp"
#include "suite/raw.hpp"

namespace bench {

namespace {

using std::chrono::milliseconds;

// The app: one row every 5 ms, and how long each of its transactions took, waiting included.
class Writer {
 public:
  explicit Writer(const std::string& path) : db_{raw::open(path)} {
    sqlite3_busy_timeout(db_.get(), 5'000);
    raw::execute(db_, "pragma synchronous = full");
    raw::execute(db_, "create table if not exists app_rows (id integer primary key, text text)");
    insert_ = raw::prepare(db_, "insert into app_rows (text) values ('a row of the app')");
  }

  std::vector<double> write_until(const std::function<bool()>& is_over) {
    std::vector<double> took_ms;
    for (auto next = Clock::now(); !is_over(); next += milliseconds{5}) {
      next = std::max(next, Clock::now());
      std::this_thread::sleep_until(next);
      const auto begin = Clock::now();
      raw::execute(db_, "begin immediate");
      raw::run(insert_);
      raw::execute(db_, "commit");
      took_ms.push_back(seconds_since(begin) * 1e3);
    }
    return took_ms;
  }

 private:
  raw::Database db_;
  raw::Statement insert_;
};

// Runs the work on a thread of its own; what it throws comes out of `end`.
class Worker {
 public:
  Worker(const std::string& path, const Bulk& bulk)
      : thread_{[this, &bulk, path] { run(path, bulk); }} {}
  bool is_done() const { return is_done_.load(); }
  double end() {
    thread_.join();
    if (failure_) std::rethrow_exception(failure_);
    return seconds_;
  }

 private:
  void run(const std::string& path, const Bulk& bulk) {
    try {
      const raw::Database db = raw::open(path);
      sqlite3_busy_timeout(db.get(), 5'000);
      const auto begin = Clock::now();
      const std::int64_t changed = bulk.work(db.get(), path);
      seconds_ = seconds_since(begin);
      if (changed != bulk.rows) throw std::runtime_error{bulk.name + ": has changed too few"};
    } catch (...) {
      failure_ = std::current_exception();
    }
    is_done_ = true;
  }

  std::atomic<bool> is_done_ = false;
  double seconds_ = 0;
  std::exception_ptr failure_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace

BulkResult beside_writer(const Bulk& bulk, milliseconds alone) {
  const std::string path = scratch_path("bulk.db");
  make_database(path, {.events = bulk.rows, .state = bulk.state});
  BulkResult result;
  {
    Writer writer{path};
    const auto end = Clock::now() + alone;
    result.alone_ms = writer.write_until([end] { return Clock::now() >= end; });
    Worker worker{path, bulk};
    result.beside_ms = writer.write_until([&worker] { return worker.is_done(); });
    result.work_seconds = worker.end();
  }
  remove_database(path);
  return result;
}

void print_bulk(const Bulk& bulk, const BulkResult& result) {
  const std::string name = bulk.name + ", the writer's ";
  print_value(name + "p50", "ms", {quantile(result.beside_ms, 0.5)}, {},
              {quantile(result.alone_ms, 0.5)});
  print_value(name + "p99", "ms", {quantile(result.beside_ms, 0.99)}, below(50),
              {quantile(result.alone_ms, 0.99)});
  print_value(name + "max", "ms", {quantile(result.beside_ms, 1)}, {},
              {quantile(result.alone_ms, 1)});
  print_value(bulk.name, "rows/s", {static_cast<double>(bulk.rows) / result.work_seconds}, {});
}

void measure_bulk(Size size) {
  const std::int64_t rows = size == Size::full ? 1'000'000 : 5'000;
  const milliseconds alone = size == Size::full ? milliseconds{5'000} : milliseconds{200};
  const std::string count = size == Size::full ? " 1,000,000 events" : " 5,000 events";
  const Bulk bulks[] = {
      {.name = "retry of" + count,
       .rows = rows,
       .state = EventState::dead,
       .work = [](sqlite3* db,
                  const std::string&) { return outbox::retry(db, outbox::Selection::all()); }},
      {.name = "prune of" + count,
       .rows = rows,
       .state = EventState::delivered,
       .work =
           [](sqlite3*, const std::string& path) {
             return outbox::prune(path, {.older_than = milliseconds{0}});
           }},
      {.name = "erasure of" + count,
       .rows = rows,
       .state = EventState::delivered,
       .work =
           [](sqlite3*, const std::string& path) {
             return outbox::erase(path,
                                  outbox::Subject::group("bp497d1a-0159-4009-9454-8a1b0e7c0a60"))
                 .events;
           }},
  };
  for (const Bulk& bulk : bulks) {
    say("bulk: " + bulk.name);
    print_bulk(bulk, beside_writer(bulk, alone));
  }
}

}  // namespace bench
