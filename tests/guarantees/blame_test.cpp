// Whatever the endpoint answers, nothing is lost and nobody pays for another's fault.

#include <doctest/doctest.h>

#include "support/desk.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::answer_of;
using support::Desk;
using support::events_in;

namespace {

// Which hold an answer makes for a destination without one; "": none.
std::string expected_kind(int status) {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return "unauthorized";
    case 404:
    case 405:
    case 410:
    case 415:
    case 501:
    case 505:
      return "misconfigured";
    case 408:
    case 409:
    case 421:
    case 425:
    case 429:
      return "backing_off";
    default:
      break;
  }
  if (status >= 200 && status < 300) return "";
  if (status >= 300 && status < 400) return "misconfigured";
  if (status >= 400 && status < 500) return "";
  return "backing_off";
}

bool holds(const std::string& body, const char* user) {
  return body.find("\"" + std::string{user} + "\"") != std::string::npos;
}

// Lets `desk` run, and time pass, for as long as `time` and until nothing is pending.
void run_for(Desk& desk, std::chrono::milliseconds time) {
  const auto end = desk.clock.now() + time;
  while (desk.clock.now() < end && desk.has_pending()) {
    desk.settle();
    desk.wait();
  }
}

// The same, while somebody else's event comes by every hour and is accepted.
void run_with_passers_by(Desk& desk) {
  for (int i = 0; i < 300 && desk.has_pending(); ++i) {
    desk.app.enqueue(support::event_of("passer-by"));
    run_for(desk, 1h);
  }
}

}  // namespace

TEST_CASE("every status does to batches of 1, 2 and 100 what the table says") {
  const std::optional<std::chrono::milliseconds> waits_asked[] = {std::nullopt, 120s, 24h};
  Desk desk;
  for (const std::size_t events : {1U, 2U, 100U}) {
    desk.db().exec("delete from outbox_events; delete from outbox_queue");
    desk.app.enqueue_many(events);
    for (int status = 100; status < 600; ++status) {
      for (const auto& wait_asked : waits_asked) {
        // How long to wait is read from the answer alone, whatever was sent.
        if (events > 1 && wait_asked) continue;
        CAPTURE(events);
        CAPTURE(status);
        CAPTURE(wait_asked.value_or(0ms).count());
        desk.db().exec(
            "delete from outbox_requests; delete from outbox_queue;"
            " insert into outbox_queue (destination, event, enqueued_at_ms)"
            " select destination, id, enqueued_at_ms from outbox_events;"
            " update outbox_destinations set hold_kind = null, batch_events_max = null,"
            " batch_bytes_max = null, suspects = 0, delivered = 0");
        desk.restart();
        desk.sink.answer = [&](const std::string&) {
          core::Answer answer = answer_of(status);
          answer.retry_after = wait_asked;
          return answer;
        };

        desk.run();

        const auto size = static_cast<std::int64_t>(events);
        const bool is_delivered = status >= 200 && status < 300;
        const std::string hold_kind = expected_kind(status);
        const auto state = desk.state();
        CHECK(desk.count("state = 'delivered'") == (is_delivered ? size : 0));
        CHECK(desk.count("state = 'dead'") == 0);
        CHECK((state.endpoint.hold ? std::string{to_string(state.endpoint.hold->kind)} : "") ==
              hold_kind);
        const bool is_refused = hold_kind.empty() && !is_delivered;
        CHECK(desk.count("refusals > 0") == (is_refused && events == 1 ? 1 : 0));
        // Whatever it is, these events may be to blame: they are remembered.
        const bool is_remembered = !is_delivered && !(is_refused && events == 1);
        CHECK(state.searches.empty() != is_remembered);
        if (state.endpoint.hold) {
          const auto wait = state.endpoint.hold->until - desk.clock.now();
          const bool is_slow = hold_kind == "misconfigured";
          if (wait_asked && hold_kind != "unauthorized") {
            CHECK(wait == *wait_asked);
          } else if (hold_kind == "unauthorized") {
            CHECK(wait == 0ms);
          } else {
            CHECK(wait >= (is_slow ? 4s : 500ms));
            CHECK(wait <= (is_slow ? 8s : 1s));
          }
        }
      }
    }
  }
}

TEST_CASE("10,000 answers of 401 and 403 cost no event anything") {
  Desk desk;
  desk.app.enqueue_many(100);
  std::size_t answers = 0;
  desk.sink.answer = [&](const std::string&) { return answer_of(++answers % 2 == 0 ? 401 : 403); };
  while (answers < 10'000) {
    desk.run();
    desk.wait();
  }
  CHECK(desk.count("state = 'pending' and refusals = 0 and last_error is null") == 100);
  CHECK(desk.state().endpoint.hold->kind == outbox::HoldKind::unauthorized);

  desk.sink.answer = [](const std::string&) { return answer_of(200); };
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 100);
}

