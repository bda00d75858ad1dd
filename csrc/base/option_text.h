// Options as text: "name=value name=value".
#pragma once

#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace edge_ser {

using OptionPairs = std::vector<std::pair<std::string, std::string>>;

/// Splits at white space. Throws std::invalid_argument for a part without '='.
OptionPairs split_options(std::string_view text);

[[noreturn]] void refuse_option(const std::string& name, const std::string& value,
                                const std::string& wanted);

template <class Field>
void parse_option(const std::string& name, const std::string& value, Field& field) {
  if constexpr (std::is_enum_v<Field>) {
    const auto names = enum_names(Field{});
    std::string known;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == value) {
        field = static_cast<Field>(i);
        return;
      }
      known.append(known.empty() ? "" : ", ").append(names[i]);
    }
    refuse_option(name, value, "one of: " + known);
  } else if constexpr (std::is_same_v<Field, bool>) {
    if (value != "true" && value != "false") refuse_option(name, value, "true or false");
    field = value == "true";
  } else {
    Field parsed{};
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, parsed);
    if (error != std::errc{} || stop != end) {
      refuse_option(name, value, std::is_integral_v<Field> ? "an integer" : "a number");
    }
    field = parsed;
  }
}

/// Sets the field of `options`, or of options inside them, that `name` names ("mel.num_mels").
/// Returns false if there is none.
template <class Options>
bool set_option(Options& options, const std::string& prefix, const std::string& name,
                const std::string& value) {
  bool found = false;
  Options::fields(options, [&](const char* field_name, auto& field, const char*) {
    using Field = std::remove_cvref_t<decltype(field)>;
    const std::string full = prefix + field_name;
    if constexpr (std::is_class_v<Field>) {
      found = found || set_option(field, full + ".", name, value);
    } else if (full == name) {
      parse_option(name, value, field);
      found = true;
    }
  });
  return found;
}

template <class Options>
void set_options(Options& options, const OptionPairs& pairs) {
  for (const auto& [name, value] : pairs) {
    if (!set_option(options, "", name, value)) {
      throw std::invalid_argument("there is no option '" + name + "' for this kernel");
    }
  }
}

}  // namespace edge_ser
