// JSON as a tree of values (RFC 8259), for the files of a bundle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace edge_ser {

/// Text that is no JSON, or a value that is not what was asked for.
class JsonError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  /// Reads a whole text. Throws JsonError, which names the byte.
  static Json parse(std::string_view text);

  Json() = default;  ///< null
  explicit Json(bool value) : value_(value) {}
  explicit Json(double value) : value_(value) {}
  explicit Json(std::string value) : value_(std::move(value)) {}
  explicit Json(Array value) : value_(std::move(value)) {}
  explicit Json(Object value) : value_(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }

  // Each throws JsonError "`what` is no ..." for a value of another kind.
  bool boolean(std::string_view what) const;
  std::int64_t integer(std::string_view what) const;  ///< a whole number of at most 2^53
  const std::string& string(std::string_view what) const;
  const Array& array(std::string_view what) const;
  const Object& object(std::string_view what) const;

  /// A member of an object; null if it is missing, or if this is no object. Of equal names the
  /// last.
  const Json& operator[](std::string_view name) const;

 private:
  std::variant<std::monostate, bool, double, std::string, Array, Object> value_;
};

}  // namespace edge_ser
