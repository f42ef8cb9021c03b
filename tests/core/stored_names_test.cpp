#include "core/stored_names.hpp"

#include <doctest/doctest.h>

using namespace outbox;

TEST_CASE("each stored name is read back as what was stored") {
  using enum HoldKind;
  for (const HoldKind kind : {backing_off, unauthorized, misconfigured, refuses_everything}) {
    CHECK(core::hold_kind_named(to_string(kind)) == kind);
  }
  for (const Verdict verdict :
       {Verdict::delivered, Verdict::refused, Verdict::failed, Verdict::unavailable,
        Verdict::unauthorized, Verdict::misconfigured}) {
    CHECK(core::verdict_named(to_string(verdict)) == verdict);
  }
}

TEST_CASE("a name that nobody knows counts as the least that it can mean") {
  CHECK(core::hold_kind_named("of a later version") == HoldKind::backing_off);
  CHECK(core::verdict_named("") == Verdict::failed);
}
