// Blame follows evidence: what the endpoint accepts is delivered soon, whatever its neighbours
// draw. With default options, in simulated time.

#include <doctest/doctest.h>

#include <random>

#include "support/desk.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using support::answer_of;
using support::Desk;

namespace {

// A valid payload of `bytes` bytes.
std::string large_payload(const std::string& user, std::size_t bytes) {
  std::string payload = support::payload_of(user);
  payload.insert(payload.size() - 1, bytes - payload.size(), ' ');
  return payload;
}

bool has_bad(const std::string& body) {
  return body.find("bad-one") != std::string::npos;
}

core::Answer lost() {
  return {.arrival = core::Arrival::lost, .error = "reset"};
}

// As SQL has it: "(1,2)".
std::string list_of(const core::Ids& ids) {
  std::string list;
  for (const auto id : ids) list += (list.empty() ? "" : ",") + std::to_string(id);
  return "(" + list + ")";
}

class Scene {
 public:
  explicit Scene(DispatcherOptions options = {}) : desk{std::move(options)} {
    desk.sink.answer = [this](const std::string& body) {
      return has_bad(body) ? bad_answer : answer_of(200);
    };
  }

  void add(bool is_bad, std::size_t bytes = 0, EnqueueOptions options = {}) {
    const std::string user = is_bad ? "bad-one" : "good-one";
    SQLite::Transaction transaction{desk.db()};
    // Plain SQL, since the library's own check has a lower limit of bytes.
    const auto id = bytes > 0 ? desk.app.insert(large_payload(user, bytes))
                              : writer.enqueue(support::event_of(user), options).id;
    transaction.commit();
    (is_bad ? bad_ids : good_ids).push_back(id);
  }

  std::size_t delivered(const core::Ids& ids) {
    return static_cast<std::size_t>(desk.count("state = 'delivered' and id in " + list_of(ids)));
  }

  // How long until all good events are delivered; `time_max` and more: not all were.
  std::chrono::milliseconds run(std::chrono::milliseconds time_max) {
    const auto begin = desk.clock.now();
    while (desk.clock.now() - begin < time_max) {
      desk.settle();
      const auto now = desk.clock.now();
      if (desk.delivered() >= static_cast<std::int64_t>(good_ids.size())) return now - begin;
      desk.wait();
    }
    return time_max;
  }

  // The guilty are dead, or named by what they have against them.
  bool guilty_are_known() {
    return desk.count("(state = 'dead' or last_error is not null) and id in " + list_of(bad_ids)) ==
           static_cast<std::int64_t>(bad_ids.size());
  }

  Desk desk;
  Writer writer{desk.db()};
  core::Answer bad_answer = answer_of(500);
  core::Ids good_ids;
  core::Ids bad_ids;
};

void check_within(Scene& scene, std::chrono::milliseconds time_max) {
  const auto took = scene.run(time_max);
  MESSAGE("took " << std::chrono::duration_cast<std::chrono::seconds>(took).count() << " s, "
                  << scene.desk.sink.bodies.size() << " requests");
  CHECK(took < time_max);
  CHECK(scene.delivered(scene.good_ids) == scene.good_ids.size());
  CHECK(scene.delivered(scene.bad_ids) == 0);
  CHECK(scene.guilty_are_known());
}

}  // namespace

TEST_CASE("events of any size that fail at the head hold up nobody for long") {
  struct Head {
    std::vector<std::size_t> bytes;
  };
  const Head heads[] = {
      {{0, 255'000, 255'000, 255'000, 255'000, 255'000, 255'000, 255'000, 255'000}},
      {{990'000, 990'000}},
      {std::vector<std::size_t>(60, 0)}};
  for (const Head& head : heads) {
    for (const bool is_lost : {false, true}) {
      CAPTURE(head.bytes.size());
      CAPTURE(is_lost);
      Scene scene;
      if (is_lost) scene.bad_answer = lost();
      for (const std::size_t bytes : head.bytes) scene.add(true, bytes);
      for (int i = 0; i < 100; ++i) scene.add(false);
      check_within(scene, 10min);
    }
  }
}

