#include "base/json.h"

#include "doctest/doctest.h"

using edge_ser::Json;
using edge_ser::JsonError;

TEST_CASE("a value of every kind is read") {
  const Json read = Json::parse(
      " {\"a\": [1, -2.5e1, true, false, null], \"b\": {\"c\": \"\\u00e9\\ud83d\\ude00\\n\\\"\"},\n"
      "\"a\": [7]} ");
  CHECK(read["a"].array("a")[0].integer("a[0]") == 7);  // of equal names the last
  CHECK(read.object("file")[0].second.array("a")[1].integer("a[1]") == -25);
  CHECK(read.object("file")[0].second.array("a")[2].boolean("a[2]"));
  CHECK(read.object("file")[0].second.array("a")[4].is_null());
  CHECK(read["b"]["c"].string("c") == "\xC3\xA9\xF0\x9F\x98\x80\n\"");
  CHECK(read["nowhere"]["deeper"].is_null());
  CHECK(Json::parse("[]").array("it").empty());
  CHECK(Json::parse("{}").object("it").empty());
}

TEST_CASE("what is no JSON is refused with its place") {
  CHECK_THROWS_WITH_AS(Json::parse("[1 2]"), "not JSON: ']' is missing at byte 3", JsonError);
  CHECK_THROWS_WITH_AS(Json::parse("[1] 2"), "not JSON: something follows the value at byte 4",
                       JsonError);
  for (const char* bad : {"",
                          " ",
                          "[",
                          "[1,",
                          "[1,]",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{a:1}",
                          "\"",
                          "\"\\",
                          "\"\\x\"",
                          "\"\\u12\"",
                          "\"\\u12g4\"",
                          "\"\\ud800\"",
                          "\"\\ud800\\u0041\"",
                          "\"\\udc00\"",
                          "01",
                          "-",
                          "1.",
                          ".5",
                          "1e",
                          "+1",
                          "nan",
                          "tru",
                          "\"\t\"",
                          "\"\xff\"",
                          "1e999",
                          "'a'"}) {
    CHECK_THROWS_AS(Json::parse(bad), JsonError);
  }
  CHECK_THROWS_AS(Json::parse(std::string_view("\"a\0b\"", 5)), JsonError);
  CHECK_THROWS_WITH_AS(Json::parse(std::string(100000, '[')),
                       "not JSON: it is nested too deeply at byte 65", JsonError);
}

TEST_CASE("another kind than was asked for is named") {
  const Json read = Json::parse("{\"n\": 1.5}");
  CHECK_THROWS_WITH_AS(read["n"].integer("n"), "n is no whole number", JsonError);
  CHECK_THROWS_WITH_AS(read["n"].string("n"), "n is no text", JsonError);
  CHECK_THROWS_WITH_AS(read["n"].array("n"), "n is no list", JsonError);
  CHECK_THROWS_WITH_AS(read["m"].object("m"), "m is no object", JsonError);
  CHECK_THROWS_WITH_AS(read["m"].boolean("m"), "m is no truth value", JsonError);
  CHECK_THROWS_WITH_AS(Json::parse("1e300").integer("it"), "it is no whole number", JsonError);
}
