#include "sinks/track_sink.hpp"

#include <algorithm>
#include <functional>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/clock.hpp"
#include "core/event/event_check.hpp"
#include "core/http/judge.hpp"
#include "sinks/credentials.hpp"

namespace outbox {

namespace sinks {

namespace {

using std::chrono::milliseconds;

void require(bool is_met, const char* what) {
  if (!is_met) throw std::invalid_argument{std::string{"outbox: "} + what};
}

void require_allowed(const std::string& url, const TrackApi& options) {
  const UrlFacts facts = require_url(url);
  require(facts.is_https || facts.is_loopback || options.plain_http == PlainHttp::to_anyone,
          "url: plain http:// goes only to loopback, since it would show the token to the network");
}

// `given`, or `track_url` with `name` in place of the "track" at the end of its path; empty: it
// has none.
std::string sibling_of(const std::string& track_url, const std::string& given, const char* name) {
  constexpr std::string_view last = "/track";
  if (!given.empty()) return given;
  const std::size_t end = std::min(track_url.find('?'), track_url.size());
  const bool has_it =
      end >= last.size() && track_url.compare(end - last.size(), last.size(), last) == 0;
  if (!has_it) return {};
  return track_url.substr(0, end - last.size() + 1) + name + track_url.substr(end);
}

HttpTarget target_of(const TrackApi& options) {
  require_allowed(options.url, options);
  if (!options.identify_url.empty()) require_allowed(options.identify_url, options);
  if (!options.group_url.empty()) require_allowed(options.group_url, options);
  require(options.connect_timeout >= milliseconds{1} &&
              options.connect_timeout <= std::chrono::minutes{5},
          "connect_timeout: must be 1 ms to 5 min");
  require(options.timeout >= milliseconds{1} && options.timeout <= std::chrono::minutes{10},
          "timeout: must be 1 ms to 10 min");
  for (const StatusMeaning& meaning : options.meanings) {
    require(meaning.status >= 100 && meaning.status <= 599, "meanings: a status is 100 to 599");
  }
  HttpTarget target{.url = options.url,
                    .connect_timeout = options.connect_timeout,
                    .timeout = options.timeout,
                    .ca_file = options.ca_file,
                    .proxy = options.proxy};
  require_proxy(target);
  return target;
}

}  // namespace

TrackSink::TrackSink(TrackApi options)
    : target_{target_of(options)},
      identify_url_{sibling_of(options.url, options.identify_url, "identify")},
      group_url_{sibling_of(options.url, options.group_url, "group")},
      meanings_{std::move(options.meanings)},
      credentials_{std::move(options.credentials)} {
  start_curl();
  begin_anew();
}

TrackSink::~TrackSink() {
  abort();
}

std::string TrackSink::name() const {
  // A query may hold a secret: of it only a fingerprint, so that a change of it is a change.
  const std::size_t query = target_.url.find('?');
  if (query == std::string::npos) return target_.url;
  return target_.url.substr(0, query) + "?…" +
         std::to_string(std::hash<std::string>{}(target_.url.substr(query)));
}

// Also when a multi handle takes nothing any more: for want of memory libcurl (7.88) may leave one
// that believes to be in a callback, and refuses every call (CURLM_RECURSIVE_API_CALL). It does not
// even close its connections then.
void TrackSink::begin_anew() {
  abort();
  idle_.clear();
  multi_.reset();
  sockets_.close_all();
  multi_.reset(curl_multi_init());
  if (!multi_) throw std::bad_alloc{};
}

// Null: the API has no address for this kind, or it is not known.
const std::string* TrackSink::url_of(const std::string& kind) const {
  const std::string* const url = kind.empty() || kind == core::event_kind::track ? &target_.url
                                 : kind == core::event_kind::identify            ? &identify_url_
                                 : kind == core::event_kind::group               ? &group_url_
                                                                                 : nullptr;
  return url == nullptr || url->empty() ? nullptr : url;
}

void TrackSink::submit(std::uint64_t token, Batch batch) {
  const std::string kind = batch.events.empty() ? "" : batch.events.front().kind;
  const std::string* const url = url_of(kind);
  if (url == nullptr) {
    const bool is_ours = kind == core::event_kind::identify || kind == core::event_kind::group;
    replies_.push_back({token,
                        {.verdict = is_ours ? Verdict::misconfigured : Verdict::refused,
                         .reason = "no address for events of the kind " + kind,
                         .has_arrived = true,
                         .was_made = !is_ours}});
    return;
  }
  // `Expect:` empty: libcurl would wait a second for a 100 Continue before bodies over 1 MB.
  std::vector<std::string> lines = {"Content-Type: application/json", "Accept: application/json",
                                    "Expect:"};
  std::string secret;
  try {
    if (auto header = header_of(credentials_)) {
      lines.push_back(std::move(header->line));
      secret = std::move(header->secret);
    }
  } catch (const CredentialProblem& problem) {
    note_refusal(credentials_);
    return reply(token, {.arrival = core::Arrival::no_credential, .error = problem.what()});
  }
  // An answer that nobody asked for, on a connection that has idled, would be taken for the answer
  // to this request. While others are under way, they may be using what idles here.
  const bool is_plain = target_.url.rfind("http:", 0) == 0;
  const bool has_unasked = is_plain && under_way_.empty() && sockets_.have_unasked_bytes();
  std::unique_ptr<HttpTransfer> transfer = idle_transfer();
  transfer->avoid_idle_connections(has_unasked);
  transfer->prepare(token, *url, std::move(batch.body), lines, std::move(secret));
  if (curl_multi_add_handle(multi_.get(), transfer->handle()) != CURLM_OK) {
    transfer.reset();
    begin_anew();
    throw std::bad_alloc{};
  }
  under_way_.push_back(std::move(transfer));
}

std::vector<Sink::Reply> TrackSink::collect(milliseconds time_max) {
  const auto deadline = std::chrono::steady_clock::now() + time_max;
  curl_waitfd waited[] = {
      {.fd = wake_signal_.descriptor(), .events = CURL_WAIT_POLLIN, .revents = 0},
      {.fd = watched_, .events = CURL_WAIT_POLLIN, .revents = 0}};
  const unsigned count = watched_ < 0 ? 1 : 2;
  for (;;) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    // Read before polling: a finished transfer that nobody read makes the next poll wait in vain.
    gather_finished();
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    const bool is_readable = waited[1].revents != 0;
    if (!replies_.empty() || wake_signal_.take() || left <= milliseconds{0} || is_readable) break;
    const auto step = std::min<milliseconds>(left, std::chrono::hours{1});  // an int holds that
    const CURLMcode code =
        curl_multi_poll(multi_.get(), waited, count, static_cast<int>(step.count()), nullptr);
    if (code != CURLM_OK) break;
  }
  return std::exchange(replies_, {});
}

void TrackSink::wake() noexcept {
  wake_signal_.raise();
}

bool TrackSink::has_new_credential() {
  return is_renewed(credentials_);
}

void TrackSink::abort() noexcept {
  for (const auto& transfer : under_way_)
    curl_multi_remove_handle(multi_.get(), transfer->handle());
  under_way_.clear();
  replies_.clear();
}

std::unique_ptr<HttpTransfer> TrackSink::idle_transfer() {
  if (idle_.empty()) return std::make_unique<HttpTransfer>(target_, sockets_);
  std::unique_ptr<HttpTransfer> transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

void TrackSink::gather_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const auto done = std::find_if(under_way_.begin(), under_way_.end(), [&](const auto& transfer) {
      return transfer->handle() == message->easy_handle;
    });
    if (done == under_way_.end()) continue;
    const CURLcode result = message->data.result;  // gone once the handle is removed
    std::unique_ptr<HttpTransfer> transfer = std::move(*done);
    under_way_.erase(done);
    reply(transfer->token(), transfer->answer(result));
    curl_multi_remove_handle(multi_.get(), transfer->handle());
    idle_.push_back(std::move(transfer));
  }
}

void TrackSink::reply(std::uint64_t token, const core::Answer& answer) {
  if (answer.status == 401 || answer.status == 403 || answer.status == 407) {
    note_refusal(credentials_);
  }
  replies_.push_back({token, core::judge(answer, core::system_now(), meanings_)});
}

}  // namespace sinks

inline namespace v0 {

Endpoint track_api(TrackApi options) {
  return Endpoint{std::make_unique<sinks::TrackSink>(std::move(options))};
}

std::string connection_problem(const TrackApi& options) {
  return sinks::connection_problem(sinks::target_of(options));
}

}  // namespace v0
}  // namespace outbox
