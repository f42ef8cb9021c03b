#include "pulse.hpp"

#include <algorithm>

#include "database_files.hpp"

namespace page {

namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds between_looks{250};
constexpr milliseconds after_trouble{2'000};
// What no commit tells: a dispatcher that came, went or hangs.
constexpr milliseconds unchanged_max{5'000};
constexpr milliseconds count_patience{10'000};  // with many millions of undelivered events
// A status of a large queue is a long read. While it runs, commits of the app take longer: at a
// hundredth of the time, not even one commit in a hundred meets it.
constexpr int rest = 100;  // times what the last status has cost
constexpr milliseconds rest_max{30'000};

}  // namespace

// A connection, and what it has seen.
class Pulse::Watch {
 public:
  explicit Watch(const Desk& desk)
      : desk_{desk}, file_{cli::file_at(desk.globals.db)}, reader_{desk, count_patience} {}

  // Another file is in the place of the one that this has open.
  bool is_outdated() const { return cli::file_at(desk_.globals.db) != file_; }

  // The status, if it may have changed.
  std::optional<std::string> look() {
    const auto begin = SteadyClock::now();
    reader_.restart();
    const std::int64_t version = reader_.db().execAndGet("pragma main.data_version").getInt64();
    if (version == version_ && begin - read_at_ < unchanged_max) return std::nullopt;
    std::string text =
        status_json(desk_, reader_.db()).dump(-1, ' ', false, Json::error_handler_t::replace);
    version_ = version;
    read_at_ = SteadyClock::now();
    cost_ = read_at_ - begin;
    return text;
  }

  SteadyClock::duration rest_after() const {
    return std::clamp<SteadyClock::duration>(cost_ * rest, between_looks, rest_max);
  }

 private:
  const Desk& desk_;
  cli::FileId file_;
  Reader reader_;
  std::int64_t version_ = -1;
  SteadyClock::time_point read_at_ = {};
  SteadyClock::duration cost_ = {};
};

Pulse::Pulse(const Desk& desk) : desk_{desk}, thread_{[this] { run(); }} {}

Pulse::~Pulse() {
  stop();
  thread_.join();
}

void Pulse::stop() {
  {
    const std::scoped_lock lock{mutex_};
    is_stopped_ = true;
  }
  changed_.notify_all();
}

bool Pulse::enter() {
  const std::scoped_lock lock{mutex_};
  if (watchers_ == watchers_max) return false;
  ++watchers_;
  changed_.notify_all();
  return true;
}

void Pulse::leave() {
  const std::scoped_lock lock{mutex_};
  --watchers_;
}

std::optional<Beat> Pulse::next(std::uint64_t seen, milliseconds wait) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, wait, [&] { return is_stopped_ || beat_.number != seen; });
  if (beat_.number == seen) return std::nullopt;
  return beat_;
}

std::optional<std::string> Pulse::latest_status() {
  const std::scoped_lock lock{mutex_};
  const bool is_fresh = watchers_ > 0 && SteadyClock::now() - told_at_ < unchanged_max * 2;
  if (!is_fresh || beat_.name != "status") return std::nullopt;
  return beat_.data;
}

void Pulse::run() {
  std::unique_ptr<Watch> watch;  // a new one after trouble, and for a file that was replaced
  while (!is_stopped_) {
    {
      std::unique_lock lock{mutex_};
      if (watchers_ == 0) watch.reset();
      changed_.wait(lock, [this] { return is_stopped_ || watchers_ > 0; });
      if (is_stopped_) return;
    }
    try {
      if (watch && watch->is_outdated()) watch.reset();
      if (!watch) watch = std::make_unique<Watch>(desk_);
      if (auto status = watch->look()) tell("status", std::move(*status));
      sleep_for(watch->rest_after());
    } catch (...) {
      watch.reset();
      tell("trouble",
           current_problem().json().dump(-1, ' ', false, Json::error_handler_t::replace));
      sleep_for(after_trouble);
    }
  }
}

void Pulse::tell(const char* name, std::string data) {
  {
    const std::scoped_lock lock{mutex_};
    beat_ = {.number = beat_.number + 1, .name = name, .data = std::move(data)};
    told_at_ = SteadyClock::now();
  }
  changed_.notify_all();
}

void Pulse::sleep_for(SteadyClock::duration wait) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, wait, [this] { return is_stopped_.load(); });
}

}  // namespace page
