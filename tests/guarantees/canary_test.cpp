// A token, and the words of an endpoint about people, in every place in which an answer can carry
// text: none of it reaches the database, the lock file, or a notice.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/event/text.hpp"
#include "support/desk.hpp"
#include "support/files.hpp"

using namespace outbox;

namespace {

constexpr auto token = "sk-live-4f9Ac2xyz7788";

std::string percent(const std::string& text) {
  std::ostringstream out;
  for (const char c : text) out << '%' << std::hex << std::uppercase << static_cast<int>(c);
  return out.str();
}

std::string escapes(const std::string& text) {
  std::ostringstream out;
  for (const char c : text) out << "\\u00" << std::hex << static_cast<int>(c);
  return out.str();
}

// As they stand between quotes in JSON.
std::vector<std::string> encodings() {
  const std::string raw = token;
  std::string references;
  for (const char c : raw) references += "&#" + std::to_string(static_cast<int>(c)) + ";";
  std::string twice;
  for (const char c : percent(raw)) twice += c == '%' ? std::string{"%25"} : std::string{c};
  return {raw,
          "Bearer " + raw,
          raw.substr(0, 12),
          escapes(raw),
          escapes(raw.substr(0, 5)) + raw.substr(5),
          percent(raw),
          percent(raw.substr(0, 1)) + raw.substr(1),
          twice,
          references,
          "sk-live\\u002d4f9Ac2xyz7788",
          "\\\"" + raw + "\\\"",
          "{\\\"token\\\":\\\"" + raw + "\\\"}",
          "c2stbGl2ZS00ZjlBYzJ4eXo3Nzg4",              // base64
          "QmVhcmVyIHNrLWxpdmUtNGY5QWMyeHl6Nzc4OA==",  // of "Bearer " and the token
          "736b2d6c6976652d346639416332",              // hex
          "SK-LIVE-4F9AC2XYZ7788",
          "sk-live-\\n4f9Ac2xyz7788",
          "sk-live-\\t4f9Ac2xyz7788",
          "\\\\u0073k-live-4f9Ac2xyz7788",
          "a:" + raw + ":b"};
}

}  // namespace

TEST_CASE("a token that an answer quotes is kept nowhere") {
  for (const int status : {200, 400, 401, 404, 503}) {
    std::string notices;
    support::Desk desk{{.observer = [&](const Notice& notice) { notices += notice.text + "\n"; }},
                       support::AppDatabase::Kept::in_file};
    for (const std::string& quoted : encodings()) {
      for (const char* field : {"message", "error", "response_id", "warnings"}) {
        const bool is_list = std::string{field} == "warnings";
        desk.sink.answer = [&](const std::string&) {
          core::Answer answer = support::answer_of(status, std::string{"{\""} + field +
                                                               "\":" + (is_list ? "[\"" : "\"") +
                                                               quoted + (is_list ? "\"]}" : "\"}"));
          answer.secrets = {token};
          return answer;
        };
        desk.app.enqueue_many(1);
        desk.round().probe_now();
        desk.run();
      }
    }
    CAPTURE(status);
    CHECK(desk.app.number("select count(*) from outbox_requests") >= 40);
    CHECK(desk.app.number("select count(*) from outbox_requests where response_id is not null"
                          " or reason is not null") > 0);
    std::string kept = notices;
    for (const auto& entry : std::filesystem::directory_iterator{desk.app.folder().path()}) {
      kept += support::text_of(entry.path());
    }
    CHECK(kept.size() > 10'000);
    // Most bytes of a page are empty, and each is decoded again and again: one stands for its
    // neighbours.
    const auto are_empty = [](char one, char next) { return one == '\0' && next == '\0'; };
    kept.erase(std::unique(kept.begin(), kept.end(), are_empty), kept.end());
    CHECK_FALSE(core::quotes_secret(kept, token));
  }
}
