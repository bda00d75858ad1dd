// Every bindings/x.cpp defines bind_x, which module.cpp calls.
#pragma once

#include <pybind11/pybind11.h>

void bind_aligner(pybind11::module_& m);
void bind_face_crop(pybind11::module_& m);
void bind_log_energy(pybind11::module_& m);
void bind_log_mel(pybind11::module_& m);
void bind_luminance(pybind11::module_& m);
void bind_mfcc(pybind11::module_& m);
void bind_pitch(pybind11::module_& m);
void bind_resampler(pybind11::module_& m);
void bind_simd(pybind11::module_& m);
void bind_square_view(pybind11::module_& m);
void bind_whisper(pybind11::module_& m);
void bind_word_piece(pybind11::module_& m);
