#include "core/judge.hpp"

#include <doctest/doctest.h>

#include "support/fakes.hpp"

using namespace outbox::core;
using outbox::Verdict;
using support::answer_of;

namespace {

constexpr Instant now{std::chrono::milliseconds{1'800'000'000'000}};

Outcome judge(const Answer& answer, std::span<const outbox::StatusMeaning> meanings = {}) {
  return outbox::core::judge(answer, now, meanings);
}

}  // namespace

TEST_CASE("every status has its meaning") {
  const auto expected = [](int status) {
    switch (status) {
      case 401:
      case 403:
      case 407:
        return Verdict::unauthorized;
      case 404:
      case 405:
      case 410:
      case 415:
      case 501:
      case 505:
        return Verdict::misconfigured;
      case 408:
      case 409:
      case 421:
      case 425:
      case 429:
        return Verdict::unavailable;
      default:
        break;
    }
    if (status >= 200 && status < 300) return Verdict::delivered;
    if (status >= 300 && status < 400) return Verdict::misconfigured;
    if (status >= 400 && status < 500) return Verdict::refused;
    return Verdict::failed;
  };
  for (int status = 100; status < 600; ++status) {
    CAPTURE(status);
    CHECK(judge(answer_of(status)).verdict == expected(status));
  }
}

TEST_CASE("a 2xx is delivered unless it says no or is a web page") {
  struct Row {
    const char* type;
    std::string body;
    Verdict verdict;
  };
  const Row rows[] = {
      {"application/json", "", Verdict::delivered},
      {"application/json", R"({"success":true,"eventId":"e"})", Verdict::delivered},
      {"", R"({"eventId":"e"})", Verdict::delivered},
      {"text/plain", "OK", Verdict::delivered},
      {"application/json", R"({"success":true,"mess)", Verdict::delivered},  // cut short
      {"application/json", R"({"success":"false"})", Verdict::delivered},
      {"application/json", R"({"success":false})", Verdict::refused},
      {"text/html; charset=utf-8", "welcome", Verdict::misconfigured},
      {"TEXT/HTML", "", Verdict::misconfigured},
      {"application/xhtml+xml", "", Verdict::misconfigured},
      {"application/json", "  \n<!doctype html>", Verdict::misconfigured},
      {"", "\xEF\xBB\xBF<html>", Verdict::misconfigured},
      {"application/json", std::string(64 * 1024, '['), Verdict::delivered},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type);
    CAPTURE(row.body.substr(0, 40));
    Answer answer = answer_of(200, row.body);
    answer.content_type = row.type;
    CHECK(judge(answer).verdict == row.verdict);
  }
}

TEST_CASE("what the endpoint says of a batch is kept, without people") {
  const Outcome outcome = judge(answer_of(
      200,
      R"({"success":true,"response_id":"r-1","warnings":["amy@achme.com has no plan",[7],"late"]})"));

  CHECK(outcome.response_id == "r-1");
  CHECK(outcome.warnings == "a**@achme.com has no plan; late");
  CHECK(outcome.reason.empty());
}

TEST_CASE("warnings nested beyond reason are passed over") {
  const std::size_t levels = 30'000;
  const std::string body =
      R"({"warnings":[)" + std::string(levels, '[') + std::string(levels, ']') + "]}";
  CHECK(judge(answer_of(200, body)).verdict == Verdict::delivered);
  CHECK(judge(answer_of(200, body)).warnings.empty());
}

TEST_CASE("what is said of a credential is not kept: it may quote it") {
  for (const int status : {401, 403, 407}) {
    CHECK(judge(answer_of(status, R"({"message":"invalid token s3cret"})")).reason ==
          "HTTP " + std::to_string(status));
  }
}

TEST_CASE("text that is no JSON after a 2xx is delivered with a warning") {
  CHECK(judge(answer_of(200, "OK")).warnings == "the answer's body is no JSON object");
  CHECK(judge(answer_of(200, " ")).warnings.empty());
}

TEST_CASE("a failure has a reason for people, and for nobody's terminal to obey") {
  CHECK(judge(answer_of(503)).reason == "HTTP 503");
  CHECK(judge(answer_of(400, R"({"message":"events[3].user_id:\u001b[31m required"})")).reason ==
        "HTTP 400: events[3].user_id:?[31m required");
  CHECK(judge(answer_of(200, R"({"success":false,"message":"no amy@achme.com"})")).reason ==
        "HTTP 200: no a**@achme.com");
  CHECK(judge(answer_of(400, R"({"message":")" + std::string(1000, 'x') + "\"}")).reason.size() ==
        256);
  CHECK(judge(answer_of(200, "<html>")).verdict == Verdict::misconfigured);
}

TEST_CASE("every failure of the transport is the destination's trouble, never the events'") {
  struct Row {
    Arrival arrival;
    Verdict verdict;
    const char* reason;
  };
  const Row rows[] = {
      {Arrival::not_sent, Verdict::unavailable, "could not connect: why"},
      {Arrival::untrusted, Verdict::misconfigured, "certificate not trusted: why"},
      {Arrival::no_credential, Verdict::unauthorized, "no credential: why"},
      {Arrival::lost, Verdict::failed, "no answer: why"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.reason);
    const Outcome outcome = judge({.arrival = row.arrival, .error = "why"});
    CHECK(outcome.verdict == row.verdict);
    CHECK(outcome.reason == row.reason);
  }
}

TEST_CASE("a 503 that says when to come back speaks of the endpoint, not of the request") {
  Answer answer = answer_of(503);
  CHECK(judge(answer).verdict == Verdict::failed);
  answer.retry_after = "30";
  CHECK(judge(answer).verdict == Verdict::unavailable);
  CHECK(judge(answer).retry_after == std::chrono::seconds{30});
}

TEST_CASE("a status means what the host says it means") {
  const outbox::StatusMeaning meanings[] = {{404, Verdict::refused},
                                            {409, Verdict::delivered},
                                            {202, Verdict::unavailable},
                                            {404, Verdict::delivered}};
  CHECK(judge(answer_of(404), meanings).verdict == Verdict::refused);
  CHECK(judge(answer_of(409), meanings).verdict == Verdict::delivered);
  CHECK(judge(answer_of(202), meanings).verdict == Verdict::unavailable);
  CHECK(judge(answer_of(400), meanings).verdict == Verdict::refused);
  CHECK(judge(answer_of(202, "<html>"), meanings).verdict == Verdict::misconfigured);
}

TEST_CASE("413 is about the size of the request") {
  CHECK(judge(answer_of(413)).is_about_size);
  CHECK_FALSE(judge(answer_of(400)).is_about_size);
}

TEST_CASE("where the endpoint answers for each event, each has its verdict") {
  Answer answer = answer_of(207);
  answer.events = {{0, 200, ""}, {2, 400, "no\nuser"}, {1, 503, ""}};
  const Outcome outcome = judge(answer);
  REQUIRE(outcome.events.size() == 3);
  CHECK(outcome.events[0].verdict == Verdict::delivered);
  CHECK(outcome.events[1].index == 2);
  CHECK(outcome.events[1].verdict == Verdict::refused);
  CHECK(outcome.events[1].reason == "HTTP 400: no?user");
  CHECK(outcome.events[2].verdict == Verdict::failed);
}
