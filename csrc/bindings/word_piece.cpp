#include "text/word_piece.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <pybind11/numpy.h>

#include "bindings/module.h"

namespace py = pybind11;
using edge_ser::WordPiece;

namespace {

template <class Items, class Value>
py::array_t<std::int64_t> integers(const Items& items, Value value) {
  py::array_t<std::int64_t> result(static_cast<py::ssize_t>(items.size()));
  std::transform(items.begin(), items.end(), result.mutable_data(), value);
  return result;
}

}  // namespace

void bind_word_piece(py::module_& m) {
  py::options signatures;
  signatures.disable_function_signatures();
  const std::string array = "numpy.typing.NDArray[numpy.int64]";
  py::class_<WordPiece>(
      m, "WordPiece",
      "Words to token ids, as Hugging Face's ``tokenizer.json`` of a BERT model says.\n\n"
      "Immutable; may be called from any thread, also at once.")
      .def(py::init([](const py::bytes& json) {
             const std::string_view data = json;
             py::gil_scoped_release release;
             return std::make_unique<WordPiece>(edge_ser::read_tokenizer(data));
           }),
           py::arg("json"),
           "__init__(self, json: bytes) -> None\n\nReads the bytes of a ``tokenizer.json``; its "
           "padding and truncation are left aside.\n\nValueError if they are damaged, or of a kind "
           "that is not read here.")
      .def(
          "pieces",
          [](const WordPiece& self, const std::string& text) {
            std::vector<WordPiece::Piece> pieces;
            {
              py::gil_scoped_release release;
              pieces = self.pieces(text);
            }
            return py::make_tuple(
                integers(pieces, [](const auto& p) { return p.id; }),
                integers(pieces, [](const auto& p) { return static_cast<std::int64_t>(p.start); }));
          },
          py::arg("text"),
          ("pieces(self, text: str) -> tuple[" + array + ", " + array +
           "]\n\nIds ``[n]``, and the index of the character at which each piece begins; without "
           "what the\ntemplate adds.")
              .c_str())
      .def_property_readonly("before",
                             py::cpp_function(
                                 [](const WordPiece& self) {
                                   return integers(self.before(), [](auto id) { return id; });
                                 },
                                 ("(self) -> " + array).c_str()),
                             "Ids that the template puts before the pieces.")
      .def_property_readonly("behind",
                             py::cpp_function(
                                 [](const WordPiece& self) {
                                   return integers(self.behind(), [](auto id) { return id; });
                                 },
                                 ("(self) -> " + array).c_str()),
                             "Ids that the template puts behind the pieces.")
      .def_property_readonly(
          "unknown",
          py::cpp_function([](const WordPiece& self) { return self.unknown(); }, "(self) -> int"),
          "The id of a word that no pieces make up.");
}
