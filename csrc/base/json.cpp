#include "base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/utf8.h"

namespace edge_ser {

namespace {

// Deeper than any file of ours; a file must not exhaust the stack.
constexpr int kDeepest = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json whole() {
    Json result = value(0);
    skip_blanks();
    if (at_ != text_.size()) fail("something follows the value");
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw JsonError("not JSON: " + what + " at byte " + std::to_string(at_));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() &&
           std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
  }
  bool take(char wanted) {
    skip_blanks();
    if (peek() != wanted || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  void need(char wanted) {
    if (!take(wanted)) fail(std::string("'") + wanted + "' is missing");
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json value(int depth) {
    if (depth > kDeepest) fail("it is nested too deeply");
    skip_blanks();
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return Json(string());
      default:
        break;
    }
    if (take_word("true")) return Json(true);
    if (take_word("false")) return Json(false);
    if (take_word("null")) return Json();
    return number();
  }

  Json object(int depth) {
    Json::Object members;
    need('{');
    if (take('}')) return Json(std::move(members));
    do {
      skip_blanks();
      std::string name = string();
      need(':');
      members.emplace_back(std::move(name), value(depth + 1));
    } while (take(','));
    need('}');
    return Json(std::move(members));
  }

  Json array(int depth) {
    Json::Array items;
    need('[');
    if (take(']')) return Json(std::move(items));
    do {
      items.push_back(value(depth + 1));
    } while (take(','));
    need(']');
    return Json(std::move(items));
  }

  std::string string() {
    if (peek() != '"') fail("a text is missing");
    ++at_;
    std::string result;
    while (peek() != '"') {
      if (static_cast<unsigned char>(peek()) < 0x20) fail("a text does not end");
      if (peek() == '\\') {
        ++at_;
        append_utf8(escaped(), result);
        continue;
      }
      const std::size_t start = at_;
      next_code_point(text_, at_);
      result.append(text_.substr(start, at_ - start));
    }
    ++at_;
    return result;
  }

  char32_t escaped() {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const char name = peek();
    if (name == 'u') {
      ++at_;
      const char32_t first = four_digits();
      if (first < 0xD800 || first >= 0xE000) return first;
      if (first >= 0xDC00 || !take_word("\\u")) fail("half a character is escaped");
      const char32_t second = four_digits();
      if (second < 0xDC00 || second >= 0xE000) fail("half a character is escaped");
      return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    }
    const std::size_t place = kNames.find(name);
    if (at_ == text_.size() || place == std::string_view::npos) fail("an unknown escape");
    ++at_;
    return static_cast<unsigned char>(kMeanings[place]);
  }

  char32_t four_digits() {
    std::uint32_t value = 0;
    const char* start = text_.data() + at_;
    const bool enough = text_.size() - at_ >= 4;
    const auto read = std::from_chars(start, start + (enough ? 4 : 0), value, 16);
    if (!enough || read.ptr != start + 4) fail("an escape needs four digits");
    at_ += 4;
    return value;
  }

  Json number() {
    const std::size_t start = at_;
    const auto digits = [&] {
      const std::size_t first = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      return at_ - first;
    };
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t whole = digits();
    bool good = whole > 0 && !(zero && whole > 1);
    if (good && peek() == '.') {
      ++at_;
      good = digits() > 0;
    }
    if (good && (peek() == 'e' || peek() == 'E')) {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      good = digits() > 0;
    }
    double value = 0;
    const auto read = std::from_chars(text_.data() + start, text_.data() + at_, value);
    if (!good || read.ec != std::errc()) {
      at_ = start;
      fail("a value is missing");
    }
    return Json(value);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <class Kind, class Variant>
const Kind& wanted(const Variant& value, std::string_view what, const char* kind) {
  if (const Kind* found = std::get_if<Kind>(&value)) return *found;
  throw JsonError(std::string(what) + " is no " + kind);
}

}  // namespace

Json Json::parse(std::string_view text) {
  try {
    return Parser(text).whole();
  } catch (const Utf8Error& error) {
    throw JsonError(std::string("not JSON: ") + error.what());
  }
}

bool Json::boolean(std::string_view what) const {
  return wanted<bool>(value_, what, "truth value");
}

std::int64_t Json::integer(std::string_view what) const {
  const double value = wanted<double>(value_, what, "number");
  if (!(std::abs(value) <= 9007199254740992.0) || value != std::floor(value)) {
    throw JsonError(std::string(what) + " is no whole number");
  }
  return static_cast<std::int64_t>(value);
}

const std::string& Json::string(std::string_view what) const {
  return wanted<std::string>(value_, what, "text");
}

const Json::Array& Json::array(std::string_view what) const {
  return wanted<Array>(value_, what, "list");
}

const Json::Object& Json::object(std::string_view what) const {
  return wanted<Object>(value_, what, "object");
}

const Json& Json::operator[](std::string_view name) const {
  static const Json missing;
  const Object* members = std::get_if<Object>(&value_);
  if (members == nullptr) return missing;
  const auto last = std::find_if(members->rbegin(), members->rend(),
                                 [&](const auto& member) { return member.first == name; });
  return last == members->rend() ? missing : last->second;
}

}  // namespace edge_ser
