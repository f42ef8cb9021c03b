// The Prometheus text exposition of a status. Nothing unbounded is a label: no event, no person.

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <functional>

#include "format.hpp"
#include "status.hpp"

namespace cli {

namespace {

using outbox::DestinationStatus;

double seconds(std::chrono::system_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", value);
  return text.data();
}

std::uint64_t bytes_of(const std::string& path) {
  struct stat facts {};
  return stat(path.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

class Exposition {
 public:
  explicit Exposition(const outbox::Status& status) : status_{status} {}

  void family(const std::string& name, const char* type, const char* help) {
    name_ = name;
    text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void sample(const std::string& labels, const std::string& value) {
    text_ += name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
  }
  void each(const std::function<std::string(const DestinationStatus&)>& value) {
    for (const DestinationStatus& destination : status_.destinations) {
      sample(label(destination), value(destination));
    }
  }
  static std::string label(const DestinationStatus& destination) {
    std::string name = escaped(destination.name);  // a name has no such byte, unless by force
    for (const char special : {'\\', '"'}) {
      for (std::size_t at = 0; (at = name.find(special, at)) != std::string::npos; at += 2) {
        name.insert(at, 1, '\\');
      }
    }
    return "destination=\"" + name + "\"";
  }
  const std::string& text() const { return text_; }

 private:
  const outbox::Status& status_;
  std::string name_;
  std::string text_;
};

void put_events(Exposition& out, const outbox::Status& status) {
  out.family("outbox_events", "gauge", "Events that are not delivered, by state.");
  using Member = std::int64_t outbox::Counts::*;
  constexpr std::array<std::pair<const char*, Member>, 6> states{{
      {"due", &outbox::Counts::due},
      {"scheduled", &outbox::Counts::scheduled},
      {"waiting", &outbox::Counts::waiting},
      {"retrying", &outbox::Counts::retrying},
      {"dead", &outbox::Counts::dead},
      {"discarded", &outbox::Counts::discarded},
  }};
  for (const DestinationStatus& destination : status.destinations) {
    for (const auto& [state, member] : states) {
      out.sample(Exposition::label(destination) + ",state=\"" + state + "\"",
                 std::to_string(destination.counts.*member));
    }
  }
  out.family("outbox_oldest_due_seconds", "gauge",
             "Age of the oldest due event; 0: nothing is due.");
  out.each([](const DestinationStatus& destination) {
    return number(
        seconds(destination.counts.oldest_due_age.value_or(std::chrono::milliseconds{0})));
  });
}

void put_totals(Exposition& out) {
  const auto total = [](std::int64_t outbox::Counts::*member) {
    return [member](const DestinationStatus& destination) {
      return std::to_string(destination.counts.*member);
    };
  };
  out.family("outbox_events_enqueued_total", "counter", "Events ever enqueued.");
  out.each(total(&outbox::Counts::enqueued));
  out.family("outbox_events_delivered_total", "counter", "Deliveries ever recorded.");
  out.each(total(&outbox::Counts::delivered_total));
  out.family("outbox_requests_total", "counter", "Requests ever answered or failed.");
  out.each(total(&outbox::Counts::requests_total));
}

void put_destinations(Exposition& out, const outbox::Status& status) {
  out.family("outbox_destination_paused", "gauge", "1: a person has paused it.");
  out.each([](const DestinationStatus& destination) { return destination.paused ? "1" : "0"; });
  out.family("outbox_destination_hold", "gauge", "1: the dispatcher waits, for this reason.");
  for (const DestinationStatus& destination : status.destinations) {
    using enum outbox::HoldKind;
    for (const auto kind : {backing_off, unauthorized, misconfigured, refuses_everything}) {
      const bool is_this = destination.hold && destination.hold->kind == kind;
      out.sample(Exposition::label(destination) + ",kind=\"" + to_string(kind) + "\"",
                 is_this ? "1" : "0");
    }
  }
  out.family("outbox_dispatcher_up", "gauge", "1: a dispatcher holds the destination's lock.");
  out.each([](const DestinationStatus& destination) { return destination.dispatcher ? "1" : "0"; });
  out.family("outbox_dispatcher_last_round_timestamp_seconds", "gauge",
             "When the running dispatcher last looked at the queue; 0: none is running.");
  out.each([](const DestinationStatus& destination) {
    return number(destination.dispatcher
                      ? seconds(destination.dispatcher->last_round.time_since_epoch())
                      : 0.0);
  });
}

}  // namespace

std::string prometheus_text(const outbox::Status& status, const Globals& globals) {
  Exposition out{status};
  put_events(out, status);
  put_totals(out);
  put_destinations(out, status);
  out.family("outbox_database_bytes", "gauge", "Size of the database file.");
  out.sample("", std::to_string(bytes_of(globals.db)));
  out.family("outbox_database_wal_bytes", "gauge", "Size of its write-ahead log.");
  out.sample("", std::to_string(bytes_of_wal(globals)));
  return out.text();
}

}  // namespace cli