TEST_CASE("a web page delivers nothing and is shown, and the right URL gets everything") {
  Desk desk;
  desk.app.enqueue_many(100);
  desk.sink.answer = [](const std::string&) { return answer_of(200, "<html>log in</html>"); };
  desk.settle();
  CHECK(desk.count("state = 'pending' and refusals = 0") == 100);
  CHECK(desk.state().endpoint.hold->kind == outbox::HoldKind::misconfigured);
  CHECK(desk.state().endpoint.hold->reason == "HTTP 200 with a web page: not the Track API");

  desk.sink.answer = [](const std::string&) { return answer_of(200); };
  desk.move_to("https://the.right/one");
  CHECK_FALSE(desk.state().endpoint.hold);
  desk.settle();
  CHECK(events_in(desk.sink.bodies.at(1)) == 1);  // asks with one event first
  CHECK(desk.sink.bodies.size() == 3);
  CHECK(desk.count("state = 'delivered'") == 100);
}

TEST_CASE("an API that begins to refuse everything, at one event a minute, kills nobody") {
  Desk desk;
  bool refuses = false;
  desk.sink.answer = [&](const std::string&) { return answer_of(refuses ? 400 : 200); };
  for (int minute = 0; minute < 300; ++minute) {
    refuses = minute >= 20 && minute < 200;
    desk.app.enqueue_many(1);
    run_for(desk, 1min);
    CHECK(desk.count("state = 'dead'") == 0);
    desk.clock.advance(1min);
    if (minute == 100)
      CHECK(desk.state().endpoint.hold->kind == outbox::HoldKind::refuses_everything);
  }
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 300);
  CHECK_FALSE(desk.state().endpoint.hold);
}

TEST_CASE("an API that begins to refuse everything, at 1,000 events a second, kills nobody") {
  Desk desk;
  bool refuses = false;
  desk.sink.answer = [&](const std::string&) { return answer_of(refuses ? 400 : 200); };
  std::size_t requests_while_refusing = 0;
  for (int second = 0; second < 60; ++second) {
    refuses = second >= 10 && second < 50;
    desk.app.enqueue_many(1'000);
    const std::size_t requests = desk.settle();
    if (refuses) requests_while_refusing += requests;
    CHECK(desk.app.number("select count(*) from outbox_queue where state = 4") == 0);  // dead
    desk.clock.advance(1s);
    if (second == 40)
      CHECK(desk.state().endpoint.hold->kind == outbox::HoldKind::refuses_everything);
  }
  CHECK(requests_while_refusing < 40);
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 60'000);
  CHECK_FALSE(desk.state().endpoint.hold);
}

TEST_CASE("ten bad events and more in a row hold up nobody for good, and they alone die") {
  Desk desk;
  desk.app.enqueue_many(60);
  desk.sink.answer = [](const std::string& body) {
    for (int bad = 0; bad < 25; ++bad) {
      if (holds(body, ("user-" + std::to_string(bad)).c_str())) return answer_of(400);
    }
    return answer_of(200);
  };
  run_for(desk, 24h);
  CHECK(desk.count("state = 'delivered' and id > 25") == 35);
  // At most ten die on one acceptance; the others are judged when more is accepted.
  run_with_passers_by(desk);
  CHECK(desk.count("state = 'dead' and id <= 25") == 25);
}

TEST_CASE("a hundred bad events in a row hold up the good ones for minutes, not for hours") {
  Desk desk;
  desk.app.enqueue_many(110);
  desk.sink.answer = [](const std::string& body) {
    for (int bad = 0; bad < 100; ++bad) {
      if (holds(body, ("user-" + std::to_string(bad)).c_str())) return answer_of(400);
    }
    return answer_of(200);
  };
  const auto begin = desk.clock.now();
  while (desk.delivered() == 0) {
    desk.settle();
    desk.wait();
  }
  CHECK(desk.clock.now() - begin < 2h);
  run_for(desk, 48h);
  CHECK(desk.count("state = 'delivered' and id > 100") == 10);
  run_with_passers_by(desk);
  CHECK(desk.count("state = 'dead' and id <= 100") == 100);
}

TEST_CASE("a search that was recorded twice sends nothing twice") {
  Desk desk{{.batch_events = 8, .connections = 2}};
  desk.app.enqueue_many(8);
  desk.sink.answer = [](const std::string&) { return answer_of(400); };
  desk.run();
  desk.db().exec(
      "insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id,"
      " ids, bytes, outcome, search) select destination, 0, 0, 8, 1, 8, ids, 9, outcome, search"
      " from outbox_requests");
  std::size_t sent = 0;
  desk.sink.answer = [&](const std::string& body) {
    sent += events_in(body);
    return answer_of(200);
  };
  desk.settle();
  CHECK(sent == 8);
  CHECK(desk.count("state = 'delivered'") == 8);
  CHECK(desk.state().searches.empty());
}

TEST_CASE("a bad event that comes alone is judged when the next one is accepted") {
  Desk desk;
  desk.sink.answer = [](const std::string& body) {
    return answer_of(holds(body, "user-0") ? 422 : 200);
  };
  desk.app.enqueue_many(1);
  run_for(desk, 1h);
  CHECK(desk.count("state = 'pending' and refusals > 3 and last_error = 'HTTP 422'") == 1);

  desk.app.enqueue(support::event_of("another"));
  desk.settle();
  CHECK(desk.count("state = 'delivered'") == 1);
  CHECK(desk.count("state = 'dead' and last_error = 'refused: HTTP 422'") == 1);
}

TEST_CASE("an API that is mended while a suspect waits gets it") {
  Desk desk;
  bool is_mended = false;
  desk.sink.answer = [&](const std::string& body) {
    return answer_of(!is_mended && holds(body, "user-1") ? 400 : 200);
  };
  desk.app.enqueue_many(2);
  while (desk.count("refusals > 0") == 0) desk.run();
  is_mended = true;
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 2);
}

