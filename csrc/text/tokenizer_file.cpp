#include "text/tokenizer_file.h"

#include <algorithm>

#include "base/json.h"

namespace edge_ser {

namespace {

/// The type that a part of the file states; "" for a part that is null.
std::string type_of(const Json& part, std::string_view name) {
  return part.is_null() ? "" : part["type"].string(std::string(name) + ".type");
}

[[noreturn]] void unread(const std::string& part, const std::string& type, const char* known) {
  throw TokenizerError("its " + part + " is " + (type.empty() ? "missing" : type) + ", and " +
                       known + " is read here");
}

BertNormalization normalization_of(const Json& part) {
  const std::string type = type_of(part, "normalizer");
  if (type.empty()) return {};
  if (type != "BertNormalizer") unread("normalizer", type, "BertNormalizer");
  BertNormalization how;
  how.clean_text = part["clean_text"].boolean("normalizer.clean_text");
  how.handle_chinese_chars =
      part["handle_chinese_chars"].boolean("normalizer.handle_chinese_chars");
  how.lowercase = part["lowercase"].boolean("normalizer.lowercase");
  const Json& accents = part["strip_accents"];
  how.strip_accents =
      accents.is_null() ? how.lowercase : accents.boolean("normalizer.strip_accents");
  return how;
}

void read_model(const Json& part, TokenizerFile& file) {
  // Old files state no type.
  const std::string type = part["type"].is_null() ? "WordPiece" : type_of(part, "model");
  if (part.is_null() || type != "WordPiece") unread("model", type_of(part, "model"), "WordPiece");
  file.unknown = part["unk_token"].string("model.unk_token");
  file.continuing_prefix =
      part["continuing_subword_prefix"].string("model.continuing_subword_prefix");
  const std::int64_t most = part["max_input_chars_per_word"].integer("max_input_chars_per_word");
  if (most < 0) throw TokenizerError("model.max_input_chars_per_word is negative");
  file.most_letters = static_cast<std::size_t>(most);
  for (const auto& [piece, id] : part["vocab"].object("model.vocab")) {
    file.vocabulary.emplace_back(piece, id.integer("an id of model.vocab"));
  }
}

/// Ids that the template's own table gives a special token.
const Json& special_ids(const Json& processor, const std::string& name) {
  return processor["special_tokens"][name]["ids"];
}

void read_template(const Json& part, TokenizerFile& file) {
  const std::string type = type_of(part, "post_processor");
  if (type.empty()) return;
  if (type == "BertProcessing") {
    const auto id = [&](const char* name) {
      const Json::Array& pair = part[name].array(name);
      if (pair.size() != 2) throw TokenizerError(std::string(name) + " is no token with its id");
      return pair[1].integer(name);
    };
    file.before = {id("cls")};
    file.behind = {id("sep")};
    return;
  }
  if (type != "TemplateProcessing") unread("post_processor", type, "TemplateProcessing");
  int sequences = 0;
  for (const Json& item : part["single"].array("post_processor.single")) {
    const Json& special = item["SpecialToken"]["id"];
    if (special.is_null()) {
      if (item["Sequence"]["id"].string("a piece of post_processor.single") != "A") {
        throw TokenizerError("its template for one text asks for another text");
      }
      ++sequences;
      continue;
    }
    const Json& ids = special_ids(part, special.string("a special token's name"));
    for (const Json& id : ids.array("ids of a special token")) {
      (sequences == 0 ? file.before : file.behind).push_back(id.integer("a special token's id"));
    }
  }
  if (sequences != 1) throw TokenizerError("its template must hold the text once");
}

void read_added(const Json& part, TokenizerFile& file) {
  if (part.is_null()) return;
  for (const Json& token : part.array("added_tokens")) {
    const std::string& content = token["content"].string("an added token's content");
    for (const char* option : {"single_word", "lstrip", "rstrip", "normalized"}) {
      if (token[option].boolean(std::string("an added token's ") + option)) {
        throw TokenizerError("its added token " + content + " has the option " + option +
                             ", which is not read here");
      }
    }
    if (content.empty()) continue;
    file.added.emplace_back(content, token["id"].integer("an added token's id"));
  }
}

}  // namespace

TokenizerFile read_tokenizer(std::string_view json) {
  try {
    const Json whole = Json::parse(json);
    TokenizerFile file;
    read_model(whole["model"], file);
    file.normalization = normalization_of(whole["normalizer"]);
    const std::string splitter = type_of(whole["pre_tokenizer"], "pre_tokenizer");
    if (splitter != "BertPreTokenizer") unread("pre_tokenizer", splitter, "BertPreTokenizer");
    read_template(whole["post_processor"], file);
    read_added(whole["added_tokens"], file);
    return file;
  } catch (const JsonError& error) {
    throw TokenizerError(error.what());
  }
}

}  // namespace edge_ser
