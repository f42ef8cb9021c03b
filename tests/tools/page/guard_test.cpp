#include "../../../tools/outbox/page/guard.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace {

constexpr auto token = "0123456789abcdef0123456789abcdef";

page::Visit read_of(const std::string& path) {
  return {.method = "GET",
          .path = path,
          .host = "127.0.0.1:8123",
          .authorization = "Bearer 0123456789abcdef0123456789abcdef"};
}

page::Visit change_of(const std::string& path) {
  page::Visit visit = read_of(path);
  visit.method = "POST";
  visit.origin = "http://127.0.0.1:8123";
  visit.content_type = "application/json";
  return visit;
}

// 0: it came in.
int status_of(const page::Visit& visit) {
  const auto refusal = page::Guard{8123, token}.refuse(visit);
  return refusal ? refusal->status : 0;
}

}  // namespace

TEST_CASE("the page's own calls come in") {
  CHECK(status_of(read_of("/")) == 0);
  CHECK(status_of(read_of("/api/v1/status")) == 0);
  CHECK(status_of(change_of("/api/v1/retry")) == 0);
  page::Visit by_name = change_of("/api/v1/retry");
  by_name.host = "localhost:8123";
  by_name.origin = "http://localhost:8123";
  CHECK(status_of(by_name) == 0);
  page::Visit with_charset = change_of("/api/v1/retry");
  with_charset.content_type = "application/json; charset=utf-8";
  CHECK(status_of(with_charset) == 0);
}

TEST_CASE("at port 80 browsers name no port") {
  const page::Guard guard{80, token};
  for (const char* host : {"127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"}) {
    page::Visit visit = change_of("/api/v1/retry");
    visit.host = host;
    visit.origin = std::string{"http://"} + host;
    CHECK_FALSE(guard.refuse(visit));
  }
  CHECK(guard.refuse(read_of("/")));  // of port 8123
}

TEST_CASE("any other host is refused first of all, for files too") {
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:81234", "localhost",
                           "localhost:8123.evil.example", "evil.example:8123", "[::1]:8123",
                           "0.0.0.0:8123", "LOCALHOST:8123", "127.0.0.1:8123 "}) {
    CAPTURE(host);
    for (const char* path : {"/", "/app.js", "/api/v1/status"}) {
      page::Visit visit = read_of(path);
      visit.host = host;
      visit.authorization.clear();
      CHECK(status_of(visit) == 421);
    }
  }
}

TEST_CASE("without the token, or with nearly it, no data is told") {
  for (const char* header :
       {"", "Bearer ", "Bearer 0123456789abcdef0123456789abcdee",
        "bearer 0123456789abcdef0123456789abcdef", "Bearer 0123456789abcdef0123456789abcdef0"}) {
    CAPTURE(header);
    page::Visit visit = read_of("/api/v1/status");
    visit.authorization = header;
    CHECK(status_of(visit) == 401);
    page::Visit file = read_of("/app.js");
    file.authorization = header;
    CHECK(status_of(file) == 0);
  }
}

TEST_CASE("another site gets nothing but the document of a link") {
  for (const char* site : {"cross-site", "same-site", "anything"}) {
    CAPTURE(site);
    page::Visit visit = read_of("/");
    visit.fetch_site = site;
    CHECK(status_of(visit) == 403);
    visit.fetch_mode = "navigate";
    visit.fetch_dest = "iframe";
    CHECK(status_of(visit) == 403);
    visit.fetch_dest = "document";
    CHECK(status_of(visit) == 0);
    visit.path = "/api/v1/status";
    CHECK(status_of(visit) == 403);
    page::Visit change = change_of("/api/v1/retry");
    change.fetch_site = site;
    change.fetch_mode = "navigate";
    change.fetch_dest = "document";
    CHECK(status_of(change) == 403);
  }
  for (const char* site : {"", "none", "same-origin"}) {
    page::Visit visit = read_of("/api/v1/status");
    visit.fetch_site = site;
    CHECK(status_of(visit) == 0);
  }
}

TEST_CASE("a change comes from this page's own origin, as JSON") {
  for (const char* origin : {"", "null", "http://evil.example", "https://127.0.0.1:8123",
                             "http://127.0.0.1:8124", "http://localhost:8123"}) {
    CAPTURE(origin);
    page::Visit visit = change_of("/api/v1/retry");
    visit.origin = origin;
    CHECK(status_of(visit) == 403);
  }
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded",
                           "multipart/form-data; boundary=x", "application/jsonp"}) {
    CAPTURE(type);
    page::Visit visit = change_of("/api/v1/retry");
    visit.content_type = type;
    CHECK(status_of(visit) == 415);
  }
}

TEST_CASE("no other method is known, and files take none but GET") {
  for (const char* method : {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    CAPTURE(method);
    page::Visit visit = change_of("/api/v1/retry");
    visit.method = method;
    CHECK(status_of(visit) == 405);
  }
  CHECK(status_of(change_of("/")) == 405);
}

TEST_CASE("a token is new each time, and 32 hex digits") {
  std::set<std::string> tokens;
  for (int i = 0; i < 100; ++i) tokens.insert(page::make_token());
  CHECK(tokens.size() == 100);
  for (const std::string& one : tokens) {
    CHECK(one.size() == 32);
    CHECK(one.find_first_not_of("0123456789abcdef") == std::string::npos);
  }
}