TEST_CASE("an event on which the server dies is found while the others pass") {
  for (const std::size_t place : {0U, 1U, 57U, 127U}) {
    CAPTURE(place);
    Desk desk{{.batch_events = 128}};
    const std::string user = "user-" + std::to_string(place);
    desk.sink.answer = [&](const std::string& body) {
      return holds(body, user.c_str())
                 ? core::Answer{.arrival = core::Arrival::lost, .error = "reset"}
                 : answer_of(200);
    };
    desk.app.enqueue_many(128);
    // Something else comes by now and then, which proves that the endpoint works.
    for (int i = 0; i < 200 && desk.count("state = 'dead'") == 0; ++i) {
      run_for(desk, 10s);
      desk.app.enqueue(support::event_of("passer-by"));
    }
    run_for(desk, 1h);
    CHECK(desk.count("state = 'dead'") == 1);
    CHECK(desk.count("state = 'dead' and solo_failures = 10 and last_error = 'failed alone 10 times"
                     " while others were accepted: no answer: reset' and id = " +
                     std::to_string(place + 1)) == 1);
    CHECK(desk.count("state = 'pending'") == 0);
    std::size_t times = 0;
    for (const std::string& body : desk.sink.bodies) times += holds(body, "user-99") ? 1 : 0;
    CHECK(times < 12);  // an innocent neighbour is not sent for ever
  }
}

TEST_CASE("an event that is always told to come back later holds the others up for minutes") {
  for (const int status : {429, 503, 500}) {
    CAPTURE(status);
    Desk desk;
    desk.sink.answer = [&](const std::string& body) {
      core::Answer answer = answer_of(holds(body, "user-5") ? status : 200);
      if (answer.status != 200) answer.retry_after = 60s;
      return answer;
    };
    desk.app.enqueue_many(100);
    for (int i = 0; i < 30; ++i) {
      run_for(desk, 1min);
      desk.app.enqueue(support::event_of("passer-by"));
    }
    CHECK(desk.count("state = 'delivered'") == 128);  // the last one has just come
    const bool is_deadly = status == 500;
    CHECK(desk.count("state = 'dead' and id = 6") == (is_deadly ? 1 : 0));
    CHECK(desk.count("state = 'pending' and solo_failures > 0") == (is_deadly ? 0 : 1));
  }
}

TEST_CASE(
    "several events on which the server dies, one behind the other, hold up nobody for good") {
  Desk desk{{.batch_events = 4}};
  desk.sink.answer = [&](const std::string& body) {
    for (const char* killer : {"user-0", "user-4", "user-5", "user-6", "user-9"}) {
      if (holds(body, killer)) return answer_of(500);
    }
    return answer_of(200);
  };
  desk.app.enqueue_many(30);
  run_for(desk, 24h);
  CHECK(desk.count("state = 'delivered'") == 25);
  CHECK(desk.count("state = 'dead'") + desk.count("state = 'pending' and solo_failures > 0") == 5);
}

