// A tokenizer.json of any bytes, and any text through one that was read.
#include "base/utf8.h"
#include "fuzz/bytes.h"
#include "text/word_piece.h"

namespace {

/// The first bytes say how many belong to the file; a file that is refused is replaced by this one.
edge_ser::TokenizerFile small_file() {
  edge_ser::TokenizerFile file;
  file.normalization = {true, true, true, true};
  file.vocabulary = {{"[UNK]", 0}, {"a", 1}, {"##a", 2}, {"##ab", 3}, {"\xE4\xBD\xA0", 4}};
  file.added = {{"[UNK]", 0}, {"[SEP]", 5}};
  return file;
}

edge_ser::TokenizerFile any_file(std::string_view json) {
  try {
    edge_ser::TokenizerFile file = edge_ser::read_tokenizer(json);
    edge_ser::WordPiece made(file);
    return file;
  } catch (const edge_ser::TokenizerError&) {
  } catch (const edge_ser::Utf8Error&) {
    edge_ser::fuzz::fail("JSON let through what is no UTF-8");
  }
  return small_file();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  edge_ser::fuzz::Bytes bytes(data, size);
  const std::size_t share = bytes.take<std::uint16_t>();
  const std::size_t start = size - bytes.left();
  const std::string_view rest(reinterpret_cast<const char*>(data) + start, bytes.left());
  const edge_ser::WordPiece tokenizer(any_file(rest.substr(0, share)));
  const std::string_view text = share < rest.size() ? rest.substr(share) : std::string_view();
  try {
    const std::size_t points = edge_ser::code_points(text).size();
    for (const auto& piece : tokenizer.pieces(text)) {
      if (piece.start >= points) edge_ser::fuzz::fail("a piece begins behind the text");
    }
  } catch (const edge_ser::Utf8Error&) {
  }
  return 0;
}
