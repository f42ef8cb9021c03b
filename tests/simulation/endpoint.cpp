#include "simulation/endpoint.hpp"

#include <algorithm>

#include "core/http/judge.hpp"

namespace simulation {

namespace {

using outbox::core::Answer;
using outbox::core::Arrival;

Answer status(int code, std::string body = R"({"success":false})") {
  return {.arrival = Arrival::answered,
          .status = code,
          .content_type = "application/json",
          .body = std::move(body)};
}

constexpr std::size_t small_bytes_max = 400;  // two or three events
// What a firewall, a proxy or a broken service answers; 0: nothing.
constexpr int failures[] = {0, 302, 400, 401, 403, 404, 409, 429, 500, 501, 502, 503};

}  // namespace

Endpoint::Endpoint(Model& model, std::size_t destination, std::mt19937_64& random, Latency latency,
                   EarlierOfKey earlier_of_key)
    : model_{model},
      destination_{destination},
      random_{random},
      latency_{latency},
      earlier_of_key_{std::move(earlier_of_key)},
      name_{"https://simulated/" + this->destination().name} {}

void Endpoint::submit(std::uint64_t token, outbox::Batch batch) {
  const std::string& body = batch.body;
  require(!destination().is_paused, "a request began after a pause had committed");
  const std::vector<std::int64_t> ids = read(body);
  require(!destination().is_on_hold || ids.size() == 1,
          "a probe of a waiting destination is one event");
  require_turn(ids);
  ++destination().requests;
  const Answer answer = this->answer(ids, body);
  const bool is_web_page = answer.body.rfind('<', 0) == 0;
  const bool says_no = answer.body.find("false") != std::string::npos;
  const bool is_success = answer.status >= 200 && answer.status < 300 && !is_web_page && !says_no;
  const bool is_taken = is_success || mood_ == Mood::loses_answers;
  model_.tell("  ", destination().name, "gets", text_of(ids), "answers", answer.status);
  if (is_taken) take(ids);
  under_way_.push_back({token, answer, ids, is_taken, rounds_until_answer()});
}

int Endpoint::rounds_until_answer() {
  if (latency_.refuses_at_once && mood_ == Mood::refuses_everything) return 0;
  if (latency_.dawdles && pick(5) == 0) return 20 + pick(60);
  return pick(latency_.usual_max + 1);
}

// The body is the stored payloads of committed events, byte for byte, or something is wrong.
std::vector<std::int64_t> Endpoint::read(const std::string& body) {
  std::vector<std::int64_t> ids;
  std::string expected = "[";
  constexpr std::string_view mark = "\"user_id\":\"";
  for (std::size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at + 1)) {
    const auto known = model_.by_user.find(user_in(body, at));
    require(known != model_.by_user.end(), "an event was sent that nobody committed");
    const Event& event = model_.events.at(known->second);
    require(event.destination == destination_, "an event was sent to another destination",
            event.id);
    require(!event.is_rubbish, "an event was sent that can never be", event.id);
    require(!event.is_removed && !event.is_discarded, "an event was sent that a person has ended",
            event.id);
    require(!event.is_dead, "a dead event was sent", event.id);
    require(!has_under_way(event.id), "an event was sent twice at once", event.id);
    ids.push_back(event.id);
    expected += (expected.size() > 1 ? "," : "") + event.payload;
  }
  require(body == expected + "]", "the body is not the stored payloads");
  require(!ids.empty(), "a request without events");
  return ids;
}

void Endpoint::set_mood(Mood mood) {
  mood_ = mood;
  dislike_ = {static_cast<Dislike::Of>(pick(3)),
              failures[pick(static_cast<int>(std::size(failures)))]};
}

bool Endpoint::is_disliked(const Event& event) const {
  switch (dislike_.of) {
    case Dislike::Of::type:
      return event.id % 3 == 0;
    case Dislike::Of::key:
      return event.ordering_key == "key-1";
    case Dislike::Of::size:
      return event.payload.size() > 1'000;
  }
  return false;
}

Answer Endpoint::failure(int answer) const {
  if (answer == 0) return {.arrival = Arrival::lost, .error = "reset"};
  return status(answer);
}

Answer Endpoint::answer(const std::vector<std::int64_t>& ids, const std::string& body) {
  const auto has = [&](bool Event::*trait) {
    return std::any_of(ids.begin(), ids.end(),
                       [&](auto id) { return model_.events.at(id).*trait; });
  };
  constexpr int down[] = {500, 502, 503};
  switch (mood_) {
    case Mood::down:
      return status(down[pick(3)]);
    case Mood::unreachable:
      return {.arrival = Arrival::not_sent, .error = "no connection"};
    case Mood::silent:
    case Mood::loses_answers:
      return {.arrival = Arrival::lost, .error = "time-out"};
    case Mood::throttles: {
      Answer answer = status(pick(2) == 0 ? 429 : 503);
      answer.retry_after = std::chrono::seconds{std::max(pick(100), 1)};
      return answer;
    }
    case Mood::unauthorized:
      return status(pick(2) == 0 ? 401 : 403);
    case Mood::no_token:
      return {.arrival = Arrival::no_credential, .error = "no token"};
    case Mood::web_page:
      return status(200, "<html>");
    case Mood::refuses_everything:
      return status(400);
    case Mood::small:
      if (body.size() <= small_bytes_max) break;
      if (ids.size() == 1) model_.events.at(ids.front()).is_disliked = true;
      return status(413);
    case Mood::dislikes_some: {
      bool is_any = false;
      for (const std::int64_t id : ids) {
        Event& event = model_.events.at(id);
        if (!is_disliked(event)) continue;
        event.is_disliked = is_any = true;
      }
      if (is_any) return failure(dislike_.answer);
      break;
    }
    case Mood::flaky:
      if (pick(3) == 0) return failure(down[pick(3)]);
      break;
    case Mood::flaps:
      if (destination().requests / 4 % 2 == 0) return failure(down[pick(3)]);
      break;
    case Mood::works:
      break;
  }
  for (const std::int64_t id : ids) {
    const Event& event = model_.events.at(id);
    if (event.is_killer) return failure(event.killer_answer);
  }
  if (has(&Event::is_bad)) return status(pick(2) == 0 ? 400 : 200);
  return status(200, R"({"success":true})");
}

