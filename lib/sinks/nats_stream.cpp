#include "sinks/nats_stream.hpp"

#include <chrono>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "sinks/nats_connection.hpp"
#include "sinks/nats_options.hpp"

namespace outbox::sinks {

namespace {

struct DestroyInfo {
  void operator()(jsStreamInfo* info) const { jsStreamInfo_Destroy(info); }
};

std::int64_t nanoseconds(std::chrono::seconds time) {
  return std::chrono::nanoseconds{time}.count();
}

[[noreturn]] void fail(natsStatus status, jsErrCode code, const std::string& what) {
  if (status == NATS_NO_MEMORY) throw std::bad_alloc{};
  // Of the client's word and JetStream's number the number says more.
  RelayMeaning meaning = meaning_of_message(status, code, natsStatus_GetText(status));
  // What JetStream refuses to make for a reason of its own does not pass with time.
  const bool is_said = code != 0 && meaning.verdict == Verdict::failed;
  if (is_said || meaning.verdict == Verdict::delivered || meaning.verdict == Verdict::refused) {
    meaning.verdict = Verdict::misconfigured;
  }
  meaning.has_arrived = false;
  meaning.reason += what;
  throw NatsTrouble{std::move(meaning)};
}

// Events that a stream with no_ack has stored would be sent again for ever.
natsStatus look(jsCtx* jetstream, const std::string& stream, jsErrCode& code) {
  jsStreamInfo* found = nullptr;
  const natsStatus status = js_GetStreamInfo(&found, jetstream, stream.c_str(), nullptr, &code);
  const std::unique_ptr<jsStreamInfo, DestroyInfo> owned{found};
  if (status == NATS_OK && found->Config->NoAck) {
    throw NatsTrouble{{.verdict = Verdict::misconfigured,
                       .reason = "NATS: the stream " + stream + " acknowledges nothing (no_ack)",
                       .has_arrived = false}};
  }
  return status;
}

}  // namespace

void make_stream_if_missing(jsCtx* jetstream, const NatsOptions& options) {
  jsErrCode code{};
  if (look(jetstream, options.stream, code) == NATS_OK) return;
  const NatsStream& wanted = *options.create_stream;
  std::vector<std::string> subjects = wanted.subjects;
  if (subjects.empty()) subjects.push_back(subject_filter(options.subject));
  std::vector<const char*> names;
  for (const std::string& subject : subjects) names.push_back(subject.c_str());
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = options.stream.c_str();
  config.Subjects = names.data();
  config.SubjectsLen = static_cast<int>(names.size());
  config.Storage = js_FileStorage;
  config.Replicas = wanted.replicas;
  config.Duplicates = nanoseconds(wanted.duplicate_window);
  config.MaxAge = nanoseconds(wanted.age_max.value_or(std::chrono::seconds{0}));
  config.MaxBytes = wanted.bytes_max.value_or(-1);
  config.MaxMsgs = wanted.messages_max.value_or(-1);
  config.Discard = js_DiscardNew;
  jsStreamInfo* made = nullptr;
  const natsStatus status = js_AddStream(&made, jetstream, &config, nullptr, &code);
  const std::unique_ptr<jsStreamInfo, DestroyInfo> owned{made};
  if (status == NATS_OK || code == JSStreamNameExistErr) return;
  fail(status, code, " (making the stream " + options.stream + ")");
}

void require_stream(jsCtx* jetstream, const NatsOptions& options) {
  if (options.stream.empty()) return;
  jsErrCode code{};
  const natsStatus status = look(jetstream, options.stream, code);
  if (status == NATS_OK || status == NATS_TIMEOUT) return;
  fail(status, code == 0 && status == NATS_NOT_FOUND ? JSStreamNotFoundErr : code,
       " (looking for the stream " + options.stream + ")");
}

}  // namespace outbox::sinks
