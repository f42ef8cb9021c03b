// Whatever comes from outside goes through one of these. Built by tests/torture/fuzz.sh with
// libFuzzer; the environment names the target. A target checks what must hold of any input, and not
// only that it survives.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/event/decode.hpp"
#include "core/event/event_check.hpp"
#include "core/event/id_ranges.hpp"
#include "core/event/subject.hpp"
#include "core/event/text.hpp"
#include "core/event/timestamp.hpp"
#include "core/http/answer_body.hpp"
#include "core/http/judge.hpp"

using namespace outbox::core;
using namespace std::chrono_literals;

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// The first line, and the rest.
std::pair<std::string_view, std::string_view> two_in(std::string_view input) {
  const std::size_t at = std::min(input.find('\n'), input.size());
  return {input.substr(0, at), input.substr(std::min(at + 1, input.size()))};
}

void answer_target(std::string_view input) {
  const auto [head, body] = two_in(input);
  Answer answer{.arrival = Arrival::answered, .status = 200, .body = std::string{body}};
  if (!head.empty()) answer.status = 100 + (head[0] & 0xff) * 2 % 500;
  answer.content_type = std::string{head};
  answer.secrets = {"canary-t0ken"};
  const outbox::Outcome outcome = judge(answer);
  for (const std::string& text : {outcome.reason, outcome.warnings, outcome.response_id}) {
    require(text.size() <= 1024, "what is kept of an answer is short");
    require(!first_invalid_utf8(text), "what is kept of an answer is UTF-8");
    require(text.find("canary-t0ken") == text.npos, "no secret is kept");
  }
}

// What is accepted is the same value to another parser, alone and in the array that is sent.
void payload_target(std::string_view input) {
  const bool is_event = !event_violation(input);
  const bool is_object = !object_violation(input);
  new_event_violation(input, event_kind::identify);
  if (!is_object && !is_event) return;
  const auto alone = nlohmann::json::parse(input, nullptr, false);
  require(alone.is_object(), "what is accepted is a JSON object");
  std::string both{"["};
  both.append(input).append(",").append(input).append("]");
  const auto array = nlohmann::json::parse(both, nullptr, false);
  require(array.is_array() && array.size() == 2, "two events are two elements");
  require(array[0] == alone && array[1] == alone, "an event is the same in a batch");
}

void ranges_target(std::string_view input) {
  const Ids ids = ids_in(input, 1'000);
  require(ids.size() <= 1'000, "a bounded number of ids");
  if (!ids.empty()) {
    require(ids_in(ranges_text(ids), 1'000) == ids, "ids survive being written");
    require(ranges_contain(input, ids.front()), "what is in the ranges is found");
  }
}

void text_target(std::string_view input) {
  const std::string kept = sanitised(input, 256);
  require(kept.size() <= 256, "at most 256 bytes");
  require(!first_invalid_utf8(kept), "UTF-8");
  for (const unsigned char c : kept) require(c >= 0x20 && c != 0x7f, "no control characters");
  const auto [secret, text] = two_in(input);
  quotes_secret(text, secret);
  trimmed(input);
}

void timestamp_target(std::string_view input) {
  if (timestamp_problem(input)) return;
  require(input.size() >= 20 && input[4] == '-' && input[7] == '-', "a date begins it");
}

void decode_target(std::string_view input) {
  require(decoded(input).size() <= input.size() * 4 + 16, "decoding is bounded");
}

void subject_target(std::string_view input) {
  const auto [value, payload] = two_in(input);
  address_problem(value);
  holds_address(payload, value);
  if (value.empty()) return;
  place_of(payload, outbox::Subject::email(std::string{value}));
  place_of(payload, outbox::Subject::user(std::string{value}));
}

using Target = void (*)(std::string_view);

Target target() {
  const std::pair<std::string_view, Target> targets[] = {
      {"answer", answer_target},   {"payload", payload_target},     {"ranges", ranges_target},
      {"text", text_target},       {"timestamp", timestamp_target}, {"decode", decode_target},
      {"subject", subject_target},
  };
  const char* const name = std::getenv("OUTBOX_FUZZ_TARGET");
  for (const auto& [known, run] : targets) {
    if (name != nullptr && known == name) return run;
  }
  std::fprintf(stderr, "OUTBOX_FUZZ_TARGET names no target\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Target run = target();
  run({reinterpret_cast<const char*>(data), size});
  return 0;
}
