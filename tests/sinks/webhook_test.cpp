#include "outbox/webhook.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "core/clock.hpp"
#include "core/encoding.hpp"
#include "core/http/signature.hpp"
#include "examples/webhook.hpp"
#include "support/database.hpp"
#include "support/scripted_server.hpp"
#include "support/webhook_receiver.hpp"

using namespace outbox;
using namespace std::chrono_literals;
using nlohmann::json;
using support::WebhookReceiver;

namespace {

const std::string key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string other_key = "whsec_" + core::base64(std::string(32, 'k'));

// Two events, none of the Track API's.
Batch two_events() {
  Batch batch{.destination = "hooks", .body = R"([{"n": 1},{"n":2}])"};
  batch.events.push_back({.id = 1,
                          .event_id = "id-1",
                          .kind = "order.placed",
                          .ordering_key = "k 1",
                          .headers = R"({"traceparent":"00-ab","Authorization":"Bearer evil"})",
                          .enqueued_at = std::chrono::sys_days{std::chrono::year{2026} / 11 / 24},
                          .offset = 1,
                          .bytes = 8});
  batch.events.push_back({.id = 2, .event_id = "id-2", .kind = "other", .offset = 10, .bytes = 7});
  return batch;
}

Batch one_event() {
  Batch batch = two_events();
  batch.events.pop_back();
  batch.body = R"([{"n": 1}])";
  return batch;
}

Outcome send(const Endpoint& endpoint, Batch batch) {
  Sink& sink = endpoint.sink();
  sink.submit(1, std::move(batch));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < deadline) {
    for (Sink::Reply& reply : sink.collect(1s)) return std::move(reply.outcome);
  }
  FAIL("no outcome");
  return {};
}

WebhookReceiver::Request sent_as(Webhook options, Batch batch) {
  const WebhookReceiver receiver;
  options.url = receiver.url();
  CHECK(send(webhook(std::move(options)), std::move(batch)).verdict == Verdict::delivered);
  REQUIRE(receiver.requests().size() == 1);
  return receiver.requests()[0];
}

SecretSource constant(std::string secret) {
  return from_callback([secret = std::move(secret)] { return secret; });
}

Outcome outcome_of(WebhookReceiver::Answer answer, Webhook options = {}) {
  const WebhookReceiver receiver{[&](const WebhookReceiver::Request&) { return answer; }};
  options.url = receiver.url();
  return send(webhook(std::move(options)), one_event());
}

}  // namespace

TEST_CASE("an event is sent as it was stored, with its id and its own headers") {
  const auto request = sent_as({}, one_event());

  CHECK(request.body == R"({"n": 1})");
  CHECK(request.header("Content-Type") == "application/json");
  CHECK(request.header("webhook-id") == "id-1");
  CHECK(request.header("traceparent") == "00-ab");
  CHECK(request.header("Authorization").empty());  // not an event's to say
  CHECK(request.header("webhook-signature").empty());
}

TEST_CASE("a header of an event that is empty is sent") {
  std::string request;  // as it is on the wire, since httplib leaves out empty headers
  const support::ScriptedServer server{[&](support::Peer& peer, int) {
    request = peer.read_request();
    peer.write("HTTP/1.1 204 No Content\r\n\r\n");
  }};
  Batch batch = one_event();
  batch.events[0].headers = R"({"X-Empty":""})";
  CHECK(send(webhook({.url = server.url()}), batch).verdict == Verdict::delivered);
  CHECK(request.find("\r\nX-Empty:\r\n") != std::string::npos);
}

TEST_CASE("a header of an event neither speaks for the request nor takes away one of ours") {
  for (const std::string said : {"evil", ""}) {
    CAPTURE(said);
    Batch batch = one_event();
    json headers;
    for (const char* name :
         {"User-Agent", "content-range", "Content-Language", "Keep-Alive", "Proxy-Connection",
          "webhook_id", "CE_ID", "content_type", "User_Agent", "X_Tenant"}) {
      headers[name] = said;
    }
    batch.events[0].headers = headers.dump();
    const auto request = sent_as({.headers = {{"X-Tenant", "seven"}}}, batch);

    CHECK(request.header("User-Agent").rfind("outbox/", 0) == 0);
    CHECK(request.header("webhook-id") == "id-1");
    CHECK(request.header("X-Tenant") == "seven");
    for (const auto& [name, value] : request.headers) {
      CAPTURE(name);
      CHECK(value != "evil");
    }
  }
}

