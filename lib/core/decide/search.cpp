#include "core/decide/search.hpp"

#include <algorithm>
#include <utility>

#include "core/event/id_ranges.hpp"

namespace outbox::core {

namespace {

void append(Ids& ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

// Takes the first `count` of `ids`.
Ids take_first(Ids& ids, std::size_t count) {
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(std::min(count, ids.size()));
  Ids first{ids.begin(), end};
  ids.erase(ids.begin(), end);
  return first;
}

std::size_t remove(Ids& ids, std::span<const std::int64_t> gone) {
  return std::erase_if(ids, [gone](std::int64_t id) {
    return std::find(gone.begin(), gone.end(), id) != gone.end();
  });
}

}  // namespace

Search Search::of_batch(Ids ids, Blame blame) {
  Search search;
  search.next_ = std::move(ids);
  if (search.next_.size() > 1) search.split(search.next_, blame);
  return search;
}

Search Search::of_failed(Ids ids) {
  Search search;
  search.next_ = std::move(ids);
  return search;
}

Search Search::parse(std::string_view text) {
  const std::size_t bar = std::min(text.find('|'), text.size());
  const std::string_view focus = text.substr(0, bar);
  const std::size_t plus = std::min(focus.find('+'), focus.size());
  const auto from = [](std::string_view part, std::size_t at) {
    return part.substr(std::min(at, part.size()));
  };
  Search search;
  search.next_ = ids_in(focus.substr(0, plus), search_ids_max);
  search.sibling_ = ids_in(from(focus, plus + 1), search_ids_max);
  search.rest_ = ids_in(from(text, bar + 1), search_ids_max);
  const Ids all = search.all();
  const bool is_ours =
      std::adjacent_find(all.begin(), all.end(), std::greater_equal<>{}) == all.end() &&
      search.text() == text;
  return is_ours ? search : Search{};
}

std::string Search::text() const {
  std::string text = ranges_text(next_);
  if (!sibling_.empty()) text += '+' + ranges_text(sibling_);
  if (!rest_.empty()) text += '|' + ranges_text(rest_);
  return text;
}

Ids Search::all() const {
  Ids ids = next_;
  append(ids, sibling_);
  append(ids, rest_);
  return ids;
}

void Search::accept(std::span<const std::int64_t> ids) {
  const std::size_t accepted = remove(next_, ids);
  remove(sibling_, ids);
  remove(rest_, ids);
  if (next_.empty()) advance(accepted);
}

void Search::split(Ids ids, Blame blame) {
  remove(next_, ids);
  Ids rest = std::exchange(next_, {});  // what was not sent with them
  append(rest, sibling_);
  append(rest, rest_);
  const std::size_t half = (ids.size() + 1) / 2;
  next_ = take_first(ids, half);
  if (blame == Blame::other_part) {
    sibling_ = std::move(ids);
    rest_ = std::move(rest);
  } else {
    sibling_.clear();
    rest_ = std::move(ids);
    append(rest_, rest);
  }
}

void Search::set_aside(std::int64_t id, std::int64_t suspects) {
  Ids left = all();
  remove(left, std::span{&id, 1});
  std::size_t count = left.size();
  if (suspects == 2) count = std::max<std::size_t>(count / 4, 1);
  if (suspects > 2) count = 1;
  next_ = take_first(left, count);
  sibling_.clear();
  rest_ = std::move(left);
}

// `next` is through: its sibling holds a guilty one and is halved, or the rest goes on, four times
// as much at a time as was accepted.
void Search::advance(std::size_t accepted) {
  if (sibling_.empty()) {
    next_ = take_first(rest_, std::max<std::size_t>(accepted, 1) * 4);
    return;
  }
  next_ = std::exchange(sibling_, {});
  if (next_.size() > 1) split(next_, Blame::other_part);
}

}  // namespace outbox::core
