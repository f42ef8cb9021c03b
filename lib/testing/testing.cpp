#include "outbox/testing.hpp"

#include <sqlite3.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "outbox/errors.hpp"
#include "outbox/inspect.hpp"
#include "outbox/migrate.hpp"

namespace outbox {
inline namespace v1 {
namespace testing {

TestDatabase::TestDatabase() {
  folder_ = (std::filesystem::temp_directory_path() / "outbox-test-XXXXXX").native();
  if (mkdtemp(folder_.data()) == nullptr) {
    throw std::runtime_error{"outbox: no temporary folder"};
  }
  path_ = folder_ + "/app.db";
  const int code = sqlite3_open(path_.c_str(), &handle_);
  if (code != SQLITE_OK) throw database_error{code, "outbox: cannot open " + path_};
  sqlite3_busy_timeout(handle_, 5'000);
  sqlite3_exec(handle_, "pragma journal_mode = wal", nullptr, nullptr, nullptr);
  migrate(handle_);
}

TestDatabase::~TestDatabase() {
  sqlite3_close_v2(handle_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

struct RecordingEndpoint::State {
  std::mutex mutex;
  std::vector<SentRequest> requests;
  std::vector<std::string> accepted;
  std::deque<Outcome> next;
  std::function<Outcome(const SentRequest&)> answer;

  Outcome take(const SentRequest& request) {
    std::unique_lock guard{mutex};
    Outcome outcome = testing::accepted();
    if (!next.empty()) {
      outcome = std::move(next.front());
      next.pop_front();
    } else if (answer) {
      const auto answer_of = answer;
      guard.unlock();  // it may ask what has come
      outcome = answer_of(request);
      guard.lock();
    }
    requests.push_back(request);
    const auto& of_each = outcome.events;
    if (of_each.empty() && outcome.verdict == Verdict::delivered) {
      accepted.insert(accepted.end(), request.payloads.begin(), request.payloads.end());
    }
    for (const EventOutcome& event : of_each) {
      if (event.verdict == Verdict::delivered && event.index < request.payloads.size()) {
        accepted.push_back(request.payloads[event.index]);
      }
    }
    return outcome;
  }
};

// Answers at the next `collect`, which otherwise waits until it is woken.
class RecordingEndpoint::RecordingSink final : public Sink {
 public:
  explicit RecordingSink(std::shared_ptr<State> state) : state_{std::move(state)} {}

  std::string name() const override { return "recording"; }
  void submit(std::uint64_t token, Batch batch) override {
    SentRequest request{.destination = batch.destination, .kind = batch.events.front().kind};
    for (const BatchEvent& event : batch.events) {
      request.payloads.emplace_back(batch.payload(event));
    }
    replies_.push_back({token, state_->take(request)});
  }
  std::vector<Reply> collect(std::chrono::milliseconds time_max) override {
    if (replies_.empty()) {
      std::unique_lock lock{mutex_};
      woken_.wait_for(lock, time_max, [this] { return is_woken_; });
      is_woken_ = false;
    }
    return std::exchange(replies_, {});
  }
  void wake() noexcept override {
    const std::lock_guard guard{mutex_};
    is_woken_ = true;
    woken_.notify_all();
  }
  void abort() noexcept override { replies_.clear(); }

 private:
  std::shared_ptr<State> state_;
  std::vector<Reply> replies_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool is_woken_ = false;
};

namespace {

Outcome outcome_of(Verdict verdict, std::string reason) {
  return {.verdict = verdict, .reason = std::move(reason), .has_arrived = true};
}

std::vector<StoredEvent> stored(ConnectionRef connection, EventState state) {
  std::vector<StoredEvent> events;
  for (const EventDetail& detail : list_details(connection, {.state = state})) {
    events.push_back({.destination = detail.event.destination,
                      .kind = detail.kind,
                      .event_name = detail.event.event_name,
                      .user_id = detail.event.user_id,
                      .group_id = detail.event.group_id,
                      .ordering_key = detail.ordering_key,
                      .payload = detail.payload,
                      .last_error = detail.event.last_error});
  }
  return events;
}

}  // namespace

RecordingEndpoint::RecordingEndpoint() : state_{std::make_shared<State>()} {}
RecordingEndpoint::~RecordingEndpoint() = default;

Endpoint RecordingEndpoint::endpoint() const {
  return Endpoint{std::make_unique<RecordingSink>(state_)};
}

void RecordingEndpoint::answer_next(Outcome outcome) {
  const std::lock_guard guard{state_->mutex};
  state_->next.push_back(std::move(outcome));
}

void RecordingEndpoint::answer_by(std::function<Outcome(const SentRequest&)> answer) {
  const std::lock_guard guard{state_->mutex};
  state_->answer = std::move(answer);
}

std::vector<SentRequest> RecordingEndpoint::requests() const {
  const std::lock_guard guard{state_->mutex};
  return state_->requests;
}

std::vector<std::string> RecordingEndpoint::accepted() const {
  const std::lock_guard guard{state_->mutex};
  return state_->accepted;
}

Outcome accepted() {
  return outcome_of(Verdict::delivered, {});
}
Outcome refused(std::string reason) {
  return outcome_of(Verdict::refused, std::move(reason));
}
Outcome unavailable(std::string reason) {
  return outcome_of(Verdict::unavailable, std::move(reason));
}
Outcome unauthorized(std::string reason) {
  return outcome_of(Verdict::unauthorized, std::move(reason));
}
Outcome lost(std::string reason) {
  return outcome_of(Verdict::failed, std::move(reason));
}

struct ManualClock::State {
  std::mutex mutex;
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

ManualClock::ManualClock() : state_{std::make_shared<State>()} {}

std::chrono::system_clock::time_point ManualClock::now() const {
  const std::lock_guard guard{state_->mutex};
  return state_->now;
}

void ManualClock::advance(std::chrono::milliseconds by) {
  const std::lock_guard guard{state_->mutex};
  state_->now += by;
}

std::function<std::chrono::system_clock::time_point()> ManualClock::function() const {
  return [clock = *this] { return clock.now(); };
}

std::ostream& operator<<(std::ostream& out, const StoredEvent& event) {
  const std::string kind = event.kind.empty() ? "track" : event.kind;
  out << event.destination << " " << kind;
  for (const std::string* text : {&event.event_name, &event.user_id, &event.group_id}) {
    if (!text->empty()) out << " " << *text;
  }
  if (!event.ordering_key.empty()) out << " key=" << event.ordering_key;
  if (!event.last_error.empty()) out << " (" << event.last_error << ")";
  return out << " " << event.payload;
}

std::ostream& operator<<(std::ostream& out, const SentRequest& request) {
  out << (request.kind.empty() ? "track" : request.kind) << " [";
  for (std::size_t i = 0; i < request.payloads.size(); ++i) {
    out << (i == 0 ? "" : ",") << request.payloads[i];
  }
  return out << "]";
}

std::vector<StoredEvent> pending(ConnectionRef connection) {
  return stored(connection, EventState::pending);
}
std::vector<StoredEvent> delivered(ConnectionRef connection) {
  return stored(connection, EventState::delivered);
}
std::vector<StoredEvent> dead(ConnectionRef connection) {
  return stored(connection, EventState::dead);
}

}  // namespace testing
}  // namespace v1
}  // namespace outbox
