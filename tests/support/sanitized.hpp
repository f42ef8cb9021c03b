#pragma once

namespace support {

/// Under a sanitizer memory is not what it is, and programs outside of the build cannot link to it.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

}  // namespace support