TEST_CASE("an event id that SQL has filled with line breaks writes no header") {
  Batch batch = one_event();
  batch.events[0].event_id = "a\r\nX-Injected: yes\r\n\r\nPOST / HTTP/1.1\r\n\r\n";
  const auto request = sent_as({}, batch);

  CHECK(request.header("X-Injected").empty());
  CHECK(request.header("webhook-id") == core::message_id(batch.events[0].event_id));
  CHECK(request.body == R"({"n": 1})");
}

TEST_CASE("an array holds the events as they were stored") {
  const auto request = sent_as({.format = WebhookFormat::json_array}, two_events());

  CHECK(request.body == R"([{"n": 1},{"n":2}])");
  CHECK(request.header("Content-Type") == "application/json");
  CHECK(request.header("webhook-id") == core::webhook_id({"id-1", "id-2"}));
}

TEST_CASE("CloudEvents are written in all three ways") {
  Webhook options{.source = "/shop"};
  options.format = WebhookFormat::cloudevents_binary;
  const auto binary = sent_as(options, one_event());
  CHECK(binary.body == R"({"n": 1})");
  CHECK(binary.header("Content-Type") == "application/json");
  CHECK(binary.header("ce-specversion") == "1.0");
  CHECK(binary.header("ce-id") == "id-1");
  CHECK(binary.header("ce-source") == "/shop");
  CHECK(binary.header("ce-type") == "order.placed");
  CHECK(binary.header("ce-time") == "2026-11-24T00:00:00.000000Z");
  CHECK(binary.header("ce-partitionkey") == "k 1");  // sent as k%201, which httplib decodes

  options.format = WebhookFormat::cloudevents_structured;
  const auto structured = sent_as(options, one_event());
  CHECK(structured.header("Content-Type") == "application/cloudevents+json");
  const json expected = {{"specversion", "1.0"},
                         {"id", "id-1"},
                         {"source", "/shop"},
                         {"type", "order.placed"},
                         {"time", "2026-11-24T00:00:00.000000Z"},
                         {"partitionkey", "k 1"},
                         {"datacontenttype", "application/json"},
                         {"data", {{"n", 1}}}};
  CHECK(json::parse(structured.body) == expected);

  options.format = WebhookFormat::cloudevents_batch;
  const auto batch = sent_as(options, two_events());
  CHECK(batch.header("Content-Type") == "application/cloudevents-batch+json");
  const json events = json::parse(batch.body);
  REQUIRE(events.size() == 2);
  CHECK(events[0] == expected);
  CHECK(events[1]["id"] == "id-2");
}

TEST_CASE("a request is signed as Standard Webhooks says, with each key") {
  const auto before = core::system_now() - 1s;
  const auto request =
      sent_as({.signing_key = constant(key + "\n" + other_key + "\n")}, one_event());

  const core::Instant sent_at{
      std::chrono::seconds{std::stoll(request.header("webhook-timestamp"))}};
  CHECK(sent_at >= before);
  CHECK(sent_at <= core::system_now());
  const auto signature = [&](const std::string& with) {
    return core::webhook_signature(*core::signing_key(with), "id-1", sent_at, request.body);
  };
  CHECK(request.header("webhook-signature") == signature(key) + " " + signature(other_key));
}

TEST_CASE("headers are sent, and those with secrets are read anew when refused") {
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("secret")} << "old\n";
  const WebhookReceiver receiver{[](const WebhookReceiver::Request& request) {
    return WebhookReceiver::Answer{.status = request.header("X-Secret") == "new" ? 200 : 403};
  }};
  const Endpoint endpoint =
      webhook({.url = receiver.url(),
               .headers = {{"X-Tenant", "seven"}},
               .secret_headers = {{"X-Secret", from_file(folder.file("secret"))}}});
  CHECK(send(endpoint, one_event()).verdict == Verdict::unauthorized);
  CHECK_FALSE(endpoint.sink().has_new_credential());
  CHECK(receiver.requests().at(0).header("X-Tenant") == "seven");

  std::ofstream{folder.file("secret.new")} << "new\n";
  std::filesystem::rename(folder.file("secret.new"), folder.file("secret"));

  CHECK(endpoint.sink().has_new_credential());
  CHECK(send(endpoint, one_event()).verdict == Verdict::delivered);
}

