# The front door. Meson does the work, in build/; this says what can be asked for, and sees to it that what it takes
# is there (tools/setup, packages.txt). MESON_FLAGS go to Meson: make MESON_FLAGS=-Dwerror=true.

PREFIX ?= /usr/local
DESTDIR ?=
MESON_FLAGS ?=
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS MESON_FLAGS

.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: build run test servers lint bench fuzz asan tsan coverage aarch64 install clean help

# The targets, from the comments beside them.
help:
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

build: ## the library and the program build/weir
	@tools/setup build
	@[ -f build/build.ninja ] || tools/configure tests=false
	@[ -z "$(MESON_FLAGS)" ] || tools/configure
	@ninja -C build --quiet

run: build ## a demonstration, then the server on examples/weir.yaml, until Ctrl-C
	@tools/run

test: ## every test; ends in "N passed, N failed"
	@tools/setup build test
	@tools/clients
	@tools/envoy
	@tools/configure tests=true
	@ninja -C build --quiet
	@rm -f build/meson-logs/testlog*
	@meson test -C build --no-rebuild --print-errorlogs --num-processes $$(($$(nproc) * 2)); tools/count-tests build

servers: ## the tests over Redis against other servers: Redis 6.2 to 8, Redict, Valkey 8 and 9
	@tools/setup build test ci
	@tools/configure tests=true
	@tools/other-servers

lint: ## layout, static analysis, layers, symbols, lengths
	@tools/setup build test lint
	@tools/configure tests=true
	@ninja -C build --quiet
	@tools/lint

bench: ## the measurements of docs/benchmarks.md
	@tools/setup build bench
	@bench/run

fuzz: ## every fuzzer for FUZZ_SECONDS (60)
	@tools/setup build test ci
	@tools/fuzz

asan: ## the tests under the address and undefined-behaviour sanitizers
	@tools/setup build test
	@tools/suite gcc-asan

tsan: ## the tests under the thread sanitizer
	@tools/setup build test
	@tools/suite gcc-tsan

coverage: ## which lines and branches the tests reach
	@tools/setup build test ci
	@tools/coverage

aarch64: ## the tests, compiled for 64-bit ARM, under qemu
	@tools/setup build test ci
	@tools/suite aarch64

install: build ## into DESTDIR, PREFIX (/usr/local)
	@tools/configure prefix="$(PREFIX)"
	@ninja -C build --quiet
	@DESTDIR="$(DESTDIR)" meson install -C build --no-rebuild

clean: ## removes build/
	@rm -rf build
