# Two commands: `make demo` and `make test`. Both make their own environment and can be run again.
# `make fuzz` goes on where `make test` ends.
PYTHON ?= python3
# Cores that the C++ builds use.
JOBS ?= 2
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 60
# Mutated files that it feeds to the parsers before.
FUZZ_RUNS ?= 100000

comma := ,
DEMO_ENV := .venv-demo
TEST_ENV := .venv
BIN := $(TEST_ENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.in' -o -name 'CMakeLists.txt' \))
CXX_FILES := $(shell find csrc -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -not -path '*/third_party/*')

.PHONY: help demo test fuzz fuzz-parsers machine lint typecheck test-cpp tidy test-python clean

help:
	@echo 'make demo   install the runtime, recognise the demo clip, print the decision, write a picture'
	@echo 'make test   lint, types, C++ tests (plain and with sanitizers), Python tests'
	@echo 'make fuzz   run every fuzz target of the kernels for a minute (needs Clang), then the parsers'
	@echo 'make fuzz-parsers   what reads files of strangers alone (needs no Clang)'
	@echo 'make clean  remove environments and build folders'

machine:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "missing: $(PYTHON); install Python 3.10 or newer (Debian or Ubuntu: apt-get install python3 python3-venv)" >&2; exit 2; }
	@$(PYTHON) tools/check_machine.py

# ---- demo: what a user installs, nothing more -----------------------------------------------------
demo: $(DEMO_ENV)/.installed
	$(DEMO_ENV)/bin/edge-ser demo --output demo-output

RUNTIME_FILES := $(shell find edge_ser export calibration -type f -not -name '*.pyc')

$(DEMO_ENV)/.installed: $(SOURCES) $(RUNTIME_FILES) | machine
	test -x $(DEMO_ENV)/bin/python || $(PYTHON) -m venv $(DEMO_ENV)
	$(DEMO_ENV)/bin/python -m pip install --quiet --disable-pip-version-check '.[report]'
	@touch $@

# ---- test -----------------------------------------------------------------------------------------
test: lint typecheck test-cpp tidy test-python
	@echo 'The fuzz targets did not run: `make fuzz` runs them (needs Clang, takes five minutes).'

$(TEST_ENV)/.installed: pyproject.toml tools/test-constraints.txt | machine
	test -x $(BIN)/python || $(PYTHON) -m venv $(TEST_ENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c tools/test-constraints.txt -e '.[dev]'
	@touch $@ $(TEST_ENV)/.built

# Only the compiled kernels must be built again when their sources change.
$(TEST_ENV)/.built: $(SOURCES) | $(TEST_ENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

lint: $(TEST_ENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)

# The folders export/ and calibration/ are installed inside edge_ser; mypy reads them where they will be.
typecheck: $(TEST_ENV)/.installed
	@rm -rf build/typing && mkdir -p build/typing/edge_ser
	@cd build/typing/edge_ser && for part in ../../../edge_ser/*; do ln -sfn $$part .; done \
	  && ln -sfn ../../../export export && ln -sfn ../../../calibration calibration \
	  && ln -sfn ../../recipes ../recipes
	cd build/typing && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p edge_ser -p recipes

# $(call build-cpp,FOLDER,OPTIONS) builds the C++ side of the kernels in build/FOLDER.
define build-cpp
$(BIN)/cmake -S . -B build/$(1) -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja $(2)
$(BIN)/cmake --build build/$(1) -j $(JOBS)
endef

test-cpp: $(TEST_ENV)/.installed
	$(call build-cpp,cpp,-DCMAKE_BUILD_TYPE=Release -DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
	$(BIN)/ctest --test-dir build/cpp --output-on-failure -j $(JOBS)
	$(call build-cpp,cpp-asan,-DCMAKE_BUILD_TYPE=RelWithDebInfo -DEDGE_SER_SANITIZE=address$(comma)undefined)
	$(BIN)/ctest --test-dir build/cpp-asan --output-on-failure -j $(JOBS)
	$(call build-cpp,cpp-tsan,-DCMAKE_BUILD_TYPE=RelWithDebInfo -DEDGE_SER_SANITIZE=thread)
	$(BIN)/ctest --test-dir build/cpp-tsan --output-on-failure -j $(JOBS)

# What the compiler lets through, over the sources of the library (see .clang-tidy).
TIDY_FILES := $(filter-out %_test.cpp csrc/bindings/% csrc/fuzz/% csrc/test_support/% csrc/simd/neon.cpp,$(filter %.cpp,$(CXX_FILES)))
tidy: test-cpp
	printf '%s\n' $(TIDY_FILES) | xargs -P $(JOBS) -n 4 $(BIN)/clang-tidy -p build/cpp --quiet

# ---- fuzz: Clang only, some minutes, so not part of `make test` ------------------------------------
fuzz: $(TEST_ENV)/.installed
	@mkdir -p build && echo 'int LLVMFuzzerTestOneInput(const unsigned char* d, unsigned long n) { return d == 0 && n > 0; }' \
	  | clang -x c -fsanitize=fuzzer,address - -o build/fuzzer-probe 2>/dev/null \
	  && command -v clang++ >/dev/null 2>&1 || { \
	  echo "missing: Clang with libFuzzer (Debian or Ubuntu: apt-get install clang libclang-rt-VERSION-dev, VERSION as in 'clang --version')" >&2; exit 2; }
	$(call build-cpp,fuzz,-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DEDGE_SER_BUILD_TESTS=OFF -DEDGE_SER_BUILD_FUZZERS=ON -DEDGE_SER_SANITIZE=address$(comma)undefined)
	csrc/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) $(JOBS)
	$(MAKE) fuzz-parsers

# What reads strangers' files: mutated ones, then, where atheris has a wheel, a search for new code.
PARSERS := manifest profile engine transcript srt vtt words media
fuzz-parsers: $(TEST_ENV)/.installed $(TEST_ENV)/.built
	$(BIN)/python -m tools.fuzz_parsers --runs $(FUZZ_RUNS) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))
	@if $(BIN)/python -m pip install --quiet --only-binary :all: 'atheris>=3' 2>/dev/null; then \
	  for parser in $(PARSERS); do \
	    $(BIN)/python -m tools.fuzz_parsers --coverage $$parser --seconds $(FUZZ_SECONDS) || exit 1; done; \
	else echo 'atheris has no wheel here: parsers were fed mutated files alone'; fi

test-python: $(TEST_ENV)/.installed $(TEST_ENV)/.built
	$(BIN)/python -m pytest

clean:
	rm -rf $(TEST_ENV) $(DEMO_ENV) build dist demo-output
