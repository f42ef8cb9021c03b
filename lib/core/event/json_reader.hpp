#pragma once

// JSON that is read without a tree: the one of nlohmann/json allocates in its destructor, and
// without memory that would end the process.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace outbox::core {

/// Passes over everything. Who derives from it says what it keeps; false ends the reading.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }
};

}  // namespace outbox::core
