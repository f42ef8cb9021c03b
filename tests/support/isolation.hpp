#pragma once

// Bad events among 128, and how the dispatcher finds them: one placement, checked in full.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/desk.hpp"

namespace support {

/// At most so many requests for 0 to 5 bad events among 128: what a walk through the tree of halves
/// needs at worst, without asking anyone twice.
inline constexpr std::size_t isolation_requests_max[] = {1, 15, 27, 37, 47, 55};

/// What one placement came to.
struct Isolation {
  std::size_t requests = 0;
  std::string fault = {};  // what was wrong; empty: nothing
};

/// The rows of 128 pending events, made anew for each placement.
class IsolationDesk {
 public:
  enum class Crashes { none, after_each_round };

  explicit IsolationDesk(std::size_t events) : events_{events}, desk_{{.batch_events = 1'000}} {
    desk_.app.enqueue_many(events);
    desk_.sink.answer = [this](const std::string& body) { return answer(body); };
  }

  /// The endpoint refuses by 400 what holds one of `bad` (from 0).
  Isolation run(const std::set<std::size_t>& bad, Crashes crashes) {
    desk_.db().exec(
        "delete from outbox_requests; delete from outbox_queue;"
        " insert into outbox_queue (destination, event, enqueued_at_ms)"
        " select destination, id, enqueued_at_ms from outbox_events;"
        " update outbox_destinations set delivered = 0, suspects = 0, accepted_request = null");
    desk_.restart();
    bad_ = bad;
    accepted_.assign(events_, 0);
    desk_.sink.bodies.clear();
    for (int round = 0; round < 1'000 && desk_.has_pending(); ++round) {
      desk_.run();
      if (crashes == Crashes::after_each_round) desk_.restart();
    }
    return {desk_.sink.bodies.size(), fault()};
  }

 private:
  outbox::core::Answer answer(const std::string& body) {
    std::vector<std::size_t> carried;
    constexpr std::string_view mark = "\"user-";
    for (std::size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
      carried.push_back(std::stoul(body.substr(at + mark.size(), 6)));
    }
    const bool is_bad = std::any_of(carried.begin(), carried.end(),
                                    [this](std::size_t event) { return bad_.contains(event); });
    if (is_bad) return answer_of(400, R"({"success":false,"message":"no such plan"})");
    for (const std::size_t event : carried) ++accepted_.at(event);
    return answer_of(200, R"({"success":true})");
  }

  std::string fault() {
    std::string ids;
    for (std::size_t event = 0; event < events_; ++event) {
      const bool is_bad = bad_.contains(event);
      if (accepted_[event] != (is_bad ? 0 : 1)) {
        return "event " + std::to_string(event) + " was accepted " +
               std::to_string(accepted_[event]) + " times";
      }
      if (is_bad) ids += (ids.empty() ? "" : ",") + std::to_string(event + 1);
    }
    const auto bad = static_cast<std::int64_t>(bad_.size());
    if (desk_.count("state = 'dead' and refusals = 2 and last_error ="
                    " 'refused: HTTP 400: no such plan' and id in (" +
                    ids + ")") != bad) {
      return "a bad event ended in the wrong state";
    }
    if (desk_.count("state = 'delivered' and refusals = 0 and id not in (" + ids + ")") !=
        static_cast<std::int64_t>(events_) - bad) {
      return "a good event ended in the wrong state";
    }
    return {};
  }

  std::size_t events_;
  Desk desk_;
  std::set<std::size_t> bad_;
  std::vector<int> accepted_;
};

}  // namespace support
