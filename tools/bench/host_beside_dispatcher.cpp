// Does a dispatcher harm its host? A host with one connection, set up as the README says, commits
// an invite and its event every millisecond, beside a dispatcher that delivers them. Counts the
// host's transactions that failed, and compares its commit times with a run without a dispatcher.
//
//     host_beside_dispatcher --seconds 60

#include <SQLiteCpp/SQLiteCpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <thread>
#include <vector>

#include "outbox/outbox.hpp"
#include "track_server/server.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

struct Result {
  std::size_t committed = 0;
  std::size_t failed = 0;
  std::string first_error = {};
  std::vector<double> commit_us = {};

  double quantile(double q) {
    if (commit_us.empty()) return 0;
    const auto at = static_cast<std::ptrdiff_t>(q * static_cast<double>(commit_us.size() - 1));
    std::nth_element(commit_us.begin(), commit_us.begin() + at, commit_us.end());
    return commit_us[static_cast<std::size_t>(at)];
  }
};

void commit_invite(SQLite::Database& db, std::size_t number) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  SQLite::Statement read{db, "select count(*) from invites where id > ? - 10"};
  read.bind(1, static_cast<std::int64_t>(number));
  read.executeStep();
  SQLite::Statement insert{db, "insert into invites (email) values (?)"};
  insert.bind(1, "amy" + std::to_string(number) + "@achme.com");
  insert.exec();
  outbox::enqueue(
      db, outbox::InviteSent{
              .user_id = "john", .group_id = "achme", .invitee = {.email = "amy@achme.com"}});
  transaction.commit();
}

Result run_host(const std::string& path, std::chrono::seconds length,
                const std::function<void()>& after_commit) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE};
  db.setBusyTimeout(5000);
  Result result;
  const auto end = Clock::now() + length;
  for (auto next = Clock::now(); next < end; next += std::chrono::milliseconds{1}) {
    std::this_thread::sleep_until(next);
    const auto begin = Clock::now();
    try {
      commit_invite(db, result.committed);
      result.commit_us.push_back(Microseconds{Clock::now() - begin}.count());
      ++result.committed;
    } catch (const std::exception& error) {
      if (result.failed++ == 0) result.first_error = error.what();
    }
    after_commit();
  }
  return result;
}

void prepare(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("pragma journal_mode = wal; create table invites (id integer primary key, email text)");
  outbox::migrate(db);
}

void print(const char* name, Result& result) {
  std::cout << name << ": " << result.committed << " committed, " << result.failed
            << " failed; commit p50 " << static_cast<long>(result.quantile(0.5)) << " us, p99 "
            << static_cast<long>(result.quantile(0.99)) << " us\n";
  if (result.failed > 0) std::cout << "  first error: " << result.first_error << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  int seconds = 60;
  CLI::App app{"Counts the host's failed transactions beside a busy dispatcher."};
  app.add_option("--seconds", seconds, "Length of each of the two runs")->check(CLI::Range(1, 600));
  CLI11_PARSE(app, argc, argv);

  std::string folder = (std::filesystem::temp_directory_path() / "outbox-bench-XXXXXX").native();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const std::string alone = folder + "/alone.db";
  const std::string beside = folder + "/beside.db";
  prepare(alone);
  prepare(beside);

  Result baseline = run_host(alone, std::chrono::seconds{seconds}, [] {});
  track_server::TrackServer server{{.keeps_events = false}};
  outbox::Dispatcher dispatcher{
      beside, outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()})};
  Result result =
      run_host(beside, std::chrono::seconds{seconds}, [&dispatcher] { dispatcher.notify(); });
  const bool has_all = server.wait_for_events(result.committed, std::chrono::seconds{30});
  dispatcher.stop(std::chrono::seconds{5});
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);

  print("alone             ", baseline);
  print("beside dispatcher ", result);
  std::cout << "delivered: " << server.event_count() << " of " << result.committed << " in "
            << server.request_count() << " requests\n";
  return result.failed == 0 && has_all ? 0 : 1;
}
