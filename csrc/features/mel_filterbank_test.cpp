#include "features/mel_filterbank.h"

#include <cmath>

#include "doctest/doctest.h"

using edge_ser::MelFilterbank;
using edge_ser::MelNorm;
using edge_ser::MelScale;

TEST_CASE("mel scales invert and have their published values") {
  CHECK(edge_ser::hz_to_mel(1000.0, MelScale::htk) == doctest::Approx(999.9856));
  CHECK(edge_ser::hz_to_mel(1000.0, MelScale::kaldi) == doctest::Approx(999.9911));
  CHECK(edge_ser::hz_to_mel(1000.0, MelScale::slaney) == doctest::Approx(15.0));
  CHECK(edge_ser::hz_to_mel(6400.0, MelScale::slaney) == doctest::Approx(42.0));
  for (const MelScale scale : {MelScale::htk, MelScale::slaney, MelScale::kaldi}) {
    for (const double hz : {0.0, 20.0, 440.0, 999.0, 1001.0, 8000.0}) {
      CHECK(edge_ser::mel_to_hz(edge_ser::hz_to_mel(hz, scale), scale) == doctest::Approx(hz));
    }
  }
}

TEST_CASE("between the first and the last centre the triangles add up to one") {
  for (const MelScale scale : {MelScale::htk, MelScale::slaney, MelScale::kaldi}) {
    const MelFilterbank bank(40, 512, 16000, 0, 8000, scale, MelNorm::none);
    for (std::size_t bin = 4; bin < 230; ++bin) {
      double total = 0;
      for (std::size_t band = 0; band < bank.bands(); ++band) total += bank.weight(band, bin);
      CAPTURE(bin);
      CHECK(total == doctest::Approx(1.0).epsilon(1e-5));
    }
  }
}

TEST_CASE("slaney's norm gives every band the same area") {
  const MelFilterbank bank(20, 4096, 16000, 300, 8000, MelScale::slaney, MelNorm::slaney);
  for (std::size_t band = 0; band < bank.bands(); ++band) {
    double area = 0;
    for (std::size_t bin = 0; bin <= 2048; ++bin) area += bank.weight(band, bin) * 16000 / 4096;
    CHECK(area == doctest::Approx(1.0).epsilon(0.01));
  }
}

TEST_CASE("bands are padded so that whole vectors can be read") {
  const MelFilterbank bank(23, 512, 16000, 20, 8000, MelScale::kaldi, MelNorm::none);
  CHECK(bank.padded_bands() == 24);
  for (std::size_t band = 0; band < bank.padded_bands(); ++band) {
    const auto& matrix = bank.matrix();
    CHECK((matrix.offset[band + 1] - matrix.offset[band]) % 8 == 0);
    const std::size_t end = matrix.start[band] + matrix.offset[band + 1] - matrix.offset[band];
    CHECK(end <= 257 + edge_ser::kSimdSlack);
  }
  CHECK(bank.weight(22, 256) == 0.0f);
}

TEST_CASE("a band that lies between two bins is empty, not wrong") {
  const MelFilterbank bank(128, 64, 16000, 0, 8000, MelScale::htk, MelNorm::none);
  bool any_empty = false;
  for (std::size_t band = 0; band < 128; ++band) {
    const auto& matrix = bank.matrix();
    any_empty = any_empty || matrix.offset[band] == matrix.offset[band + 1];
  }
  CHECK(any_empty);
}
