#include "sinks/http.hpp"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>

#include "core/event/limits.hpp"
#include "core/event/text.hpp"

namespace outbox::sinks {

namespace {

constexpr std::size_t kept_bytes_max = 64 * 1024;        // of an answer's body
constexpr std::size_t received_bytes_max = 1024 * 1024;  // then the transfer is cut
constexpr std::size_t header_value_bytes_max = 256;

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

bool is_loopback_host(const std::string& host) {
  const bool is_ipv4 =
      host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == std::string::npos;
  return is_ipv4 || host == "[::1]" || host == "localhost";
}

void erase_all(std::string& text, const std::string& secret) {
  if (secret.empty()) return;
  constexpr std::string_view mark = "***";
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + mark.size())) {
    text.replace(at, secret.size(), mark);
  }
}

core::Arrival arrival_of(CURLcode result, CURL* easy) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return core::Arrival::untrusted;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PROXY:
      return core::Arrival::not_sent;
    default:
      break;
  }
  // A time-out while connecting left nothing behind; one later may have been accepted.
  curl_off_t pretransfer_us = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer_us);
  return pretransfer_us == 0 ? core::Arrival::not_sent : core::Arrival::lost;
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

UrlFacts require_url(const std::string& url) {
  const std::unique_ptr<CURLU, CleanUrl> parsed{curl_url()};
  if (!parsed) throw std::bad_alloc{};
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    throw std::invalid_argument{"outbox: url: not a URL"};
  }
  const std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "https" && scheme != "http") {
    throw std::invalid_argument{"outbox: url: must begin with https:// or http://"};
  }
  const bool has_user = !part_of(parsed.get(), CURLUPART_USER).empty() ||
                        !part_of(parsed.get(), CURLUPART_PASSWORD).empty();
  if (has_user) throw std::invalid_argument{"outbox: url: must not hold a user or password"};
  if (!part_of(parsed.get(), CURLUPART_FRAGMENT).empty()) {
    throw std::invalid_argument{"outbox: url: must not have a fragment"};
  }
  return {.is_https = scheme == "https",
          .is_loopback = is_loopback_host(part_of(parsed.get(), CURLUPART_HOST))};
}

HttpTransfer::HttpTransfer(const HttpTarget& target) : easy_{curl_easy_init()} {
  if (!easy_) throw std::bad_alloc{};
  set_target(target);
}

void HttpTransfer::set_target(const HttpTarget& target) {
  CURL* const easy = easy_.get();
  const auto set = [easy](CURLoption option, auto value) {
    if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
      throw std::runtime_error{"outbox: libcurl refuses option " + std::to_string(option)};
    }
  };
  const UrlFacts facts = require_url(target.url);
  set(CURLOPT_URL, target.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, facts.is_https ? "https" : "http");
  set(CURLOPT_FOLLOWLOCATION, 0L);  // a redirect would carry the token elsewhere
  set(CURLOPT_POST, 1L);
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!target.ca_file.empty()) set(CURLOPT_CAINFO, target.ca_file.c_str());
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(target.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(target.timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // Below the keep-alive of usual servers: a request on a connection that the server closes at that
  // moment has an unknown outcome, and libcurl may send it again by itself.
  set(CURLOPT_MAXAGE_CONN, 30L);
  set(CURLOPT_MAXLIFETIME_CONN, 600L);  // certificates are looked at again
  if (facts.is_loopback || target.proxy == "none") {
    set(CURLOPT_PROXY, "");
  } else if (!target.proxy.empty()) {
    set(CURLOPT_PROXY, target.proxy.c_str());
  }
  set(CURLOPT_HEADEROPT, long{CURLHEADER_SEPARATE});  // a proxy does not see the token
  set(CURLOPT_USERAGENT, "outbox/" OUTBOX_VERSION);
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
}

void HttpTransfer::prepare(std::uint64_t token, std::string body,
                           const std::vector<std::string>& header_lines, std::string secret) {
  token_ = token;
  body_ = std::move(body);
  secret_ = std::move(secret);
  received_ = 0;
  answer_ = {};
  error_[0] = '\0';
  curl_slist* list = nullptr;
  for (const std::string& line : header_lines) {
    curl_slist* const longer = curl_slist_append(list, line.c_str());
    if (longer == nullptr) {
      curl_slist_free_all(list);
      throw std::bad_alloc{};
    }
    list = longer;
  }
  headers_.reset(list);
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDS, body_.data());  // borrowed, not copied
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
}

core::Answer HttpTransfer::answer(CURLcode result) {
  CURL* const easy = easy_.get();
  long status = 0;
  curl_off_t took_us = 0;
  const char* content_type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took_us);
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
  answer_.took = std::chrono::milliseconds{took_us / 1000};
  if (status >= 200) {  // a status that was received counts, whatever became of the body
    answer_.arrival = core::Arrival::answered;
    answer_.status = static_cast<int>(status);
    if (content_type != nullptr) answer_.content_type = content_type;
  } else {
    answer_.arrival = arrival_of(result, easy);
    const char* const why = error_[0] != '\0' ? error_ : curl_easy_strerror(result);
    answer_.error = core::sanitised(why, core::error_bytes_max);
  }
  body_.clear();
  erase_all(answer_.body, secret_);
  erase_all(answer_.error, secret_);
  return std::move(answer_);
}

std::size_t HttpTransfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::size_t bytes = size * count;
  std::string& kept = transfer.answer_.body;
  kept.append(data, std::min(bytes, kept_bytes_max - kept.size()));
  transfer.received_ += bytes;
  return transfer.received_ > received_bytes_max ? 0 : bytes;
}

std::size_t HttpTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view line{data, size * count};
  const auto value_of = [line](std::string_view name) -> std::optional<std::string> {
    const bool is_it = line.size() > name.size() && line[name.size()] == ':' &&
                       std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
                         return a == std::tolower(static_cast<unsigned char>(b));
                       });
    if (!is_it) return std::nullopt;
    return std::string{
        core::trimmed(line.substr(name.size() + 1)).substr(0, header_value_bytes_max)};
  };
  if (auto value = value_of("retry-after")) transfer.answer_.retry_after = std::move(*value);
  if (auto value = value_of("date")) transfer.answer_.date = std::move(*value);
  return line.size();
}

std::string connection_problem(const HttpTarget& target) {
  start_curl();
  const HttpTransfer transfer{target};
  curl_easy_setopt(transfer.handle(), CURLOPT_CONNECT_ONLY, 1L);
  const CURLcode result = curl_easy_perform(transfer.handle());
  return result == CURLE_OK ? std::string{} : curl_easy_strerror(result);
}

}  // namespace outbox::sinks
