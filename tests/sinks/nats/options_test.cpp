// What the sink's options may be, and how an event becomes a message. Without a server.

#include "sinks/nats_options.hpp"

#include <doctest/doctest.h>

#include "sinks/credentials.hpp"
#include "sinks/nats_message.hpp"

using namespace outbox;
using namespace outbox::sinks;
using namespace std::chrono_literals;

namespace {

std::string problem_of(const NatsOptions& options) {
  try {
    static_cast<void>(nats_jetstream(options));
    return {};
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

const std::string creds =
    "-----BEGIN NATS USER JWT-----\neyJ0\n------END NATS USER JWT------\n\n*** IMPORTANT ***\n"
    "-----BEGIN USER NKEY SEED-----\nSUAB\n------END USER NKEY SEED------\n";

}  // namespace

TEST_CASE("addresses are nats:// or tls://, without secrets, and plain ones are loopback's") {
  for (const char* url : {"nats://127.0.0.1:4222", "nats://localhost", "nats://[::1]:4222",
                          "tls://nats.example.com:4222", "nats://127.0.0.1:1,tls://b"}) {
    CAPTURE(url);
    CHECK(problem_of({.url = url}) == "");
  }
  for (const char* url :
       {"", "http://127.0.0.1", "nats://", "nats://:4222", "nats://u:p@127.0.0.1", "nats://h:x",
        "nats://127.0.0.1:4222/x", "nats://127.0.0.1,", "nats://[::1", "nats://10.0.0.1:4222",
        "nats://127.0.0.1.example.com", "tls://a,nats://b"}) {
    CAPTURE(url);
    CHECK(problem_of({.url = url}) != "");
    CHECK(problem_of({.url = url}).find("u:p") == std::string::npos);
  }
  CHECK(problem_of({.url = "nats://10.0.0.1", .plain_text = PlainText::to_anyone}) == "");
}

TEST_CASE("a subject has no wildcards and no empty tokens") {
  for (const char* subject : {"a", "outbox.{destination}.{kind}", "{kind}"}) {
    CHECK(problem_of({.subject = subject}) == "");
  }
  for (const char* subject :
       {"", ".a", "a.", "a..b", "a.*", "a.>", "a b", "a.{key}", "$JS.API.x"}) {
    CAPTURE(subject);
    CHECK(problem_of({.subject = subject}) != "");
  }
  CHECK(subject_filter("outbox.{destination}.{kind}") == "outbox.*.*");
  CHECK(subject_filter("outbox.x-{kind}") == "outbox.*");
}

TEST_CASE("times, streams and files are checked before the first connection") {
  CHECK(problem_of({.connect_timeout = 0ms}) != "");
  CHECK(problem_of({.ack_timeout = 11min}) != "");
  CHECK(problem_of({.stream = "a.b"}) != "");
  CHECK(problem_of({.create_stream = NatsStream{}}) != "");
  CHECK(problem_of({.stream = "S", .create_stream = NatsStream{}}) == "");
  CHECK(problem_of({.stream = "S", .create_stream = NatsStream{.replicas = 6}}) != "");
  CHECK(problem_of({.certificate_file = "c.pem"}) != "");
  CHECK(problem_of({.stream = "S", .create_stream = NatsStream{.age_max = 119s}}) != "");
  CHECK(problem_of({.stream = "S", .create_stream = NatsStream{.age_max = 2min}}) == "");
}

TEST_CASE("credentials without a function or a user are refused, and are not nobody's") {
  const SecretSource secret = from_callback([] { return creds; });
  CHECK(problem_of({.credentials = nats_token({})}).find("the function is empty") !=
        std::string::npos);
  CHECK(problem_of({.credentials = nats_creds({})}) != "");
  CHECK(problem_of({.credentials = nats_user("", secret)}).find("needs its user") !=
        std::string::npos);
  CHECK(problem_of({.credentials = nats_user("amy", secret)}) == "");
}

TEST_CASE("a user, password or token that the client cannot send is named by its characters") {
  const SecretSource fit = from_callback([] { return std::string{"p{a}s:s'\xC3\xA4"}; });
  CHECK(nats_secret(nats_token(fit)).password == "p{a}s:s'\xC3\xA4");
  for (const std::string bad : {"a\"b", "a\\b", "a\nb", "\",\"user\":\"admin"}) {
    CAPTURE(bad);
    CHECK(problem_of({.credentials = nats_user(bad, fit)}) ==
          "outbox: credentials: user: \", \\ and control characters cannot be sent");
    const SecretSource source = from_callback([bad] { return bad; });
    for (const NatsCredentials& credentials : {nats_token(source), nats_user("amy", source)}) {
      CHECK_THROWS_WITH_AS(
          nats_secret(credentials),
          "the credential holds \", \\ or a control character, which cannot be sent",
          CredentialProblem);
    }
  }
}

TEST_CASE("a creds text gives its JWT and its seed, and no error repeats it") {
  const NatsSecret secret = nats_secret(nats_creds(from_callback([] { return creds; })));
  CHECK(secret.jwt == "eyJ0");
  CHECK(secret.seed == "SUAB");
  std::string with_dashes = creds;
  with_dashes.replace(creds.find("eyJ0"), 4, "eyJ0---x---");
  CHECK(nats_secret(nats_creds(from_callback([&] { return with_dashes; }))).jwt == "eyJ0---x---");
  const auto problem = [](const SecretSource& source) {
    try {
      nats_secret(nats_creds(source));
      return std::string{};
    } catch (const CredentialProblem& error) {
      return std::string{error.what()};
    }
  };
  CHECK(problem(from_callback([] { return std::string{"sEcret"}; })) ==
        "the creds hold no user JWT with its NKEY seed");
  CHECK(problem(from_callback([]() -> std::string { throw std::runtime_error{"sEcret"}; })) ==
        "the credential callback failed");
  CHECK(problem(from_callback([] { return std::string{}; })) == "the credential is empty");
  CHECK(nats_secret(NatsCredentials{}).password == "");
}

TEST_CASE("a message has its own headers, then those of the event, none of them the server's") {
  const BatchEvent event{.event_id = "id",
                         .ordering_key = "user:\r\nNats-Rollup: all",
                         .headers = R"({"traceparent":"00","nats-rollup":"all","content-type":"x",)"
                                    R"("outbox-event-id":"not it","ce-id":"y"})"};
  CHECK(nats_headers(event, {}) == MessageHeaders{{"Content-Type", "application/json"},
                                                  {"Outbox-Event-Id", "id"},
                                                  {"Outbox-Key", "user:%0D%0ANats-Rollup: all"},
                                                  {"traceparent", "00"},
                                                  {"ce-id", "y"}});
}

TEST_CASE("CloudEvents attributes are percent-encoded as their binding asks") {
  BatchEvent event{.event_id = "id", .kind = "a b", .ordering_key = "50% \xC3\xA4\""};
  event.headers = R"({"ce-id":"forged"})";
  const MessageHeaders headers = nats_headers(
      event, {.format = MessageFormat::cloudevents_binary, .source = "https://example.com/app"});
  const auto value_of = [&](const std::string& name) {
    std::string values;
    for (const auto& header : headers) values += header.first == name ? header.second + ";" : "";
    return values;
  };
  CHECK(value_of("ce-specversion") == "1.0;");
  CHECK(value_of("ce-id") == "id;");
  CHECK(value_of("ce-source") == "https://example.com/app;");
  CHECK(value_of("ce-type") == "a%20b;");
  CHECK(value_of("ce-time") == "1970-01-01T00:00:00.000000Z;");
  CHECK(value_of("ce-partitionkey") == "50%25%20%C3%A4%22;");
}
