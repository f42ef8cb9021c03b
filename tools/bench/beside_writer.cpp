// Does a person's change hold the app up? A writer commits a row every 5 ms: first alone, then
// beside an erasure of one person among many, or beside a retry of many dead events. How long its
// commits take, with their waiting, and how large the WAL becomes.
//
//     beside_writer erase --events 1000000 --page-size 65536
//     beside_writer retry --events 100000
//
// Or the writer by itself, beside whatever else is at work in a database:
// tests/tools/page/load.mjs.
//
//     beside_writer write --db app.db --seconds 20

#include <SQLiteCpp/SQLiteCpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "outbox/outbox.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr auto period = std::chrono::milliseconds{5};
constexpr auto email = "amy.forgotten@achme.com";

SQLite::Database open(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(60'000);
  return db;
}

// One of them in a thousand is about the person.
void fill(const std::string& path, std::int64_t events, int page_size, bool are_dead) {
  SQLite::Database db = open(path);
  db.exec("pragma page_size = " + std::to_string(page_size));
  db.exec("pragma journal_mode = wal");
  db.exec("create table app (id integer primary key, text text)");
  outbox::migrate(db);
  for (std::int64_t made = 0; made < events;) {
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    for (int i = 0; i < 1'000 && made < events; ++i, ++made) {
      outbox::enqueue(db,
                      outbox::InviteSent{.user_id = "john",
                                         .group_id = "achme",
                                         .invitee = {.email = i == 500 ? email : "tom@achme.com"}});
    }
    transaction.commit();
  }
  if (are_dead) {
    db.exec("update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 1, refusals = 10");
  }
  db.exec("pragma wal_checkpoint(truncate)");
}

struct Waits {
  std::vector<double> ms = {};
  std::uintmax_t wal_bytes_max = 0;
  std::size_t failed = 0;

  double quantile(double q) {
    if (ms.empty()) return 0;
    std::sort(ms.begin(), ms.end());
    return ms[static_cast<std::size_t>(q * static_cast<double>(ms.size() - 1))];
  }
};

Waits write_until(const std::string& path, const std::function<bool()>& is_over) {
  SQLite::Database db = open(path);
  SQLite::Statement insert{db, "insert into app (text) values ('x')"};
  Waits waits;
  for (auto next = Clock::now(); !is_over(); next = std::max(next + period, Clock::now())) {
    std::this_thread::sleep_until(next);
    const auto begin = Clock::now();
    try {
      insert.exec();
      insert.reset();
    } catch (const SQLite::Exception&) {
      ++waits.failed;
    }
    waits.ms.push_back(Milliseconds{Clock::now() - begin}.count());
    std::error_code none;
    const auto wal = std::filesystem::file_size(path + "-wal", none);
    if (!none) waits.wal_bytes_max = std::max(waits.wal_bytes_max, wal);
  }
  return waits;
}

void print(const char* name, Waits& waits) {
  std::cout << name << ": " << waits.ms.size() << " commits, " << waits.failed << " failed; p50 "
            << waits.quantile(0.5) << " ms, p99 " << waits.quantile(0.99) << " ms, longest "
            << waits.quantile(1) << " ms; WAL at most " << waits.wal_bytes_max / 1'000'000
            << " MB\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t events = 100'000;
  int page_size = 4'096;
  CLI::App app{"How long a writer waits beside a change that a person makes"};
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* about) {
    auto* const command = app.add_subcommand(name, about);
    command->add_option("--events", events, "Stored events")->check(CLI::Range(1, 10'000'000));
    command->add_option("--page-size", page_size, "512 to 65536, a power of two");
    return command;
  };
  const auto* const erase = add("erase", "Erase one person of a thousandth of the events");
  add("retry", "Retry all events, which are dead");
  std::string db;
  int seconds = 20;
  auto* const write = app.add_subcommand("write", "Only write, into a database that is there");
  write->add_option("--db", db, "The database")->required();
  write->add_option("--seconds", seconds, "For so long");
  CLI11_PARSE(app, argc, argv);
  if (write->parsed()) {
    open(db).exec("create table if not exists app (id integer primary key, text text)");
    const auto until = Clock::now() + std::chrono::seconds{seconds};
    Waits waits = write_until(db, [until] { return Clock::now() >= until; });
    print("writer", waits);
    return waits.failed == 0 ? 0 : 1;
  }

  std::string folder = (std::filesystem::temp_directory_path() / "outbox-bench-XXXXXX").native();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const std::string path = folder + "/app.db";
  fill(path, events, page_size, !erase->parsed());

  const auto alone_until = Clock::now() + std::chrono::seconds{10};
  Waits alone = write_until(path, [&] { return Clock::now() >= alone_until; });
  // A WAL file never shrinks by itself: without this it would keep the size of the writer alone.
  open(path).exec("pragma wal_checkpoint(truncate)");
  std::atomic<bool> is_over = false;
  std::int64_t changed = 0;
  const auto begin = Clock::now();
  std::thread person{[&] {
    if (erase->parsed()) {
      changed = outbox::erase({path}, outbox::Subject::email(email)).events;
    } else {
      SQLite::Database db = open(path);
      changed = outbox::retry(db, outbox::Selection::all());
    }
    is_over = true;
  }};
  Waits beside = write_until(path, [&] { return is_over.load(); });
  person.join();
  const Milliseconds took = Clock::now() - begin;
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);

  print("alone ", alone);
  print("beside", beside);
  std::cout << changed << " events changed in " << took.count() / 1'000 << " s\n";
  return beside.failed == 0 && changed > 0 ? 0 : 1;
}
