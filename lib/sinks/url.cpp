// What libcurl needs once, and what is asked of a URL before it is used.

#include <cstdlib>
#include <mutex>
#include <new>
#include <stdexcept>

#include "sinks/address.hpp"
#include "sinks/http.hpp"

namespace outbox::sinks {

namespace {

struct CleanUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
  std::string result{text};
  curl_free(text);
  return result;
}

}  // namespace

void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw std::runtime_error{"outbox: libcurl cannot be started"};
    }
  });
}

UrlFacts require_url(const std::string& url, const std::string& option) {
  const auto refuse_url = [&option](const char* why) { refuse(option + ": " + why); };
  if (url.empty()) refuse_url("is required");
  const std::unique_ptr<CURLU, CleanUrl> parsed{curl_url()};
  if (!parsed) throw std::bad_alloc{};
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    refuse_url("not a URL like https://host/path");
  }
  // libcurl forgives a third slash, and takes the first folder for the host.
  if (url.find(":///") != std::string::npos && url.find(":///") < url.find('/')) {
    refuse_url("has no host");
  }
  if (part_of(parsed.get(), CURLUPART_PORT) == "0") refuse_url("nobody listens on port 0");
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http") {
    refuse_url("must begin with https:// or http://");
  }
  const bool has_user = !part_of(parsed.get(), CURLUPART_USER).empty() ||
                        !part_of(parsed.get(), CURLUPART_PASSWORD).empty();
  if (has_user) refuse_url("must not hold a user or password");
  if (!part_of(parsed.get(), CURLUPART_FRAGMENT).empty()) {
    refuse_url("must not have a fragment");
  }
  return {.is_https = scheme == "https",
          .is_loopback = is_loopback(part_of(parsed.get(), CURLUPART_HOST))};
}

namespace {

void require_proxy_url(const char* setting, const char* value) {
  const std::unique_ptr<CURLU, CleanUrl> parsed{curl_url()};
  if (!parsed) throw std::bad_alloc{};
  constexpr unsigned flags = CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME;
  const bool is_url = curl_url_set(parsed.get(), CURLUPART_URL, value, flags) == CURLUE_OK;
  // An '@' in a password that is not encoded is taken for the end of it.
  if (!is_url || part_of(parsed.get(), CURLUPART_HOST).find('@') != std::string::npos) {
    throw std::invalid_argument{std::string{"outbox: "} + setting +
                                ": not the URL of a proxy (its value is not shown: it may hold a"
                                " password)"};
  }
}

// The first that is set decides, in the order in which libcurl looks (curl(1), ENVIRONMENT).
const char* environment_proxy(bool is_https, const char*& name) {
  constexpr const char* of_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
  constexpr const char* of_http[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
  const auto first_set = [&](auto& names) -> const char* {
    for (const char* candidate : names) {
      const char* const value = std::getenv(candidate);
      if (value == nullptr || *value == '\0') continue;
      name = candidate;
      return value;
    }
    return nullptr;
  };
  return is_https ? first_set(of_https) : first_set(of_http);
}

}  // namespace

bool require_proxy(const HttpTarget& target) {
  const UrlFacts facts = require_url(target.url);
  if (facts.is_loopback || target.proxy == "none") return false;
  const char* name = "proxy";
  const char* const value =
      target.proxy.empty() ? environment_proxy(facts.is_https, name) : target.proxy.c_str();
  if (value == nullptr) return false;
  require_proxy_url(name, value);
  return true;
}

}  // namespace outbox::sinks
