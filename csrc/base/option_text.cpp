#include "base/option_text.h"

#include <sstream>

namespace edge_ser {

OptionPairs split_options(std::string_view text) {
  OptionPairs pairs;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw std::invalid_argument("option '" + word + "' is not of the form name=value");
    }
    pairs.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return pairs;
}

void refuse_option(const std::string& name, const std::string& value, const std::string& wanted) {
  throw std::invalid_argument("option " + name + " is '" + value + "'; it must be " + wanted);
}

}  // namespace edge_ser
