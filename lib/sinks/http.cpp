#include "sinks/http.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string_view>

#include "core/encoding.hpp"
#include "core/event/limits.hpp"
#include "core/event/text.hpp"
#include "sinks/retry_after.hpp"
#include "sinks/sigpipe.hpp"

namespace outbox::sinks {

namespace {

constexpr std::size_t kept_bytes_max = 64 * 1024;        // of an answer's body
constexpr std::size_t received_bytes_max = 1024 * 1024;  // then the transfer is cut
constexpr std::size_t header_bytes_max = 128 * 1024;     // libcurl keeps them all

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

HttpTransfer::HttpTransfer(HttpTarget target, Sockets& sockets)
    : target_{std::move(target)}, sockets_{sockets}, easy_{curl_easy_init()} {
  if (!easy_) throw std::bad_alloc{};
  sockets.watch(easy_.get());
  set_up();
  set_url();
}

template <class Value>
void HttpTransfer::set(CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
  if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc{};
  if (code != CURLE_OK) {
    throw std::runtime_error{"outbox: libcurl refuses option " + std::to_string(option)};
  }
}

// What depends on the URL: a service may have several.
void HttpTransfer::set_url() {
  has_proxy_ = require_proxy(target_);
  const UrlFacts facts = require_url(target_.url);
  set(CURLOPT_URL, target_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, facts.is_https ? "https" : "http");
  const bool is_direct = facts.is_loopback || target_.proxy == "none";
  const char* const environments = nullptr;
  set(CURLOPT_PROXY, is_direct ? "" : target_.proxy.empty() ? environments : target_.proxy.c_str());
  // Exceptions in no_proxy are from the environment's proxy.
  set(CURLOPT_NOPROXY, target_.proxy.empty() ? environments : "");
}

void HttpTransfer::set_up() {
  set(CURLOPT_FOLLOWLOCATION, 0L);  // a redirect would carry the token elsewhere
  set(CURLOPT_POST, 1L);
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!target_.ca_file.empty()) set(CURLOPT_CAINFO, target_.ca_file.c_str());
  set(CURLOPT_NETRC, long{CURL_NETRC_IGNORED});
  set(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700  // 7.87
  // A name server that does not answer: without it, ending the transfer waits for its thread. It
  // ends by itself.
  curl_easy_setopt(easy_.get(), CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(target_.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(target_.timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  // Below the keep-alive of usual servers: a request on a connection that the server closes at that
  // moment has an unknown outcome, and libcurl may send it again by itself.
  set(CURLOPT_MAXAGE_CONN, 30L);
  set(CURLOPT_MAXLIFETIME_CONN, 600L);  // certificates are looked at again
  // A proxy's own headers are not the endpoint's: its Retry-After says nothing.
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Asks for a body as it is, and still reads what an endpoint or a proxy compresses unasked.
  set(CURLOPT_ACCEPT_ENCODING, "identity");
  set(CURLOPT_HEADEROPT, long{CURLHEADER_SEPARATE});  // a proxy does not see the token
  set(CURLOPT_USERAGENT, "outbox/" OUTBOX_VERSION);
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_WRITEFUNCTION, &HttpTransfer::on_bytes<&HttpTransfer::read_body>);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &HttpTransfer::on_bytes<&HttpTransfer::read_header>);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
}

void HttpTransfer::prepare(std::uint64_t token, const std::string& url, std::string body,
                           const std::vector<std::string>& header_lines,
                           std::vector<std::string> secrets) {
  token_ = token;
  body_ = std::move(body);
  secrets_ = std::move(secrets);
  received_ = 0;
  header_bytes_ = 0;
  has_headers_ended_ = false;
  is_early_ = false;
  is_out_of_memory_ = false;
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
  if (url != target_.url) {
    target_.url = url;
    set_url();
  }
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDS, body_.data());  // borrowed, not copied
  curl_easy_setopt(easy_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
}

void HttpTransfer::avoid_idle_connections(bool avoids) {
  curl_easy_setopt(easy_.get(), CURLOPT_FRESH_CONNECT, avoids ? 1L : 0L);
}

// A "yes" counts only when the endpoint can have read all and has said all.
bool HttpTransfer::is_complete(CURLcode result) const {
  const bool is_cut_by_us = result == CURLE_WRITE_ERROR && received_ > received_bytes_max;
  if (!has_headers_ended_ || (result != CURLE_OK && !is_cut_by_us)) return false;
  curl_off_t uploaded = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
  return static_cast<std::size_t>(uploaded) >= body_.size() && !is_early_;
}

// libcurl's own words quote URLs, and with a proxy its password.
std::string HttpTransfer::words_for(CURLcode result) const {
  const bool is_quoted = has_proxy_ || result == CURLE_URL_MALFORMAT || error_[0] == '\0';
  return core::sanitised(is_quoted ? curl_easy_strerror(result) : error_, core::error_bytes_max);
}

// Of the final answer: not of a proxy, a 1xx or a trailer.
template <class Look>
void HttpTransfer::for_each_header(const char* name, Look look) const {
  curl_header* line = nullptr;
  for (std::size_t i = 0;
       curl_easy_header(easy_.get(), name, i, CURLH_HEADER, -1, &line) == CURLHE_OK; ++i) {
    look(line->value);
  }
}

// Without a length its end is that of the connection. libcurl does not say whether what is packed
// has reached its own end (seen with 7.88.1).
bool HttpTransfer::may_be_cut() const {
  bool is_chunked = false;
  bool is_packed = false;
  for_each_header("content-encoding", [&is_packed](std::string_view coding) {
    const bool is_plain =
        coding.empty() || core::are_alike(coding, "identity") || core::are_alike(coding, "none");
    is_packed = is_packed || !is_plain;
  });
  // By the last coding: libcurl reads what is "identity" to the end of the connection.
  for_each_header("transfer-encoding", [&](std::string_view codings) {
    is_chunked = core::are_alike(core::trimmed(codings.substr(codings.rfind(',') + 1)), "chunked");
    is_packed = is_packed || codings.find(',') != std::string_view::npos;  // gzip, chunked
  });
  curl_off_t length = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return ((!is_chunked && length < 0) || is_packed) && received_ <= kept_bytes_max;
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
  const bool is_success = status >= 200 && status < 300;
  if (is_out_of_memory_) {
    answer_.arrival = core::Arrival::lost;
    answer_.error = "no memory to read the answer";
  } else if (status >= 200 && (!is_success || is_complete(result))) {
    answer_.arrival = core::Arrival::answered;
    answer_.status = static_cast<int>(status);
    answer_.may_be_cut = may_be_cut();
    std::string later;
    std::string date;
    for_each_header("retry-after", [&later](const char* value) { later = value; });
    for_each_header("date", [&date](const char* value) { date = value; });
    answer_.retry_after = retry_after(later, date, core::system_now());
    if (content_type != nullptr) answer_.content_type = content_type;
  } else if (is_success) {
    answer_.arrival = core::Arrival::lost;
    answer_.error = "HTTP " + std::to_string(status) + ", but the exchange broke off";
  } else {
    answer_.arrival = arrival_of(result, easy);
    answer_.error = words_for(result);
  }
  body_.clear();
  answer_.secrets = std::move(secrets_);
  return std::move(answer_);
}

// libcurl calls it, and no exception may pass through it: it would believe to be in the callback
// for ever (CURLM_RECURSIVE_API_CALL).
template <bool (HttpTransfer::*read)(std::string_view)>
std::size_t HttpTransfer::on_bytes(char* data, std::size_t size, std::size_t count,
                                   void* self) noexcept {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view bytes{data, size * count};
  try {
    if ((transfer.*read)(bytes)) return bytes.size();
  } catch (const std::bad_alloc&) {
    transfer.is_out_of_memory_ = true;
  }
  return bytes.size() + 1;  // any other number than that of the bytes ends the transfer
}

bool HttpTransfer::read_body(std::string_view bytes) {
  std::string& kept = answer_.body;
  kept.append(bytes.substr(0, kept_bytes_max - kept.size()));
  received_ += bytes.size();
  return received_ <= received_bytes_max;
}

long HttpTransfer::local_port() const {
  long port = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_LOCAL_PORT, &port);
  return port;
}

// A line of an answer before the final one (1xx), of the final one, or a trailer.
bool HttpTransfer::read_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > header_bytes_max) return false;  // a flood: the answer is lost
  if (line.rfind("HTTP/", 0) == 0) {  // what was said before belongs to another answer
    has_headers_ended_ = false;
    return true;
  }
  const bool is_end = line == "\r\n" || line == "\n";
  if (is_end && !has_headers_ended_) {  // else: a trailer
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    has_headers_ended_ = status >= 200;
    // What libcurl has handed over may still be in this machine: nobody can have read it.
    is_early_ = sockets_.may_hold_unsent(local_port());
  }
  return true;
}

std::string connection_problem(const HttpTarget& target) {
  const HeldSigpipe held;
  start_curl();
  Sockets sockets;
  const HttpTransfer transfer{target, sockets};
  curl_easy_setopt(transfer.handle(), CURLOPT_CONNECT_ONLY, 1L);
  const CURLcode result = curl_easy_perform(transfer.handle());
  return result == CURLE_OK ? std::string{} : curl_easy_strerror(result);
}

}  // namespace outbox::sinks
