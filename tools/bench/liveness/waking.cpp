#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <iostream>
#include <thread>
#include <vector>

#include "liveness/measure.hpp"
#include "liveness/world.hpp"
#include "track_server/server.hpp"

namespace liveness {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that notes when each request came.
struct Watched {
  track_server::TrackServer server{
      {.keeps_events = false,
       .on_request = [this](const track_server::Request&) { arrived.store(Clock::now()); }}};
  std::atomic<Clock::time_point> arrived = Clock::time_point{};
};

void print(const char* name, const std::vector<double>& values) {
  const Quantiles found = quantiles_of(values);
  std::cout << name << ": p50 " << found.p50 << " ms, p99 " << found.p99 << " ms, max " << found.max
            << " ms of " << values.size() << std::endl;
}

// Calls `commit`, which returns when it committed, `times` times with the queue idle in between.
std::vector<double> wake_often(std::size_t times, Watched& watched,
                               const std::function<Clock::time_point()>& commit) {
  std::vector<double> took;
  for (std::size_t i = 0; i < times; ++i) {
    std::this_thread::sleep_for(milliseconds{i % 10 == 9 ? 2'500 : 30});  // also after the traffic
    const auto last = watched.arrived.load();
    const auto committed = commit();
    const auto give_up = Clock::now() + seconds{10};
    while (watched.arrived.load() == last && Clock::now() < give_up) {
      std::this_thread::sleep_for(milliseconds{1});
    }
    took.push_back(Milliseconds{watched.arrived.load() - committed}.count());
  }
  return took;
}

// What the rest is measured beside: a commit, and a byte over a loopback connection.
std::vector<double> bare_socket_writes(std::size_t times, SQLite::Database& db) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return {};
  std::atomic<Clock::time_point> arrived = Clock::time_point{};
  std::atomic<std::size_t> count = 0;
  std::thread reader{[&] {
    char byte = 0;
    while (read(ends[0], &byte, 1) == 1) {
      arrived.store(Clock::now());
      ++count;
    }
  }};
  std::vector<double> took;
  for (std::size_t i = 0; i < times; ++i) {
    std::this_thread::sleep_for(milliseconds{30});
    db.exec("begin immediate; commit");
    const auto committed = Clock::now();
    if (write(ends[1], "x", 1) != 1) break;
    while (count.load() <= i) std::this_thread::yield();
    took.push_back(Milliseconds{arrived.load() - committed}.count());
  }
  close(ends[1]);
  reader.join();
  close(ends[0]);
  return took;
}

// Another process that commits when told, and tells when it has.
class Committer {
 public:
  explicit Committer(const std::string& db) {
    if (pipe(orders_.data()) != 0 || pipe(reports_.data()) != 0) return;
    pid_ = fork();
    if (pid_ != 0) return;
    dup2(orders_[0], STDIN_FILENO);
    dup2(reports_[1], STDOUT_FILENO);
    for (const int end : {orders_[0], orders_[1], reports_[0], reports_[1]}) close(end);
    execl("/proc/self/exe", "liveness", "committer", "--db", db.c_str(), nullptr);
    _exit(1);
  }
  ~Committer() {
    close(orders_[1]);
    waitpid(pid_, nullptr, 0);
  }
  Clock::time_point commit() {
    Clock::time_point committed;  // of the same clock: it counts since boot
    if (write(orders_[1], "x", 1) != 1 ||
        read(reports_[0], &committed, sizeof(committed)) != sizeof(committed)) {
      throw std::runtime_error{"the other process is gone"};
    }
    return committed;
  }

 private:
  std::array<int, 2> orders_{};
  std::array<int, 2> reports_{};
  pid_t pid_ = -1;
};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds_of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

}  // namespace

WakingResult commits_to_requests(std::size_t times) {
  const AppFile app;
  Committer committer{app.path()};  // before there are threads
  Watched watched;
  SQLite::Database db = app.connect();
  WakingResult result{.bare_ms = bare_socket_writes(times, db)};
  outbox::Dispatcher dispatcher{app.path(), outbox::track_api({.credentials = outbox::bearer("t"),
                                                               .url = watched.server.url()})};
  result.notified_ms = wake_often(times, watched, [&] {
    commit_event(db);
    const auto committed = Clock::now();
    dispatcher.notify();
    return committed;
  });
  result.unnotified_ms = wake_often(times, watched, [&] {
    commit_event(db);
    return Clock::now();
  });
  result.other_process_ms = wake_often(times, watched, [&] { return committer.commit(); });
  return result;
}

void measure_waking(std::size_t times) {
  const WakingResult result = commits_to_requests(times);
  print("a bare socket write after a commit  ", result.bare_ms);
  print("in process, with notify             ", result.notified_ms);
  print("in process, another connection      ", result.unnotified_ms);
  print("another process                     ", result.other_process_ms);
}

IdleResult cpu_while_idle(int length) {
  const AppFile app;
  const BlackHole black_hole;
  track_server::TrackServer server;
  SQLite::Database db = app.connect();
  const auto measure = [&](const std::string& url) {
    const outbox::Dispatcher dispatcher{
        app.path(),
        outbox::track_api(
            {.credentials = outbox::bearer("t"), .url = url, .timeout = std::chrono::minutes{5}})};
    commit_event(db);
    std::this_thread::sleep_for(seconds{3});
    const double before = cpu_seconds();
    std::this_thread::sleep_for(seconds{length});
    return 100 * (cpu_seconds() - before) / length;
  };
  const double idle_percent = measure(server.url());
  return {.idle_percent = idle_percent, .waiting_percent = measure(black_hole.url())};
}

void measure_idle(int length) {
  const IdleResult result = cpu_while_idle(length);
  std::cout << "over " << length << " s, of a core: idle " << result.idle_percent
            << " %, a request without an answer " << result.waiting_percent << " %" << std::endl;
}

void play_committer(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE};
  db.setBusyTimeout(5000);
  char order = 0;
  while (read(STDIN_FILENO, &order, 1) == 1) {
    commit_event(db);
    const auto committed = Clock::now();
    if (write(STDOUT_FILENO, &committed, sizeof(committed)) != sizeof(committed)) return;
  }
}

}  // namespace liveness
