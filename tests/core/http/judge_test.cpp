#include "core/http/judge.hpp"

#include <doctest/doctest.h>

#include "support/fakes.hpp"

using namespace outbox::core;
using outbox::Verdict;
using support::answer_of;

TEST_CASE("every status has its meaning") {
  struct Row {
    int first;
    int last;
    Verdict verdict;
  };
  const Row rows[] = {
      {100, 199, Verdict::failed},        {200, 299, Verdict::delivered},
      {300, 399, Verdict::misconfigured}, {400, 400, Verdict::refused},
      {401, 401, Verdict::unauthorized},  {402, 402, Verdict::refused},
      {403, 403, Verdict::unauthorized},  {404, 405, Verdict::misconfigured},
      {406, 406, Verdict::refused},       {407, 407, Verdict::unauthorized},
      {408, 409, Verdict::unavailable},   {410, 410, Verdict::misconfigured},
      {411, 414, Verdict::refused},       {415, 415, Verdict::misconfigured},
      {416, 420, Verdict::refused},       {421, 421, Verdict::unavailable},
      {422, 424, Verdict::refused},       {425, 425, Verdict::unavailable},
      {426, 428, Verdict::refused},       {429, 429, Verdict::unavailable},
      {430, 499, Verdict::refused},       {500, 500, Verdict::failed},
      {501, 501, Verdict::misconfigured}, {502, 504, Verdict::failed},
      {505, 505, Verdict::misconfigured}, {506, 599, Verdict::failed},
  };
  int next = 100;
  for (const Row& row : rows) {
    REQUIRE(row.first == next);  // no status is left out
    for (int status = row.first; status <= row.last; ++status) {
      CAPTURE(status);
      CHECK(judge(answer_of(status)).verdict == row.verdict);
    }
    next = row.last + 1;
  }
  CHECK(next == 600);
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
  const outbox::Outcome outcome = judge(answer_of(
      200,
      R"({"success":true,"response_id":"r-1","warnings":["amy@achme.com has no plan",[7],"late"]})"));

  CHECK(outcome.response_id == "r-1");
  CHECK(outcome.warnings == "a**@achme.com has no plan; late");
  CHECK(outcome.reason.empty());
}

TEST_CASE("texts of an answer's other members are no warnings") {
  const char* body = R"({"data":{"plan":"pro"},"list":["a"],"success":true})";
  CHECK(judge(answer_of(200, body)).warnings.empty());
  body = R"({"success":true,"warnings":["late"],"data":{"plan":"pro"}})";
  CHECK(judge(answer_of(200, body)).warnings == "late");
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
    const auto outcome = judge(answer_of(
        status, R"({"message":"invalid token s3cret","warnings":["w"],"response_id":"r"})"));
    CHECK(outcome.reason == "HTTP " + std::to_string(status));
    CHECK(outcome.warnings.empty());
    CHECK(outcome.response_id.empty());
  }
}

TEST_CASE("nor where meanings say that a status is about the credential") {
  const outbox::StatusMeaning meanings[] = {{419, Verdict::unauthorized}};
  const auto outcome =
      judge(answer_of(419, R"({"message":"s3cret expired","warnings":["w"]})"), meanings);
  CHECK(outcome.reason == "HTTP 419");
  CHECK(outcome.warnings.empty());
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
  CHECK(judge(answer_of(400, R"({"message":"/users?email=amy%40achme.com"})")).reason ==
        "HTTP 400: (it holds an encoded address)");
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
    const outbox::Outcome outcome = judge({.arrival = row.arrival, .error = "why"});
    CHECK(outcome.verdict == row.verdict);
    CHECK(outcome.reason == row.reason);
  }
}

TEST_CASE("a 503 that says when to come back speaks of the endpoint, not of the request") {
  Answer answer = answer_of(503);
  CHECK(judge(answer).verdict == Verdict::failed);
  answer.retry_after = std::chrono::seconds{30};
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

TEST_CASE("where bodies are ignored, a 2xx is a yes but for an HTML document") {
  const auto verdict = [](std::string body) {
    return judge(answer_of(200, std::move(body)), {}, AnswerBodies::ignored).verdict;
  };
  CHECK(verdict("") == Verdict::delivered);
  CHECK(verdict(R"({"success":false})") == Verdict::delivered);
  CHECK(verdict("<ok/>") == Verdict::delivered);
  CHECK(verdict("\n<!DOCTYPE HTML><p>") == Verdict::misconfigured);
  CHECK(verdict("<html>") == Verdict::misconfigured);
}
