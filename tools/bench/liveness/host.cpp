// Does a dispatcher harm its host? A host with one connection, set up as docs/operations.md says,
// commits an invite and its event every millisecond, beside a dispatcher that delivers them. Counts
// the host's transactions that failed, and compares its commit times with a run without a
// dispatcher.

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "liveness/measure.hpp"
#include "liveness/world.hpp"
#include "outbox/outbox.hpp"
#include "track_server/server.hpp"

namespace liveness {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct HostResult {
  std::size_t failed = 0;
  std::string first_error = {};
  std::vector<double> commit_ms = {};  // of those that did not fail
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

HostResult run_host(const AppFile& file, seconds length,
                    const std::function<void()>& after_commit) {
  SQLite::Database db = file.connect();
  db.exec("create table invites (id integer primary key, email text)");
  HostResult result;
  const auto end = Clock::now() + length;
  for (auto next = Clock::now(); next < end; next += milliseconds{1}) {
    std::this_thread::sleep_until(next);
    const auto begin = Clock::now();
    try {
      commit_invite(db, result.commit_ms.size());
      result.commit_ms.push_back(ms_since(begin));
    } catch (const std::exception& error) {
      if (result.failed++ == 0) result.first_error = error.what();
    }
    after_commit();
  }
  return result;
}

void print(const char* name, const HostResult& result) {
  const Quantiles found = quantiles_of(result.commit_ms);
  std::cout << name << ": " << result.commit_ms.size() << " committed, " << result.failed
            << " failed; commit p50 " << found.p50 << " ms, p99 " << found.p99 << " ms\n";
  if (result.failed > 0) std::cout << "  first error: " << result.first_error << "\n";
}

}  // namespace

bool measure_host(int length_s) {
  const HostResult alone = run_host(AppFile{}, seconds{length_s}, [] {});
  const AppFile file;
  track_server::TrackServer server{{.keeps_events = false}};
  outbox::Dispatcher dispatcher{
      file.path(), outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()})};
  const HostResult beside =
      run_host(file, seconds{length_s}, [&dispatcher] { dispatcher.notify(); });
  const bool has_all = server.wait_for_events(beside.commit_ms.size(), seconds{30});
  dispatcher.stop(seconds{5});

  print("alone             ", alone);
  print("beside dispatcher ", beside);
  std::cout << "delivered: " << server.event_count() << " of " << beside.commit_ms.size() << " in "
            << server.request_count() << " requests\n";
  return beside.failed == 0 && has_all;
}

}  // namespace liveness
