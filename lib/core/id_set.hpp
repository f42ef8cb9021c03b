#pragma once

// A set of event ids that is filled in ascending runs, as batches are, and then only asked.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace outbox::core {

class IdSet {
 public:
  IdSet() = default;
  IdSet(std::initializer_list<std::int64_t> ids) : IdSet{ids.begin(), ids.end()} {}
  template <class Iterator>
  IdSet(Iterator begin, Iterator end) {
    insert(begin, end);
  }

  void insert(std::int64_t id) { insert(&id, &id + 1); }
  /// Cheap for ids that ascend, and cheapest when they come after all that are there.
  template <class Iterator>
  void insert(Iterator begin, Iterator end) {
    const auto before = static_cast<std::ptrdiff_t>(ids_.size());
    ids_.insert(ids_.end(), begin, end);
    const auto middle = ids_.begin() + before;
    if (!std::is_sorted(middle, ids_.end())) std::sort(middle, ids_.end());
    if (before > 0 && middle != ids_.end() && *middle <= *(middle - 1)) {
      std::inplace_merge(ids_.begin(), middle, ids_.end());
      ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
    }
  }

  bool contains(std::int64_t id) const {
    return !ids_.empty() && id <= ids_.back() && std::binary_search(ids_.begin(), ids_.end(), id);
  }
  bool empty() const { return ids_.empty(); }

 private:
  std::vector<std::int64_t> ids_;  // ascending
};

}  // namespace outbox::core
