#include "sinks/http_checks.hpp"

#include <chrono>

#include "core/encoding.hpp"
#include "core/http/sha256.hpp"
#include "sinks/address.hpp"

namespace outbox::sinks {

using std::chrono::milliseconds;

void require_allowed(const std::string& url, PlainText plain_text, const std::string& option) {
  const UrlFacts facts = require_url(url, option);
  if (facts.is_https || facts.is_loopback || plain_text == PlainText::to_anyone) return;
  refuse(option +
         ": plain http:// goes only to loopback, since it would show the token to the network; "
         "use https://, or allow it by plain_text (--allow-plain-http)");
}

std::string with_fingerprint(const std::string& url, std::size_t shown) {
  constexpr std::size_t letters = 16;
  if (shown >= url.size()) return url;
  const core::Digest digest = core::sha256(url.substr(shown));
  return url.substr(0, shown) + "…" + core::hex(core::bytes_of(digest)).substr(0, letters);
}

std::string without_query(const std::string& url) {
  const std::size_t query = url.find('?');
  return query == std::string::npos ? url : with_fingerprint(url, query + 1);
}

HttpTarget checked(HttpTarget target, PlainText plain_text,
                   const std::vector<StatusMeaning>& meanings) {
  require_allowed(target.url, plain_text);
  require(target.connect_timeout >= milliseconds{1} &&
              target.connect_timeout <= std::chrono::minutes{5},
          "connect_timeout: must be 1 ms to 5 min");
  require(target.timeout >= milliseconds{1} && target.timeout <= std::chrono::minutes{10},
          "timeout: must be 1 ms to 10 min");
  require_proxy(target);
  for (const StatusMeaning& meaning : meanings) {
    require(meaning.status >= 100 && meaning.status <= 599, "meanings: a status is 100 to 599");
  }
  return target;
}

}  // namespace outbox::sinks