TEST_CASE("each source of a secret is told when the receiver refuses us, and only then") {
  struct Row {
    int status;
    int refusals;
  };
  // The last one by what `meanings` say of it.
  for (const Row row :
       {Row{401, 3}, Row{403, 3}, Row{407, 3}, Row{500, 0}, Row{400, 0}, Row{419, 3}}) {
    CAPTURE(row.status);
    int refusals = 0;
    const auto source = [&](std::string secret) {
      return SecretSource{.secret = [secret] { return secret; }, .refused = [&] { ++refusals; }};
    };
    outcome_of({.status = row.status}, {.credentials = bearer(source("token-of-mine")),
                                        .signing_key = source(key),
                                        .secret_headers = {{"X-Secret", source("s3cret")}},
                                        .meanings = {{419, Verdict::unauthorized}}});
    CHECK(refusals == row.refusals);
  }
}

TEST_CASE("without a usable secret no request is made, and the text has none of it") {
  const WebhookReceiver receiver;
  for (const bool is_key : {true, false}) {
    Webhook options{.url = receiver.url()};
    const std::string secret = "s3cret-that\nbreaks-the-line";
    if (is_key) options.signing_key = constant(secret);
    if (!is_key) options.secret_headers = {{"X-Secret", constant(secret)}};
    const Outcome outcome = send(webhook(options), one_event());
    CHECK(outcome.verdict == Verdict::unauthorized);
    CHECK_FALSE(outcome.was_made);
    CHECK(outcome.reason.rfind("no credential: ", 0) == 0);
    CHECK(outcome.reason.find("s3cret") == std::string::npos);
  }
  CHECK(receiver.requests().empty());
}

TEST_CASE("a look at a webhook reads its secrets, as the first request would, and sends nothing") {
  const WebhookReceiver receiver;
  const support::TemporaryFolder folder;
  const SecretSource missing = from_file(folder.file("none"));
  const char* const problem = "the secret file cannot be opened: No such file or directory";
  CHECK(connection_problem(Webhook{.url = receiver.url(), .credentials = bearer(missing)}) ==
        problem);
  CHECK(connection_problem(Webhook{.url = receiver.url(), .signing_key = missing}) == problem);
  CHECK(connection_problem(
            Webhook{.url = receiver.url(), .secret_headers = {{"X-Secret", missing}}}) == problem);
  CHECK(connection_problem(Webhook{.url = receiver.url(), .signing_key = constant("s3cret")}) ==
        "the signing key is not \"whsec_\" and 24 to 64 bytes in base64");
  for (const WebhookFormat format :
       {WebhookFormat::json, WebhookFormat::json_array, WebhookFormat::cloudevents_binary,
        WebhookFormat::cloudevents_structured, WebhookFormat::cloudevents_batch}) {
    CHECK(connection_problem(Webhook{
              .url = receiver.url(), .format = format, .signing_key = constant(key)}) == "");
  }
  CHECK(receiver.requests().empty());
}

TEST_CASE("a 2xx is a yes whatever the body says, but for an HTML document") {
  struct Row {
    WebhookReceiver::Answer answer;
    Verdict verdict;
  };
  const Row rows[] = {
      {{.status = 204}, Verdict::delivered},
      {{200, "ok", "text/html"}, Verdict::delivered},  // what many frameworks say by default
      {{200, R"({"success":false})", "application/json"}, Verdict::delivered},
      {{200, "\n<!DOCTYPE html><p>Log in", "text/html"}, Verdict::misconfigured},
      {{200, "<html lang=\"en\">", "text/plain"}, Verdict::misconfigured},
      {{.status = 400, .body = "no"}, Verdict::refused},
      {{.status = 403}, Verdict::unauthorized},
      {{.status = 410}, Verdict::misconfigured},
      {{.status = 429}, Verdict::unavailable},
      {{.status = 500}, Verdict::failed}};
  for (const Row& row : rows) {
    CAPTURE(row.answer.status);
    CAPTURE(row.answer.body);
    CHECK(outcome_of(row.answer).verdict == row.verdict);
  }
  CHECK(outcome_of({.status = 409}, {.meanings = {{409, Verdict::delivered}}}).verdict ==
        Verdict::delivered);
}

