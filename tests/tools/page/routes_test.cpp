// The interface of `outbox serve`, over HTTP against the program itself.

#include <doctest/doctest.h>
#include <httplib.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "sinks/sigpipe.hpp"
#include "support/database.hpp"
#include "support/process.hpp"

namespace {

using Json = nlohmann::json;

class Page {
 public:
  explicit Page(const support::AppDatabase& app, std::vector<std::string> flags = {})
      : process_{arguments(app, std::move(flags))},
        link_{process_.first_line().substr(process_.first_line().find("http://"))},
        origin_{link_.substr(0, link_.find("/#"))},
        client_{origin_} {
    client_.set_read_timeout(60);
  }

  struct Answer {
    int status = 0;
    Json json = {};
    std::string type = {};
  };

  Answer get(const std::string& path) {
    return answer_of(client_.Get("/api/v1" + path, headers()));
  }
  Answer post(const std::string& path, const Json& body) {
    httplib::Headers all = headers();
    all.emplace("Origin", origin_);
    return answer_of(client_.Post("/api/v1" + path, all, body.dump(), "application/json"));
  }
  httplib::Client& client() { return client_; }
  httplib::Headers headers() const {
    return {{"Authorization", "Bearer " + link_.substr(link_.find("#t=") + 3)}};
  }
  const std::string& origin() const { return origin_; }

 private:
  static std::vector<std::string> arguments(const support::AppDatabase& app,
                                            std::vector<std::string> flags) {
    std::vector<std::string> all{OUTBOX_CLI, "serve", "--db", app.path()};
    all.insert(all.end(), flags.begin(), flags.end());
    return all;
  }
  static Answer answer_of(const httplib::Result& result) {
    REQUIRE(result);
    return {.status = result->status,
            .json = Json::parse(result->body),
            .type = result->get_header_value("Content-Type")};
  }

  support::Process process_;
  // A server that refuses a body may close the connection while it is being written.
  outbox::sinks::HeldSigpipe held_ = {};
  std::string link_;
  std::string origin_;
  httplib::Client client_;
};

void kill(support::AppDatabase& app, const std::string& which, const std::string& error) {
  app.db().exec(
      "update outbox_queue set state = 4, due_at_ms = 0, settled_at_ms = 5, last_error = '" +
      error + "' where " + which);
}

}  // namespace

TEST_CASE("ids are texts, and a page of events says where the next one begins") {
  support::AppDatabase app;
  app.enqueue_many(120);
  Page page{app};
  const auto first = page.get("/events");
  REQUIRE(first.status == 200);
  CHECK(first.json["events"].size() == 50);
  CHECK(first.json["events"][0]["id"] == "120");
  CHECK(first.json["complete"] == true);
  CHECK(first.json["next"] == "71");
  const auto last = page.get("/events?limit=200&after=71");
  CHECK(last.json["events"].size() == 70);
  CHECK(last.json["next"].is_null());
  CHECK(page.get("/events?user_id=user-7").json["events"].size() == 1);
  CHECK(page.get("/events?state=dead").json["events"].empty());
  CHECK(page.get("/events/17").json["explanation"].get<std::string>().find("17") !=
        std::string::npos);
}

TEST_CASE("what cannot be is refused as a problem that names it") {
  support::AppDatabase app;
  app.enqueue_many(1);
  Page page{app};
  for (const std::string path : {"/events?limit=0", "/events?limit=201", "/events?state=lost",
                                 "/events?since=yesterday", "/events?who=me", "/events?after=x",
                                 "/events/x", "/series?window=0s", "/batches?limit=-1"}) {
    CAPTURE(path);
    const auto answer = page.get(path);
    REQUIRE(answer.status == 400);
    CHECK(answer.type == "application/problem+json");
    CHECK(answer.json["status"] == 400);
    CHECK(answer.json["detail"].get<std::string>().size() > 8);
  }
  CHECK(page.get("/events/2").status == 404);
  CHECK(page.get("/nothing").status == 404);
  CHECK(page.get("/events/1?reveal=1").status == 403);
}

TEST_CASE("reasons are grouped, and addresses in them are masked") {
  support::AppDatabase app;
  app.enqueue_many(5);
  kill(app, "event <= 3", "refused: HTTP 400: amy@achme.com");
  Page page{app};
  const auto errors = page.get("/errors").json["errors"];
  REQUIRE(errors.size() == 1);
  CHECK(errors[0]["events"] == 3);
  CHECK(errors[0]["reason"] == "refused: HTTP 400: a**@achme.com");
  CHECK(errors[0]["newest_id"] == "3");
}

