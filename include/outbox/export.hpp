#pragma once

#if !defined(__cplusplus) || __cplusplus < 202002L
#error "outbox needs C++20: compile with -std=c++20, or target_compile_features(… cxx_std_20)"
#endif

// Marks what the shared library exports; everything else is hidden.
#if defined(__GNUC__)
#define OUTBOX_API __attribute__((visibility("default")))
#else
#define OUTBOX_API
#endif