TEST_CASE("a bad event at the head of the only keys that have events holds up nobody for long") {
  for (const int keys : {1, 3}) {
    for (const int status : {400, 413, 422, 500, 403}) {
      CAPTURE(keys);
      CAPTURE(status);
      Scene scene;
      scene.bad_answer = answer_of(status);
      for (int i = 0; i < 100; ++i) scene.add(false);
      REQUIRE(scene.run(1min) < 1min);
      for (int key = 0; key < keys; ++key) {
        scene.add(true, 0, {.ordering_key = "k" + std::to_string(key)});
      }
      for (int i = 0; i < 362; ++i) {
        scene.add(false, 0, {.ordering_key = "k" + std::to_string(i % keys)});
      }
      if (status == 400 || status == 422 || status == 413) check_within(scene, 10min);
    }
  }
}

TEST_CASE("one event type that fails or is refused holds up nobody for long") {
  for (const int percent : {10, 30}) {
    for (const int status : {400, 500, 503, 404, 403, 429}) {
      CAPTURE(percent);
      CAPTURE(status);
      Scene scene;
      scene.bad_answer = answer_of(status);
      std::mt19937 random{7};
      for (int i = 0; i < 1'000; ++i) scene.add(random() % 100 < static_cast<unsigned>(percent));
      check_within(scene, percent > 10 ? 20min : 10min);
    }
  }
}

TEST_CASE("one event whose content draws any status holds up nobody for long") {
  for (const int status :
       {0, 302, 400, 401, 403, 404, 407, 408, 409, 410, 413, 421, 425, 429, 500, 501, 503, 505}) {
    for (const int place : {0, 17, 299}) {
      CAPTURE(status);
      CAPTURE(place);
      Scene scene;
      scene.bad_answer = status == 0 ? lost() : answer_of(status);
      for (int i = 0; i < 300; ++i) scene.add(i == place);
      check_within(scene, 10min);
    }
  }
}

// What probes look at when nothing is at once due: what was scheduled, and suspects.
TEST_CASE("one event that fails does not hold up scheduled events, when there are no others") {
  for (const int status : {500, 404, 0}) {
    CAPTURE(status);
    Scene scene;
    scene.bad_answer = status == 0 ? lost() : answer_of(status);
    scene.add(false);
    scene.run(1min);
    const auto scheduled = [&] {
      return EnqueueOptions{.not_before = scene.desk.clock.now() + 1s};
    };
    scene.add(true, 0, scheduled());
    scene.desk.clock.advance(2s);
    scene.desk.settle();
    for (int i = 0; i < 20; ++i) scene.add(false, 0, scheduled());
    check_within(scene, 10min);
  }
}

TEST_CASE("one event that fails does not hold up suspects that would be accepted now") {
  Scene scene;
  scene.add(false);
  scene.run(1min);
  for (int i = 0; i < 20; ++i) scene.add(false);
  scene.desk.db().exec(
      "update outbox_queue set state = 3, due_at_ms = 1, refusals = 1, solo_failures = 0,"
      " refused_in = 1, search = 1, suspected_at_ms = 1, last_error = 'HTTP 400'");
  scene.add(true);
  scene.desk.settle();
  check_within(scene, 10min);
}

TEST_CASE("the followers of an event that fails hide nobody, however many they are") {
  Scene scene;
  scene.add(false);
  scene.run(1min);
  const EnqueueOptions hot{.ordering_key = "hot"};
  scene.add(true, 0, hot);
  scene.desk.settle();
  for (int i = 0; i < 5; ++i) {
    scene.desk.app.enqueue_many(3'000, hot);
    scene.add(false);
  }
  scene.desk.app.enqueue_many(3'000, hot);
  const auto took = scene.run(1h);
  CHECK(took < 10min);
  CHECK(scene.delivered(scene.good_ids) == 6);
}

TEST_CASE("a suspect at which the endpoint fails is tried now and then, and not again and again") {
  for (const int status : {500, 403}) {
    CAPTURE(status);
    Scene scene;
    scene.bad_answer = answer_of(status);
    for (int i = 0; i < 40; ++i) scene.add(i % 10 == 3 || i == 39);
    scene.run(10min);
    const std::size_t before = scene.desk.sink.bodies.size();
    const auto end = scene.desk.clock.now() + 24h;
    while (scene.desk.clock.now() < end) {
      scene.desk.settle();
      scene.desk.wait();
    }
    CHECK(scene.desk.sink.bodies.size() - before < 4 * 24 * 14);  // one in ten minutes, at most
  }
}

// As a load balancer does, some of whose backends are down, or old and refuse a new field.
TEST_CASE("an endpoint that fails at random kills nobody, and one that refuses so a few") {
  struct Row {
    int status;
    double share;
    std::int64_t dead_max;
  };
  for (const Row& row : {Row{500, 0.5, 0}, Row{500, 0.8, 0}, Row{500, 0.9, 0}, Row{400, 0.2, 3},
                         Row{400, 0.5, 3}, Row{400, 0.8, 10}}) {
    CAPTURE(row.status);
    CAPTURE(row.share);
    Scene scene{{.batch_events = 1}};
    std::mt19937 random{1};
    scene.desk.sink.answer = [&](const std::string&) {
      return answer_of(std::bernoulli_distribution{row.share}(random) ? row.status : 200);
    };
    for (int i = 0; i < 200; ++i) scene.add(false);
    scene.run(24h);
    CHECK(scene.desk.count("state = 'pending'") == 0);
    MESSAGE(scene.desk.count("state = 'dead'") << " dead");
    CHECK(scene.desk.count("state = 'dead'") <= row.dead_max);
  }
}

// The API changes its mind and refuses all for a while; then it is corrected.
TEST_CASE("an API that refuses everything for a while buries ten events at most") {
  struct Row {
    std::chrono::milliseconds refuses_for;
    std::size_t events_a_minute;
    std::size_t keys;  // 0: none
  };
  std::vector<Row> rows;
  for (const std::size_t keys : {0U, 1U, 3U, 40U}) {
    rows.push_back({1h, 1, keys});
    if (keys == 0 || keys == 3) rows.push_back({24h, 1, keys});
    if (keys == 0 || keys == 40) rows.push_back({10min, 600, keys});
  }
  // By hand, since it takes minutes: a week, and an hour at 1,000 events a second.
  if (std::getenv("OUTBOX_LONG_TESTS") != nullptr) {
    rows = {{7 * 24h, 1, 0}, {7 * 24h, 1, 3}, {1h, 60'000, 0}, {1h, 60'000, 40}};
  }
  for (const Row& row : rows) {
    CAPTURE(row.refuses_for.count());
    CAPTURE(row.events_a_minute);
    CAPTURE(row.keys);
    Desk desk;
    std::size_t count = 0;
    Writer writer{desk.db()};
    const auto minute = [&] {
      SQLite::Transaction transaction{desk.db()};
      for (std::size_t i = 0; i < row.events_a_minute; ++i, ++count) {
        const std::string key = row.keys == 0 ? "" : "k" + std::to_string(count % row.keys);
        writer.enqueue(support::event_of("user-" + std::to_string(i)), {.ordering_key = key});
      }
      transaction.commit();
      const auto end = desk.clock.now() + 1min;
      while (desk.clock.now() < end) {
        desk.settle();
        const auto before = desk.clock.now();
        desk.wait();
        if (desk.clock.now() > end) desk.clock.set(end);
        if (desk.clock.now() == before) desk.clock.advance(1s);
      }
    };
    for (int i = 0; i < 5; ++i) minute();
    desk.sink.answer = [](const std::string&) { return answer_of(400); };
    const auto corrected_at = desk.clock.now() + row.refuses_for;
    while (desk.clock.now() < corrected_at) minute();
    CHECK(desk.count("state = 'dead'") <= 10);
    desk.sink.answer = [](const std::string&) { return answer_of(200); };
    for (int i = 0; i < 60 && desk.has_pending(); ++i) minute();
    CHECK(desk.count("state = 'dead'") <= 10);
    CHECK(desk.count("state = 'pending'") == 0);
    if (row.keys == 0) CHECK(desk.count("state = 'dead'") == 0);
    MESSAGE(desk.count("state = 'dead'") << " of " << count << " died");
  }
}