TEST_CASE("only --reveal shows a payload, and of one event at a time") {
  support::AppDatabase app;
  app.enqueue(support::amy());
  Page masked{app};
  CHECK(masked.get("/events/1").json.dump().find("amy@achme.com") == std::string::npos);
  Page open{app, {"--reveal"}};
  CHECK(open.get("/events/1").json.dump().find("amy@achme.com") == std::string::npos);
  CHECK(open.get("/events/1?reveal=1").json.dump().find("amy@achme.com") != std::string::npos);
}

TEST_CASE("a page that may not change refuses each change") {
  support::AppDatabase app;
  app.enqueue_many(1);
  Page page{app};
  for (const char* path : {"/retry", "/discard", "/requeue", "/destinations/track/pause"}) {
    CAPTURE(path);
    CHECK(page.post(path, {{"ids", {"1"}}, {"reason", "x"}}).status == 403);
  }
  CHECK(app.count("state = 'discarded'") == 0);
}

TEST_CASE("a change of a filter is counted first, and refused when the count has moved") {
  support::AppDatabase app;
  app.enqueue_many(100);
  kill(app, "event <= 40", "refused: HTTP 400");
  Page page{app, {"--allow-changes"}};
  const Json filter{{"state", "dead"}};
  CHECK(page.post("/retry", {{"filter", filter}, {"dry", true}}).json["count"] == 40);
  CHECK(app.count("state = 'dead'") == 40);
  CHECK(page.post("/retry", {{"filter", filter}}).status == 400);
  for (const std::int64_t expected : {35, 45, 0, 1'000}) {
    CAPTURE(expected);
    const auto moved = page.post("/retry", {{"filter", filter}, {"expected", expected}});
    CHECK(moved.status == 409);
    CHECK(moved.json["found"] == 40);
  }
  CHECK(app.count("state = 'dead'") == 40);
  CHECK(page.post("/retry", {{"filter", filter}, {"expected", 37}}).json["count"] == 40);
  CHECK(app.count("state = 'dead'") == 0);
  CHECK(app.text("select actor from outbox_audit").rfind("serve:", 0) == 0);
}

TEST_CASE("sending again by a time of enqueueing is refused, and of ids is not") {
  support::AppDatabase app;
  app.enqueue_many(3);
  Page page{app, {"--allow-changes"}};
  for (const char* time : {"since", "until"}) {
    CAPTURE(time);
    const Json filter{{"state", "delivered"}, {time, "1h"}};
    for (const bool is_dry : {true, false}) {
      const auto refused =
          page.post("/requeue", {{"filter", filter}, {"dry", is_dry}, {"expected", 0}});
      CHECK(refused.status == 400);
      CHECK(refused.json["detail"].get<std::string>().find("time of delivery") !=
            std::string::npos);
    }
    CHECK(page.post("/retry", {{"filter", {{time, "1h"}}}, {"dry", true}}).status == 200);
  }
  CHECK(page.post("/requeue", {{"ids", {"1"}}}).status == 200);
}

TEST_CASE("a change is of ids or of a filter, with a reason where one is needed") {
  support::AppDatabase app;
  app.enqueue_many(3);
  Page page{app, {"--allow-changes"}};
  const Json bad[] = {Json::object(),
                      {{"ids", Json::array()}},
                      {{"ids", {1}}},
                      {{"ids", {"1"}}, {"filter", Json::object()}},
                      {{"ids", {"1"}}},  // a discard without a reason
                      {{"filter", Json::object()}, {"expected", 3}, {"reason", "x"}},
                      {{"filter", {{"state", 4}}}, {"expected", 3}, {"reason", "x"}}};
  for (const Json& body : bad) {
    CAPTURE(body.dump());
    CHECK(page.post("/discard", body).status == 400);
  }
  CHECK(app.count("state = 'discarded'") == 0);
  CHECK(page.post("/discard", {{"ids", {"2"}}, {"reason", "x"}}).json["count"] == 1);
  const Json all{{"filter", Json::object()}, {"all", true}, {"expected", 2}, {"reason", "x"}};
  CHECK(page.post("/discard", all).json["count"] == 2);
}

TEST_CASE("a member that is none, and a count that cannot be, are refused") {
  support::AppDatabase app;
  app.enqueue_many(3);
  Page page{app, {"--allow-changes"}};
  const Json filter{{"state", "pending"}};
  const Json bad[] = {{{"ids", {"1"}}, {"reason", "x"}, {"dri", true}},
                      {{"filter", {{"usr_id", "u"}}}, {"expected", 3}, {"reason", "x"}},
                      {{"filter", filter}, {"expected", -1}, {"reason", "x"}},
                      {{"filter", filter}, {"expected", INT64_MIN}, {"reason", "x"}},
                      {{"filter", filter}, {"expected", UINT64_MAX}, {"reason", "x"}}};
  for (const Json& body : bad) {
    CAPTURE(body.dump());
    CHECK(page.post("/discard", body).status == 400);
  }
  CHECK(page.post("/discard", {{"filter", filter}, {"expected", INT64_MAX}, {"reason", "x"}})
            .status == 409);
  CHECK(page.post("/destinations/track/pause", {{"raison", "x"}}).status == 400);
  CHECK(app.count("state = 'pending'") == 3);
}

TEST_CASE("a nudge that nobody would hear is refused") {
  support::AppDatabase app;
  app.enqueue_many(1);
  Page page{app, {"--allow-changes"}};
  const auto refused = page.post("/destinations/track/nudge", Json::object());
  CHECK(refused.status == 409);
  CHECK(refused.json["detail"] == "no dispatcher of track is running: nobody would try");
}

TEST_CASE("a destination is paused and resumed, and only one that is known") {
  support::AppDatabase app;
  app.enqueue_many(1);
  Page page{app, {"--allow-changes"}};
  CHECK(page.post("/destinations/trak/pause", {{"reason", "x"}}).status == 404);
  CHECK(page.post("/destinations/track/pause", {{"reason", "lunch"}}).status == 200);
  CHECK(page.get("/status").json["destinations"][0]["paused"]["reason"] == "lunch");
  CHECK(page.post("/destinations/track/resume", Json::object()).status == 200);
  CHECK(page.get("/status").json["destinations"][0]["paused"].is_null());
}

TEST_CASE("a page about one destination shows no other") {
  support::AppDatabase app;
  app.enqueue_many(2);
  app.enqueue_many(3, {.destination = "crm"});
  Page page{app, {"--destination", "crm"}};
  CHECK(page.get("/status").json["destinations"].size() == 1);
  CHECK(page.get("/events").json["events"].size() == 3);
  CHECK(page.get("/events?destination=track").status == 400);
}

TEST_CASE("every answer carries the page's policy, and none invites another origin") {
  support::AppDatabase app;
  Page page{app};
  for (const char* path : {"/", "/app.js", "/events", "/icon.svg", "/nothing", "/api/v1/status"}) {
    CAPTURE(path);
    const auto answer = page.client().Get(path);
    REQUIRE(answer);
    CHECK(answer->get_header_value("Content-Security-Policy").rfind("default-src 'none'", 0) == 0);
    CHECK(answer->get_header_value("X-Content-Type-Options") == "nosniff");
    CHECK(answer->get_header_value("Cache-Control") == "no-store");
    CHECK_FALSE(answer->has_header("Access-Control-Allow-Origin"));
    CHECK_FALSE(answer->has_header("Set-Cookie"));
  }
  httplib::Headers two = page.headers();
  two.emplace("Host", "evil.example");
  const auto answer = page.client().Get("/api/v1/status", two);
  REQUIRE(answer);
  CHECK(answer->status == 421);
}

TEST_CASE("a body beyond 64 KiB is refused") {
  support::AppDatabase app;
  Page page{app, {"--allow-changes"}};
  httplib::Headers headers = page.headers();
  headers.emplace("Origin", page.origin());
  const auto answer =
      page.client().Post("/api/v1/retry", headers, std::string(70'000, ' '), "application/json");
  if (answer) CHECK(answer->status == 413);  // or the connection was closed before it was sent

  const auto without_length = [](std::size_t, httplib::DataSink& sink) {
    sink.write("{}", 2);
    sink.done();
    return true;
  };
  const auto chunked =
      page.client().Post("/api/v1/retry", headers, without_length, "application/json");
  if (chunked) CHECK(chunked->status == 411);
  CHECK(page.client().Get("/api/v1/status", page.headers())->status == 200);
}

TEST_CASE("the stream tells what another connection has committed") {
  support::AppDatabase app;
  app.enqueue_many(1);
  Page page{app};
  std::string text;
  bool has_enqueued = false;
  page.client().Get("/api/v1/stream", page.headers(), [&](const char* data, std::size_t size) {
    text.append(data, size);
    if (!has_enqueued && text.find("\"pending\":1") != std::string::npos) {
      app.enqueue_many(1);
      has_enqueued = true;
    }
    return text.find("\"pending\":2") == std::string::npos && text.size() < 1'000'000;
  });
  CHECK(text.rfind("retry: 2000\n\n", 0) == 0);
  CHECK(text.find("event: status\ndata: {") != std::string::npos);
  CHECK(text.find("\"pending\":2") != std::string::npos);
}
