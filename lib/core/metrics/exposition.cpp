#include "core/metrics/exposition.hpp"

#include <array>
#include <cstdio>
#include <functional>
#include <utility>

#include "core/event/limits.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

using std::chrono::milliseconds;

// Without the locale's comma, and without an exponent.
std::string seconds_text(milliseconds duration) {
  std::string text = std::to_string(duration.count() / 1'000);
  const auto rest = static_cast<int>(duration.count() % 1'000);
  if (rest == 0) return text;
  std::array<char, 8> digits{};
  std::snprintf(digits.data(), digits.size(), ".%03d", rest);
  text += digits.data();
  return text.substr(0, text.find_last_not_of('0') + 1);
}

milliseconds since_epoch(std::chrono::system_clock::time_point instant) {
  return std::chrono::floor<milliseconds>(instant.time_since_epoch());
}

std::string label(const std::string& destination) {
  std::string text = "destination=\"";
  // A name has none of these, unless by force.
  for (const char c : sanitised(destination, error_bytes_max)) {
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  text += '"';
  return text;
}

class Exposition {
 public:
  explicit Exposition(const std::vector<DestinationStatus>& destinations)
      : destinations_{destinations} {}

  // `name` without the prefix that all have.
  void family(const std::string& name, const char* type, const char* help) {
    name_ = "outbox_" + name;
    text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }
  void sample(const std::string& labels, const std::string& value, const char* suffix = "") {
    text_ += name_;
    text_ += suffix;
    if (!labels.empty()) text_ += "{" + labels + "}";
    text_ += " " + value + "\n";
  }
  void each(const std::function<std::string(const DestinationStatus&)>& value) {
    for (const auto& destination : destinations_) {
      sample(label(destination.name), value(destination));
    }
  }
  void each_total(std::int64_t Counts::*member) {
    each([member](const auto& destination) { return std::to_string(destination.counts.*member); });
  }
  void each_flag(const std::function<bool(const DestinationStatus&)>& is_so) {
    each([&is_so](const auto& destination) { return is_so(destination) ? "1" : "0"; });
  }
  void histogram(const std::string& labels, const Histogram& histogram) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      count += histogram.counts[i];
      const bool is_last = i == histogram.bounds.size();
      std::string bucket = labels;
      bucket += ",le=\"" + (is_last ? "+Inf" : seconds_text(histogram.bounds[i])) + "\"";
      sample(bucket, std::to_string(count), "_bucket");
    }
    sample(labels, seconds_text(histogram.sum), "_sum");
    sample(labels, std::to_string(count), "_count");
  }
  std::string take() { return std::move(text_); }

 private:
  const std::vector<DestinationStatus>& destinations_;
  std::string name_;
  std::string text_;
};

void put_events(Exposition& out, const Status& status) {
  out.family("events", "gauge", "Events that are not delivered, by state.");
  constexpr std::array<std::pair<const char*, std::int64_t Counts::*>, 6> states{{
      {"due", &Counts::due},
      {"scheduled", &Counts::scheduled},
      {"waiting", &Counts::waiting},
      {"retrying", &Counts::retrying},
      {"dead", &Counts::dead},
      {"discarded", &Counts::discarded},
  }};
  for (const DestinationStatus& destination : status.destinations) {
    for (const auto& [state, member] : states) {
      out.sample(label(destination.name) + ",state=\"" + state + "\"",
                 std::to_string(destination.counts.*member));
    }
  }
  out.family("oldest_due_seconds", "gauge", "Age of the oldest due event; 0: nothing is due.");
  out.each([](const DestinationStatus& destination) {
    return seconds_text(destination.counts.oldest_due_age.value_or(milliseconds{0}));
  });
  out.family("oldest_retrying_seconds", "gauge",
             "Age of the oldest event that was refused or failed alone; 0: there is none.");
  out.each([](const DestinationStatus& destination) {
    return seconds_text(destination.counts.oldest_retrying_age.value_or(milliseconds{0}));
  });
  // A counter never falls: what was moved to another destination counts for both.
  out.family("events_enqueued_total", "counter", "Events ever enqueued, or moved here.");
  out.each([](const auto& destination) {
    return std::to_string(destination.counts.enqueued + destination.counts.moved_away);
  });
  out.family("events_delivered_total", "counter", "Deliveries ever recorded.");
  out.each_total(&Counts::delivered_total);
  out.family("requests_total", "counter", "Requests ever answered or failed.");
  out.each_total(&Counts::requests_total);
}

void put_destinations(Exposition& out, const Status& status) {
  out.family("destination_paused", "gauge", "1: paused until outbox resume.");
  out.each_flag([](const auto& destination) { return destination.paused.has_value(); });
  out.family("destination_hold", "gauge", "1: the dispatcher waits, for this reason.");
  for (const DestinationStatus& destination : status.destinations) {
    using enum HoldKind;
    for (const auto kind : {backing_off, unauthorized, misconfigured, refuses_everything}) {
      const bool is_this = destination.hold && destination.hold->kind == kind;
      out.sample(label(destination.name) + ",kind=\"" + to_string(kind) + "\"",
                 is_this ? "1" : "0");
    }
  }
  out.family("dispatcher_up", "gauge", "1: a dispatcher holds the destination's lock.");
  out.each_flag([](const auto& destination) { return destination.dispatcher.has_value(); });
  out.family("dispatcher_last_round_timestamp_seconds", "gauge",
             "When the running dispatcher last looked at the queue; 0: none is running.");
  out.each([](const DestinationStatus& destination) -> std::string {
    if (!destination.dispatcher) return "0";
    return seconds_text(since_epoch(destination.dispatcher->last_round));
  });
}

void put_histograms(Exposition& out, const std::vector<Stats>& dispatchers) {
  if (dispatchers.empty()) return;
  out.family("request_duration_seconds", "histogram", "How long requests took, of this process.");
  for (const Stats& stats : dispatchers) {
    out.histogram(label(stats.destination), stats.request_duration);
  }
  out.family("delivery_lag_seconds", "histogram",
             "How old events were when they were delivered, since they were due, of this process.");
  for (const Stats& stats : dispatchers) {
    out.histogram(label(stats.destination), stats.delivery_lag);
  }
}

}  // namespace

std::string exposition(const MetricsFacts& facts) {
  Exposition out{facts.status.destinations};
  put_events(out, facts.status);
  put_destinations(out, facts.status);
  put_histograms(out, facts.dispatchers);
  out.family("database_bytes", "gauge", "Size of the database file.");
  out.sample("", std::to_string(facts.database_bytes));
  out.family("database_wal_bytes", "gauge", "Size of its write-ahead log.");
  out.sample("", std::to_string(facts.wal_bytes));
  return out.take();
}

}  // namespace outbox::core
