#include "core/http/judge.hpp"

#include <algorithm>
#include <cctype>

#include "core/encoding.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "core/http/answer_body.hpp"

namespace outbox::core {

namespace {

// The body without what may stand before its first character.
std::string_view text_of(const Answer& answer) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  std::string_view text = answer.body;
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  return trimmed(text);
}

bool is_web_page(const Answer& answer) {
  const std::string type = lower(answer.content_type);
  if (type.find("text/html") != std::string::npos || type.find("xhtml") != std::string::npos) {
    return true;
  }
  return text_of(answer).starts_with('<');
}

// What the endpoint says, fit to be kept: without the credential, addresses, or what a terminal
// obeys.
std::string kept(const std::string& text, const std::vector<std::string>& secrets,
                 std::size_t bytes_max) {
  const bool is_quoted =
      std::any_of(secrets.begin(), secrets.end(),
                  [&](const std::string& secret) { return quotes_secret(text, secret); });
  if (is_quoted) return "(it quotes the credential)";
  return hides_address(text) ? "(it holds an encoded address)" : sanitised(text, bytes_max);
}

std::string with_detail(std::string text, const std::string& detail) {
  if (!detail.empty()) text += ": " + detail;
  return sanitised(text, error_bytes_max);
}

// Where bodies are ignored: many frameworks call any text HTML, so only a document counts.
bool is_web_document(const Answer& answer) {
  const std::string begin = lower(trimmed(answer.body).substr(0, 14));
  return begin == "<!doctype html" || begin.rfind("<html", 0) == 0;
}

// The table of docs/guarantees.md.
Verdict usual_verdict(const Answer& answer) {
  const int status = answer.status;
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
    case 409:  // an earlier request with the same events is still under way
    case 421:
    case 425:
    case 429:
      return Verdict::unavailable;
    case 503:  // with a time to come back it speaks of itself, not of this request
      return answer.retry_after ? Verdict::unavailable : Verdict::failed;
    default:
      break;
  }
  if (status >= 200 && status < 300) return Verdict::delivered;
  if (status >= 300 && status < 400) return Verdict::misconfigured;
  if (status >= 400 && status < 500) return Verdict::refused;
  return Verdict::failed;
}

Verdict verdict_of_status(const Answer& answer, std::span<const StatusMeaning> meanings) {
  for (const StatusMeaning& meaning : meanings) {
    if (meaning.status == answer.status) return meaning.verdict;
  }
  return usual_verdict(answer);
}

bool begins_as_json(const Answer& answer) {
  const std::string_view text = text_of(answer);
  return text.starts_with('{') || text.starts_with('[');
}

Outcome judge_answered(const Answer& answer, std::span<const StatusMeaning> meanings,
                       AnswerBodies bodies) {
  const std::string status_text = "HTTP " + std::to_string(answer.status);
  const bool is_success = answer.status >= 200 && answer.status < 300;
  Outcome outcome{.verdict = verdict_of_status(answer, meanings),
                  .reason = status_text,
                  .status = answer.status,
                  .has_arrived = true,
                  .is_about_size = answer.status == 413};
  const bool is_ignored = bodies == AnswerBodies::ignored;
  if (is_success && (is_ignored ? is_web_document(answer) : is_web_page(answer))) {
    outcome.verdict = Verdict::misconfigured;
    outcome.reason += is_ignored ? not_the_receiver : not_the_api;
    return outcome;
  }
  if (is_ignored && outcome.verdict == Verdict::delivered) {
    outcome.reason.clear();
    return outcome;
  }

  // A malformed body after a 2xx changes nothing: the endpoint has said yes. But one that may have
  // been cut within its JSON may have said no.
  const AnswerBody body = answer_body(answer.body);
  if (is_success && answer.may_be_cut && body.ends_early && begins_as_json(answer)) {
    outcome.verdict = Verdict::failed;
    outcome.reason += body_was_cut;
    return outcome;
  }
  const bool is_told = !is_about_credential(outcome);
  if (is_told) {
    outcome.response_id = kept(body.response_id, answer.secrets, response_id_bytes_max);
    outcome.warnings = kept(body.warnings, answer.secrets, warnings_bytes_max);
  }
  if (is_success && body.success == false && outcome.verdict == Verdict::delivered) {
    outcome.verdict = Verdict::refused;
  }
  if (outcome.verdict == Verdict::delivered) {
    outcome.reason.clear();
    if (!body.is_object && !trimmed(answer.body).empty()) {
      outcome.warnings = "the answer's body is no JSON object";
    }
    return outcome;
  }
  outcome.reason = with_detail(
      status_text, is_told ? kept(body.message, answer.secrets, error_bytes_max) : std::string{});
  return outcome;
}

Outcome trouble(Verdict verdict, const char* what, const Answer& answer) {
  return {.verdict = verdict, .reason = with_detail(what, answer.error)};
}

}  // namespace

bool is_about_credential(const Outcome& outcome) {
  return outcome.verdict == Verdict::unauthorized || outcome.status == 401 ||
         outcome.status == 403 || outcome.status == 407;
}

Outcome judge(const Answer& answer, std::span<const StatusMeaning> meanings, AnswerBodies bodies) {
  Outcome outcome;
  switch (answer.arrival) {
    case Arrival::answered:
      outcome = judge_answered(answer, meanings, bodies);
      outcome.retry_after = answer.retry_after;
      break;
    case Arrival::no_credential:
      outcome = trouble(Verdict::unauthorized, "no credential", answer);
      outcome.was_made = false;
      break;
    case Arrival::untrusted:
      outcome = trouble(Verdict::misconfigured, "certificate not trusted", answer);
      break;
    case Arrival::not_sent:
      outcome = trouble(Verdict::unavailable, "could not connect", answer);
      break;
    case Arrival::lost:
      outcome = trouble(Verdict::failed, "no answer", answer);
      outcome.has_arrived = true;
      break;
  }
  outcome.took = answer.took;
  return outcome;
}

}  // namespace outbox::core
