#include "base/option_text.h"

#include "doctest/doctest.h"
#include "features/mfcc.h"

using edge_ser::MfccOptions;
using edge_ser::set_options;
using edge_ser::split_options;

TEST_CASE("every kind of option is read, also inside other options") {
  MfccOptions options;
  set_options(options, split_options("  num_ceps=20 mel.num_mels=26\tmel.window=povey "
                                     "energy_as_c0=true lifter=2.5e1 "));
  CHECK(options.num_ceps == 20);
  CHECK(options.mel.num_mels == 26);
  CHECK(options.mel.window == edge_ser::WindowKind::povey);
  CHECK(options.energy_as_c0);
  CHECK(options.lifter == 25.0);
  MfccOptions same;
  set_options(same, split_options(""));
  CHECK(same == MfccOptions{});
}

TEST_CASE("what is not an option is refused with its name") {
  for (const char* text : {"num_ceps", "=3", "ceps=3", "num_ceps=", "num_ceps=3x", "num_ceps=1.5",
                           "num_ceps=99999999999", "lifter=abc", "energy_as_c0=1",
                           "mel.window=square", "mel=3", "num_mels=3"}) {
    CAPTURE(text);
    MfccOptions options;
    CHECK_THROWS_AS(set_options(options, split_options(text)), std::invalid_argument);
  }
  MfccOptions options;
  CHECK_THROWS_WITH_AS(set_options(options, split_options("mel.log=ln")),
                       "option mel.log is 'ln'; it must be one of: natural, log10, db, none",
                       std::invalid_argument);
}
