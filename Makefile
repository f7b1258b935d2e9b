# The front door: every target is one line of help, and stays thin. The work is in CMake and tools/.
SHELL := bash
.DEFAULT_GOAL := help

PRESET  ?= dev
JOBS    ?= $(shell nproc)
PREFIX  ?= /usr/local
LABELS  ?= lint|unit|fuzz|integration
TESTS   ?=
T       ?=
SECONDS_EACH ?= 60
VERSION := $(shell sed -n 's/^project.tarn VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)

# One compiler cache for every checkout: paths below this one are seen as relative.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

# Files written by other programs, larger than what tests/golden holds, where they lie beside the tree.
export TARN_SHARED_DATA ?= $(realpath $(wildcard ../shared/data))

.PHONY: help
help: ## this list
	@echo "tarn $(VERSION). make …"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
		printf '  %-11s %s\n' "$$name" "$$text"; done
	@echo "PRESET=dev|release|asan|tsan|clang|shared|fuzz chooses the build of test, and JOBS how much runs at once."

.PHONY: bootstrap
bootstrap: ## install what is needed to build and test (Debian packages, DuckDB)
	@tools/bootstrap

# Configures when a build is new; ninja does it again by itself whenever it has to.
build/%/build.ninja: | bootstrap
	cmake --preset $*

.PHONY: build
build: build/release/build.ninja ## build/tarn, as people run it (optimised)
	cmake --build build/release -j $(JOBS) --target tarn
	@ln -sfn release/tarn build/tarn
	@ln -sfn release/libduckdb.so build/libduckdb.so
	@build/tarn version 2>/dev/null || true

.PHONY: demo
demo: build ## the whole way once: sample data in, tables, SQL out
	@TARN_BIN=$(CURDIR)/build/tarn tools/demo

.PHONY: test
test: build/$(PRESET)/build.ninja ## lint, unit, fuzz and integration tests (LABELS='unit|fuzz' TESTS=regex)
	cmake --build build/$(PRESET) -j $(JOBS)
	@tools/suite ctest test-$(PRESET) build/$(PRESET) -L '^($(LABELS))$$' $(if $(TESTS),-R '$(TESTS)')

.PHONY: lint
lint: build/dev/build.ninja ## the style checks alone: layers, style, headers, format, diagram
	@tools/suite ctest lint build/dev -L '^lint$$'

.PHONY: format
format: ## clang-format over all C files
	git ls-files -z --cached --others --exclude-standard 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs -0 clang-format -i

.PHONY: interop
interop: build ## other programs read and write what tarn wrote, and the other way round (PyIceberg, Spark, Trino, Flink, DuckDB …)
	@tools/bootstrap --interop
	@tools/suite interop interop

.PHONY: bench
bench: build ## measure against DuckDB on the same files
	@TARN_BIN=$(CURDIR)/build/tarn bench/run

.PHONY: fuzz
fuzz: build/fuzz/build.ninja ## look for new inputs that break a parser (T=name SECONDS_EACH=60)
	cmake --build build/fuzz -j $(JOBS)
	@tools/fuzz build/fuzz $(SECONDS_EACH) $(T)

.PHONY: docs
docs: build ## rewrite generated pages: layer diagram, command and settings reference
	@tools/gen-layers
	@TARN_BIN=$(CURDIR)/build/tarn tools/gen-docs

.PHONY: man
man: build ## build/tarn.1, the man page, made from the table of commands
	@build/tarn help --man >build/tarn.1

.PHONY: install
install: man ## install the program, the DuckDB library and the man page (PREFIX, DESTDIR)
	cmake --install build/release --prefix $(PREFIX)
	install -D -m 644 build/tarn.1 $(DESTDIR)$(PREFIX)/share/man/man1/tarn.1

.PHONY: install-iceberg
install-iceberg: build/release/build.ninja ## install the Iceberg library alone (PREFIX, DESTDIR)
	cmake --build build/release -j $(JOBS) --target tarn-iceberg
	cmake --install build/release --prefix $(PREFIX) --component iceberg

.PHONY: dist
dist: ## dist/tarn-VERSION.tar.gz of the last commit
	@mkdir -p dist
	@git rev-parse --short=12 HEAD >dist/.commit
	git archive --prefix=tarn-$(VERSION)/ --add-file=dist/.commit -o dist/tarn-$(VERSION).tar.gz HEAD
	@rm dist/.commit; ls -l dist/tarn-$(VERSION).tar.gz

.PHONY: clean
clean: ## remove everything that was built (not what bootstrap fetched)
	rm -rf build dist