TEST_CASE("an outage is no event's fault, however long and whatever it looks like") {
  for (const int status : {0, 500, 502, 503, 504, 599}) {
    CAPTURE(status);
    Desk desk{{.batch_events = 10}};
    bool is_down = false;
    desk.sink.answer = [&](const std::string&) {
      if (!is_down) return answer_of(200);
      return status == 0 ? core::Answer{.arrival = core::Arrival::lost} : answer_of(status);
    };
    desk.app.enqueue_many(30);
    desk.run();
    is_down = true;
    const auto back = desk.clock.now() + 7 * 24h;
    while (desk.clock.now() < back) {
      desk.settle();
      CHECK(events_in(desk.sink.bodies.back()) <= 10);
      desk.wait();
    }
    CHECK(desk.sink.bodies.size() < 2'200);  // about one probe in five to ten minutes
    is_down = false;
    run_for(desk, 1h);
    CHECK(desk.count("state = 'delivered' and refusals = 0") == 30);
  }
}

TEST_CASE("a batch that is too large is halved, and the next ones are smaller") {
  Desk desk;
  desk.app.enqueue_many(1'000);
  constexpr std::size_t limit = 11'000;
  desk.sink.answer = [](const std::string& body) {
    return answer_of(body.size() > limit ? 413 : 200);
  };
  desk.settle();
  CHECK(desk.count("state = 'delivered' and refusals = 0") == 1'000);
  std::size_t too_large = 0;
  for (const std::string& body : desk.sink.bodies) too_large += body.size() > limit ? 1 : 0;
  CHECK(too_large == 1);
}

TEST_CASE("an event that outlived the host's long_enough dies, and no other") {
  Desk desk{{.give_up_after = 24h}};
  desk.app.enqueue_many(3);
  desk.clock.set(std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()));
  desk.sink.answer = [](const std::string&) { return answer_of(503); };
  desk.run();
  desk.db().exec(
      "update outbox_queue set enqueued_at_ms = enqueued_at_ms - 86400000 where event = 1");
  desk.clock.advance(2min);
  desk.run();
  CHECK(desk.count("state = 'dead' and last_error like 'expired:%'") == 1);
  desk.sink.answer = [](const std::string&) { return answer_of(200); };
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 2);
}

TEST_CASE("an event that a person discards during a search is not sent again") {
  Desk desk;
  desk.sink.answer = [](const std::string& body) {
    return answer_of(holds(body, "user-6") ? 400 : 200);
  };
  desk.app.enqueue_many(8);
  desk.run();
  discard(desk.db(), outbox::Selection::ids({2, 7}), {"test", "given up"});
  desk.settle();
  CHECK(desk.count("state = 'delivered'") == 6);
  CHECK(desk.state().searches.empty());
  for (std::size_t i = 1; i < desk.sink.bodies.size(); ++i) {
    CHECK_FALSE(holds(desk.sink.bodies[i], "user-1"));
  }
}

TEST_CASE("events of one ordering key keep their order around a bad one") {
  Desk desk{{.batch_events = 10, .connections = 4}};
  std::vector<std::string> order;
  desk.sink.answer = [&](const std::string& body) {
    if (holds(body, "user-3")) return answer_of(400);
    for (int i = 0; i < 40; ++i) {
      const std::string user = "user-" + std::to_string(i);
      if (holds(body, user.c_str())) order.push_back(user);
    }
    return answer_of(200);
  };
  desk.db().exec("begin");
  for (int i = 0; i < 40; ++i) {
    enqueue(desk.db(), support::event_of("user-" + std::to_string(i)),
            {.ordering_key = i % 2 == 0 ? "even" : "odd"});
  }
  desk.db().exec("commit");
  run_for(desk, 1h);
  CHECK(desk.count("state = 'delivered'") == 39);
  for (const int parity : {0, 1}) {
    int last = -1;
    for (const std::string& user : order) {
      const int number = std::stoi(user.substr(5));
      if (number % 2 != parity) continue;
      CHECK(number > last);
      last = number;
    }
  }
}

TEST_CASE(
    "with several connections searches go on side by side, and all others are delivered once") {
  Desk desk{{.batch_events = 16, .connections = 4}};
  std::map<std::string, int> accepted;
  desk.sink.answer = [&](const std::string& body) {
    std::vector<std::string> users;
    for (int i = 0; i < 200; ++i) {
      const std::string user = "user-" + std::to_string(i);
      if (holds(body, user.c_str())) users.push_back(user);
      if (i % 23 == 5 && !users.empty() && users.back() == user) return answer_of(400);
    }
    for (const std::string& user : users) ++accepted[user];
    return answer_of(200);
  };
  desk.app.enqueue_many(200);
  run_for(desk, 1h);
  CHECK(desk.count("state = 'dead'") == 9);
  CHECK(desk.count("state = 'delivered'") == 191);
  CHECK(accepted.size() == 191);
  for (const auto& [user, times] : accepted) CHECK(times == 1);
}
