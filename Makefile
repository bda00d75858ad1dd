# Two commands: `make demo` and `make test`. Both make their own environment and can be run again.
PYTHON ?= python3
# Cores that the C++ builds use.
JOBS ?= 2

DEMO_ENV := .venv-demo
TEST_ENV := .venv
BIN := $(TEST_ENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.in' -o -name 'CMakeLists.txt' \))
CXX_FILES := $(shell find csrc -type f \( -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -not -path '*/third_party/*')

.PHONY: help demo test machine lint typecheck test-cpp test-python clean

help:
	@echo 'make demo   install the runtime, recognise the demo clip, print the decision, write a picture'
	@echo 'make test   lint, types, C++ tests (plain and with sanitizers), Python tests'
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
test: lint typecheck test-cpp test-python

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
	  && ln -sfn ../../../export export && ln -sfn ../../../calibration calibration
	cd build/typing && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p edge_ser

test-cpp: $(TEST_ENV)/.installed
	$(BIN)/cmake -S . -B build/cpp -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja -DCMAKE_BUILD_TYPE=Release
	$(BIN)/cmake --build build/cpp -j $(JOBS)
	$(BIN)/ctest --test-dir build/cpp --output-on-failure
	$(BIN)/cmake -S . -B build/cpp-asan -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(BIN))/ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEDGE_SER_SANITIZE=address,undefined
	$(BIN)/cmake --build build/cpp-asan -j $(JOBS)
	$(BIN)/ctest --test-dir build/cpp-asan --output-on-failure

test-python: $(TEST_ENV)/.installed $(TEST_ENV)/.built
	$(BIN)/python -m pytest

clean:
	rm -rf $(TEST_ENV) $(DEMO_ENV) build dist demo-output