// Nothing is sent while an earlier event of its key is undelivered, but behind it in one request.
void Endpoint::require_turn(const std::vector<std::int64_t>& ids) const {
  for (const std::int64_t id : ids) {
    if (model_.events.at(id).ordering_key.empty()) continue;
    require(!is_held_by_what_is_under_way(id), "an event overtook one of its key on its way", id);
    for (const std::int64_t earlier : earlier_of_key_(id)) {
      // It dies unsent in this very round.
      const bool dies = model_.events.at(earlier).is_rubbish && !destination().blocks_on_dead;
      require(dies || std::find(ids.begin(), ids.end(), earlier) != ids.end(),
              "an event was sent before its turn in its ordering key", id);
    }
  }
}

bool Endpoint::is_next_of_its_key(const Event& event) const {
  if (event.ordering_key.empty()) return true;
  const auto lets_go = [&](const Event& earlier) {
    if (earlier.is_removed || earlier.is_discarded || earlier.is_unqueued) return true;
    if (earlier.is_rubbish || earlier.is_dead) return !destination().blocks_on_dead;
    if (earlier.accepted > 0 && !earlier.is_requeued) return true;
    // The table may say that it is dead before the oracle has looked.
    const std::vector<std::int64_t> open = earlier_of_key_(event.id);
    return std::find(open.begin(), open.end(), earlier.id) == open.end();
  };
  return std::all_of(model_.events.begin(), model_.events.find(event.id), [&](const auto& entry) {
    const Event& earlier = entry.second;
    const bool is_of_key =
        earlier.destination == destination_ && earlier.ordering_key == event.ordering_key;
    return !is_of_key || lets_go(earlier);
  });
}

void Endpoint::take(const std::vector<std::int64_t>& ids) {
  for (const std::int64_t id : ids) {
    Event& event = model_.events.at(id);
    ++event.accepted;
    event.is_requeued = false;
    if (mood_ == Mood::loses_answers) ++event.duplicates_due;
    require(event.accepted <= 1 + event.duplicates_due, "an event was accepted once too often", id);
    require(is_next_of_its_key(event), "an event overtook an earlier one of its ordering key", id);
  }
}

// What the dispatcher gets to know, in the order in which it does.
void Endpoint::keep_books(const UnderWay& request) {
  const Answer& answer = request.answer;
  const std::size_t number = ++destination().answers;
  const bool is_web_page = answer.body.rfind('<', 0) == 0;
  const bool is_refused = answer.status == 400 || answer.status == 413 ||
                          (answer.status == 200 && !is_web_page && !request.is_taken);
  const bool is_accepted = request.is_taken && answer.arrival == Arrival::answered;
  const bool has_failed = answer.arrival == Arrival::lost ||
                          (answer.arrival == Arrival::answered && !is_refused && !is_accepted);
  if (is_accepted) {
    destination().acceptances.push_back(number);
  } else if (is_refused || has_failed) {
    for (const std::int64_t id : request.ids) {
      Event& event = model_.events.at(id);
      if (event.first_doubt == 0) event.first_doubt = number;
      event.due_at_ms = 0;
      if (request.ids.size() > 1) continue;
      (has_failed ? event.lone_failures : event.lone_refusals).push_back(number);
    }
  }
}

std::vector<outbox::Sink::Reply> Endpoint::collect(std::chrono::milliseconds) {
  std::vector<Reply> replies;
  std::erase_if(under_way_, [&](UnderWay& request) {
    if (request.rounds_left-- > 0) return false;
    keep_books(request);
    model_.tell("  ", destination().name, "answered", text_of(request.ids));
    replies.push_back({request.token, outbox::core::judge(request.answer)});
    return true;
  });
  return replies;
}

bool Endpoint::has_under_way(std::int64_t id) const {
  return std::any_of(under_way_.begin(), under_way_.end(), [id](const UnderWay& request) {
    return std::find(request.ids.begin(), request.ids.end(), id) != request.ids.end();
  });
}

bool Endpoint::is_held_by_what_is_under_way(std::int64_t id) const {
  const std::string& key = model_.events.at(id).ordering_key;
  const auto holds = [&](std::int64_t other) {
    return other < id && model_.events.at(other).ordering_key == key;
  };
  return !key.empty() &&
         std::any_of(under_way_.begin(), under_way_.end(), [&](const UnderWay& request) {
           return std::any_of(request.ids.begin(), request.ids.end(), holds);
         });
}

void Endpoint::abort() noexcept {
  under_way_.clear();
}

}  // namespace simulation
