#pragma once

// Marks what the shared library exports; everything else is hidden.
#if defined(__GNUC__)
#define OUTBOX_API __attribute__((visibility("default")))
#else
#define OUTBOX_API
#endif
