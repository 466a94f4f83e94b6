# The one front door, for people and for .ci/run alike. `make` or `make help` lists the targets.
# Each target says what it does and installs what it lacks (Debian packages and crates by name, see .ci/need).

SHELL := /bin/sh
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
OUT := $(or $(CARGO_TARGET_DIR),target)

ARGS ?=
BENCH ?= sip
TEST ?=
FUZZ_SECONDS ?= 20
BOARD ?= x86
VERSION ?=
KEY ?=
SEED ?=
DEV ?=

# To build: a C compiler (ring) and OpenSSL's headers (the lab's own TLS, which must not be ours).
BUILD_PACKAGES := gcc libc6-dev pkg-config libssl-dev
# Networks of their own for the tests, and the real peers that tests call and benches compare with.
PEER_PACKAGES := iproute2 strace sip-tester baresip-core kamailio kamailio-tls-modules libsrtp2-dev python3-aiortc
# What an image is made with, and machines to start it in.
IMAGE_PACKAGES := e2fsprogs zstd
MACHINE_PACKAGES := $(IMAGE_PACKAGES) qemu-system-x86 ovmf curl
# What counts instructions and allocations, and the libraries that benches compare with (Intel's is for Intel's processors).
BENCH_PACKAGES := valgrind rtpengine-daemon $(if $(filter x86_64,$(shell uname -m)),libipsec-mb-dev)
NEXTEST := $(shell PATH="$(PATH)" command -v cargo-nextest 2>/dev/null)

.PHONY: help run test test-fast test-slow lint bench check fuzz clean build-needs test-needs appliance image flash soak-power test-arm
.DEFAULT_GOAL := help

help: ## list the targets
	@echo "Postern: a session border controller that joins Microsoft Teams to SIP trunks."; echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo; echo '  ARGS="--once --json"   for run: what to pass to the lab    BENCH=sip    for bench: sip, crypto, relay, history'
	@echo '  TEST=name              for test: only tests so named       FUZZ_SECONDS  for fuzz: per target'
	@echo '  BOARD=x86              for image: a file of board/boards   KEY=FILE      for image: signs (image key FILE)'
	@echo '  VERSION=1.2.0 SEED=DIR for image: release, first settings  DEV=/dev/sdX  for flash'

build-needs:
	@command -v cargo >/dev/null || { echo "need: Rust, by rustup (rust-toolchain.toml names the version)" >&2; exit 1; }
	@.ci/need apt $(BUILD_PACKAGES)

test-needs: build-needs
	@.ci/need apt $(PEER_PACKAGES) $(MACHINE_PACKAGES) chromium
	@.ci/need npm tests/node $(OUT)/node
	@.ci/need pypi tests/python/requirements.txt $(OUT)/python

# Told one test, only that one's needs: `make appliance` before it if it starts machines.
appliance: build-needs ## build the static program that tests start in QEMU
	@echo "appliance: the static program"
	@.ci/static x86 boot >/dev/null

# Nothing but the lab's own words may reach standard output here.
run: build-needs ## start the box and the lab on loopback and place calls (ARGS="--once --json", ARGS="--serve --json")
	@cargo build --quiet --workspace --bin postern --bin lab 1>&2
	@exec .ci/attend $(OUT)/debug/lab $(ARGS)

test: test-needs ## build everything, then run the fast tests, then those with real peers
	@echo "test: building every target once"
	@cargo build --workspace --all-targets
	@$(MAKE) --no-print-directory test-fast
	@$(MAKE) --no-print-directory test-slow
	@$(if $(TEST),true,echo "test: examples in the documentation" && cargo test --workspace --doc --quiet)

# Without nextest the same tests run under cargo test. The two never mix: each has its own way to choose.
ifneq ($(NEXTEST),)
SLOW := package(tests) or package(lab)
NAMED := $(if $(TEST), and test($(TEST)))
NONE := $(if $(TEST),--no-tests=pass)
test-fast: build-needs
	@echo "test: the fast ones (cores in simulated time, arrows, tidy)"
	@cargo nextest run --workspace $(NONE) -E '(not ($(SLOW)) or binary(arrows) or binary(tidy))$(NAMED)'
test-slow: test-needs $(if $(TEST),,appliance)
	@echo "test: the slow ones (end to end, real peers)"
	@cargo nextest run --workspace $(NONE) -E '($(SLOW)) and not (binary(arrows) or binary(tidy))$(NAMED)'
else
test-fast: build-needs
	@echo "test: the fast ones (cores in simulated time, arrows, tidy)"
	@cargo test --workspace --exclude tests --exclude lab --all-targets -- $(TEST)
	@cargo test -p tests --test arrows --test tidy -- $(TEST)
test-slow: test-needs $(if $(TEST),,appliance)
	@echo "test: the slow ones (end to end, real peers), one at a time"
	@cargo test -p tests -p lab --all-targets -- --test-threads=1 $(TEST)
endif

test-arm: test-needs ## build the static program for aarch64 and boot the arm image in QEMU
	@.ci/need apt qemu-system-arm qemu-efi-aarch64
	@.ci/static arm boot >/dev/null
	@cargo build --quiet --workspace --bin postern --bin image
	@cargo test --quiet -p tests --test appliance -- --ignored on_arm

soak-power: test-needs appliance ## pull a box's plug CUTS times (300) at moments by SEED: half a minute each
	@cargo build --quiet --workspace --bin postern --bin image
	@cargo test --quiet -p tests --test appliance -- --ignored --nocapture power_is_cut_at_any_moment

image: build-needs ## build what is flashed, in target/image (BOARD=x86, BOARD=arm)
	@.ci/need apt $(IMAGE_PACKAGES)
	@cargo build --quiet --package image 1>&2
	@program=$$(.ci/static $(if $(findstring arm,$(BOARD)),arm,x86) flash) && \
	    SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(OUT)/debug/image build --board $(BOARD) \
	    --program $$program --out $(OUT)/image $(if $(VERSION),--version $(VERSION)) $(if $(KEY),--key $(KEY)) \
	    $(if $(SEED),--seed $(SEED))

flash: build-needs ## write the last image of BOARD to the disk DEV, after a look whether it is the right one
	@cargo build --quiet --package image 1>&2
	@image=$$(ls -t $(OUT)/image/postern-$(BOARD)-*.img | head -1) && $(OUT)/debug/image flash --image $$image --device $(DEV)

lint: build-needs ## rustfmt, clippy with warnings as errors, licences and sources of dependencies
	@.ci/need cargo cargo-deny
	@echo "lint: rustfmt" && cargo fmt --all --check
	@echo "lint: clippy" && cargo clippy --workspace --all-targets -- -D warnings
	@echo "lint: dependencies" && .ci/lint-dependencies

check: build-needs ## the quick look before a commit: rustfmt, clippy, arrows, tidy
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@cargo test --quiet -p tests --test arrows --test tidy

bench: test-needs ## measure (BENCH=sip); one JSON line a case on standard output
	@.ci/need apt $(BENCH_PACKAGES)
	@cargo build --quiet --release --workspace --bin postern --bin bench 1>&2
	@exec $(OUT)/release/bench $(BENCH)

fuzz: build-needs ## run every fuzz target for FUZZ_SECONDS each
	@.ci/need apt g++
	@.ci/need cargo cargo-fuzz
	@cd tests && for target in $$(cargo fuzz list); do \
	    echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
	    mkdir -p fuzz/corpus/$$target regressions/$$target; \
	    RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target regressions/$$target \
	        -- -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

clean: ## remove what was built
	@cargo clean
	@rm -rf tests/fuzz/target tests/fuzz/artifacts
