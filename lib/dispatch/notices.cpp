#include "dispatch/notices.hpp"

#include <algorithm>
#include <bit>

#include "core/event/headers.hpp"
#include "core/event/reader.hpp"
#include "core/http/judge.hpp"

namespace outbox::dispatch {

namespace {

std::vector<TracedEvent> traced_of(const core::SentBatch& sent) {
  std::vector<TracedEvent> events;
  core::Ids delivered = sent.traced.empty() ? core::Ids{} : sent.delivered;
  std::sort(delivered.begin(), delivered.end());  // they are in the order of sending
  for (const BatchEvent& event : sent.traced) {
    if (!std::binary_search(delivered.begin(), delivered.end(), event.id)) continue;
    events.push_back({.id = event.id,
                      .event_id = event.event_id,
                      .headers = core::headers_in(event.headers),
                      .enqueued_at = event.enqueued_at});
  }
  return events;
}

Notice notice_of(const std::string& destination, const core::SentBatch& sent) {
  return {.kind = Notice::Kind::request,
          .destination = destination,
          .text = sent.outcome.reason.empty() ? to_string(sent.outcome.verdict)
                                              : without_quotation(sent.outcome.reason),
          .events = sent.ids.size(),
          .status = sent.outcome.status,
          .verdict = sent.outcome.verdict,
          .took = sent.outcome.took,
          .traced = traced_of(sent)};
}

}  // namespace

std::string without_quotation(const std::string& reason) {
  constexpr std::string_view mark = "HTTP ";
  const std::size_t at = reason.find(mark);
  if (at == std::string::npos) return reason;
  const auto is_over = [](char c) { return !core::is_digit(c); };
  auto end = std::find_if(reason.begin() + static_cast<std::ptrdiff_t>(at + mark.size()),
                          reason.end(), is_over);
  // What is behind it are the endpoint's words, but for these of our own.
  for (const std::string_view own : core::own_words) {
    if (std::string_view{end, reason.end()}.starts_with(own)) end += std::ssize(own);
  }
  return {reason.begin(), end};
}

std::string copy_text(const DispatcherOptions& options) {
  const std::string text =
      "this database is a copy or was restored: its pending events may have been delivered already";
  return text + (options.pauses_foreign_database
                     ? ". Nothing is sent until `outbox resume` says that they may be"
                     : ", and are sent again");
}

Notice notice_of(const std::string& destination, const core::HoldState& hold) {
  return {.kind = Notice::Kind::hold,
          .destination = destination,
          .text = std::string{to_string(hold.kind)} + ": " + without_quotation(hold.reason),
          .hold_kind = hold.kind};
}

void tell(const Observer& observer, const Notice& notice) noexcept {
  if (!observer) return;
  try {
    observer(notice);
  } catch (...) {  // the host's own business, and no reason to stop delivering
  }
}

void tell_of(const Observer& observer, const std::string& destination,
             const core::Settlement& settlement) noexcept {
  if (!observer) return;
  try {
    for (const core::SentBatch& sent : settlement.requests) {
      tell(observer, notice_of(destination, sent));
    }
    for (const core::Death& death : settlement.dead) {
      tell(observer, {.kind = Notice::Kind::dead,
                      .destination = destination,
                      .text = without_quotation(death.reason),
                      .events = 1,
                      .id = death.id});
    }
    for (const core::Suspect& suspect : settlement.suspects) {
      const std::int64_t times = suspect.suspicion.refusals + suspect.suspicion.solo_failures;
      if (!std::has_single_bit(static_cast<std::uint64_t>(times))) continue;  // not each time
      tell(observer, {.kind = Notice::Kind::suspect,
                      .destination = destination,
                      .text = "refused or failed alone (" + std::to_string(times) +
                              "): " + without_quotation(suspect.reason),
                      .events = 1,
                      .id = suspect.id});
    }
    const auto& hold = settlement.endpoint.hold;
    if (settlement.hold_change == core::HoldChange::begun) {
      tell(observer, notice_of(destination, *hold));
    } else if (settlement.hold_change == core::HoldChange::ended) {
      tell(observer, {.kind = Notice::Kind::resumed,
                      .destination = destination,
                      .text = "the endpoint works again"});
    }
  } catch (...) {  // no memory for a text
  }
}

}  // namespace outbox::dispatch
