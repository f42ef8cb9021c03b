// Does a text quote a secret, in any of the encodings in which answers quote things?

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/encoding.hpp"
#include "core/event/decode.hpp"
#include "core/event/text.hpp"

namespace outbox::core {

namespace {

constexpr std::size_t quoted_max = 12;  // more characters of a token help to guess the rest
constexpr std::size_t quoted_min = 4;

// White space goes: a long text may be broken into lines.
std::string next_view(std::string_view text) {
  std::string result = decoded(text);
  std::erase_if(result, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return result;
}

// The letters that are sure whatever comes after `bytes`.
std::string sure_base64(std::string_view bytes) {
  return base64(bytes).substr(0, bytes.size() * 8 / 6);
}

// What must not be found, in lower case.
std::vector<std::string> forms_of(std::string_view secret) {
  const std::string begin{secret.substr(0, quoted_max)};
  std::vector<std::string> forms{lower(next_view(begin)), hex(begin)};
  // Behind other bytes ("Bearer ", "user:") base64 looks different, in three ways.
  constexpr std::array<std::size_t, 3> unsure = {0, 2, 3};
  for (std::size_t shift = 0; shift < unsure.size(); ++shift) {
    std::string form = lower(sure_base64(std::string(shift, ' ') + begin)).substr(unsure[shift]);
    forms.push_back(form);
    std::replace(form.begin(), form.end(), '+', '-');
    std::replace(form.begin(), form.end(), '/', '_');
    forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace

bool quotes_secret(std::string_view text, std::string_view secret) {
  if (secret.size() < quoted_min) return false;
  const std::vector<std::string> forms = forms_of(secret);
  std::string view{text};
  for (int i = 0; i <= decodings_max; ++i) {
    const std::string lowered = lower(view);
    const bool is_quoted = std::any_of(forms.begin(), forms.end(), [&](const std::string& form) {
      return form.size() >= quoted_min && lowered.find(form) != std::string::npos;
    });
    if (is_quoted) return true;
    std::string next = next_view(view);
    if (next == view) return false;
    view = std::move(next);
  }
  return false;
}

}  // namespace outbox::core
