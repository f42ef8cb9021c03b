#pragma once

// Which event of a refused batch is the guilty one? The work list of the search, as a value.
//
// The batch is halved, left first, down to an event that is refused alone. What is accepted on the
// way leaves the list, and so does the one that was found; then the rest is tried as a whole again,
// since one guilty event is the usual case. The more are found with nothing accepted between them,
// the less is tried at once: a quarter of the rest, then one by one; with each acceptance four
// times as much. The numbers are those with the fewest requests for 2 to 5 guilty events among 128
// (docs/decisions.md, 23).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/event/id_ranges.hpp"

namespace outbox::core {

/// The most events of a batch, and of its work list.
inline constexpr std::size_t search_ids_max = 1'000;

/// Ids in order: `next` before `sibling` before `rest`.
class Search {
 public:
  /// Whether a refusal of the whole and an acceptance of one part blame the other part. Not so for
  /// a batch that was too large, and not for a failure, which may have been a passing one.
  enum class Blame { other_part, nobody };

  Search() = default;
  /// A batch that was refused: it is halved.
  static Search of_batch(Ids ids, Blame blame);
  /// A batch that failed, also of one: it is tried as a whole again first, since it may have been a
  /// passing failure.
  static Search of_failed(Ids ids);
  /// As `text` wrote it. Anything else yields an empty one: its events are sent as if nothing had
  /// been.
  static Search parse(std::string_view text);
  /// "1-32+33-64|65-128": `next`, `sibling` behind a plus, `rest` behind a bar.
  std::string text() const;

  bool is_empty() const { return next_.empty(); }
  /// What is to be sent next; the caller may send only a first part of it.
  const Ids& next() const { return next_; }
  /// In order, all that is in doubt.
  Ids all() const;

  /// `ids` were accepted, or have left the queue.
  void accept(std::span<const std::int64_t> ids);
  /// `ids`, the beginning of `next` and two or more, were refused or failed together.
  void split(Ids ids, Blame blame);
  /// `id` was refused or failed alone and is a suspect from now on: the `suspects`-th since the
  /// endpoint accepted something.
  void set_aside(std::int64_t id, std::int64_t suspects);

  bool operator==(const Search&) const = default;

 private:
  void advance(std::size_t accepted);

  Ids next_;
  Ids sibling_;  // refused together with `next`: when that is accepted, it holds a guilty one
  Ids rest_;
};

}  // namespace outbox::core
