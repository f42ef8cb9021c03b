#pragma once

// Which SQLite is it safe to trust a WAL to?

namespace outbox::core {

/// True for versions with the WAL-reset bug: a WAL that is reset at the wrong moment can lose
/// commits. Fixed in 3.51.3, and in 3.50.7 and 3.44.6 for those series (release notes of
/// SQLite 3.51.3). `version` is `sqlite3_libversion_number()`. A distribution may have fixed an
/// older one.
constexpr bool has_wal_reset_bug(int version) {
  const bool is_fixed = version >= 3'051'003 || (version >= 3'050'007 && version < 3'051'000) ||
                        (version >= 3'044'006 && version < 3'045'000);
  return !is_fixed;
}

}  // namespace outbox::core
