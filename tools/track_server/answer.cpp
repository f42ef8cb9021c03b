#include "answer.hpp"

#include <array>
#include <cstddef>
#include <ctime>

namespace track_server {

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  const std::size_t size =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), size};
}

std::string response_id(std::size_t number) {
  const std::string digits = std::to_string(number);
  const std::size_t zeros = digits.size() < 6 ? 6 - digits.size() : 0;
  return "track-" + std::string(zeros, '0') + digits;
}

Answer good_answer(const Verdict& verdict, const std::string& id) {
  return {.status = verdict.status,
          .body = answer_body(verdict.status, id, verdict.message),
          .accepts = verdict.status == 200};
}

Answer bad_answer(const Verdict& verdict, const std::string& id, const Misbehaviour& bad) {
  Answer answer = good_answer(verdict, id);
  if (bad.status != 0) {
    answer.status = bad.status;
    if (bad.status / 100 != 2) answer.body = answer_body(bad.status, id, "misbehaves as asked");
  }
  if (bad.is_web_page) {
    if (bad.status == 0) answer.status = 200;
    answer.body = "<!doctype html><title>Sign in</title><p>This is no API.</p>\n";
    answer.content_type = "text/html; charset=utf-8";
  }
  if (!bad.body.empty()) answer.body = bad.body;
  if (answer.status == 204) answer.body.clear();  // RFC 9110, 15.3.5
  if (!bad.content_type.empty()) answer.content_type = bad.content_type;
  const bool denies = answer.status / 100 != 2 || bad.is_web_page || says_refused(answer.body);
  answer.accepts = verdict.status == 200 && !bad.closes && (bad.loses_answer || !denies);
  answer.closes = bad.closes || bad.loses_answer;
  answer.retry_after = bad.retry_after;
  answer.date = bad.date;
  answer.latency = bad.latency;
  return answer;
}

std::optional<Misbehaviour> Mood::next(std::string_view body) {
  if (!misbehaviour_ || misbehaviour_->requests_max == 0) return std::nullopt;
  if (body.find(misbehaviour_->only_with) == std::string_view::npos) return std::nullopt;
  due_ += misbehaviour_->rate;
  if (due_ < 1.0 - 1e-9) return std::nullopt;  // ten times 0.1 is a little less than 1
  due_ -= 1.0;
  if (misbehaviour_->requests_max > 0) --misbehaviour_->requests_max;
  return misbehaviour_;
}

}  // namespace track_server