TEST_CASE("options that cannot be are refused by name") {
  const auto throws = [](Webhook options) {
    if (options.url.empty()) options.url = "https://example.test/";
    CHECK_THROWS_AS(webhook(std::move(options)), std::invalid_argument);
  };
  throws({.url = "http://example.test/"});
  throws({.url = "ftp://example.test/"});
  throws({.source = ""});
  throws({.headers = {{"Content-Length", "7"}}});
  throws({.headers = {{"webhook-id", "7"}}});
  throws({.headers = {{"a b", "7"}}});
  throws({.headers = {{"X-A", "7"}, {"x-a", "8"}}});
  throws({.headers = {{"X-A", "a\r\nX-B: b"}}});
  throws({.headers = {{"X-A", " "}}});
  throws({.secret_headers = {{"X-A", {}}}});
  throws({.credentials = bearer("t"), .secret_headers = {{"Authorization", constant("Basic x")}}});
  throws({.timeout = 0ms});
  throws({.meanings = {{99, Verdict::failed}}});
}

TEST_CASE("one event a request: several are under way, and each key keeps its order") {
  constexpr int keys = 8;
  constexpr int events_of_each = 10;
  const WebhookReceiver receiver{[](const WebhookReceiver::Request&) {
    std::this_thread::sleep_for(5ms);  // so that others can be under way
    return WebhookReceiver::Answer{};
  }};
  support::AppDatabase app;
  for (int n = 0; n < events_of_each; ++n) {
    for (int of = 0; of < keys; ++of) {
      app.enqueue(
          Payload{json{{"key", of}, {"n", n}}.dump()},
          {.destination = "hooks", .kind = "counted", .ordering_key = "key-" + std::to_string(of)});
    }
  }

  const DeliverReport report = deliver_once(app.path(), webhook({.url = receiver.url()}),
                                            {.destination = "hooks", .connections = 8}, 60s);

  CHECK(report.delivered == keys * events_of_each);
  CHECK(report.requests == keys * events_of_each);
  CHECK(receiver.most_at_once() >= 2);
  CHECK(receiver.most_at_once() <= 8);
  std::map<int, int> next;
  for (const auto& request : receiver.requests()) {
    const json event = json::parse(request.body);
    CHECK(event["n"] == next[event["key"]]++);
  }
}

TEST_CASE("the example of docs/relay.md delivers to a webhook") {
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("key")} << key;
  const WebhookReceiver receiver;
  support::AppDatabase app;
  app.enqueue(Payload{R"({"order":7})"}, {.destination = "orders", .kind = "order.placed"});

  auto relay = relay_to_webhook(app.path(), receiver.url(), folder.file("key"));

  CHECK(relay->wait_until_idle(60s));
  REQUIRE(receiver.requests().size() == 1);
  CHECK(receiver.requests()[0].header("ce-type") == "order.placed");
  CHECK_FALSE(receiver.requests()[0].header("webhook-signature").empty());
}

TEST_CASE("the name of a webhook, which the database keeps, tells neither its path nor its query") {
  const auto name_of = [](const char* url) { return webhook({.url = url}).sink().name(); };
  const std::string name = name_of("https://hooks.example.com/services/T0/S3CRET?key=S3CRET");

  CHECK(name.starts_with("https://hooks.example.com/…"));
  CHECK(name.find("S3CRET") == std::string::npos);
  CHECK(name.find("services") == std::string::npos);
  CHECK(name == name_of("https://hooks.example.com/services/T0/S3CRET?key=S3CRET"));
  CHECK(name != name_of("https://hooks.example.com/services/T0/S3CRET?key=0ther"));
  CHECK(name_of("https://hooks.example.com") == "https://hooks.example.com");
  CHECK(
      name_of("https://hooks.example.com?key=S3/CRET").starts_with("https://hooks.example.com?…"));
}
