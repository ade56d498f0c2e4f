# What people run. Each target needs a Rust toolchain, and installs what else it needs with apt-get or brew.
# Plain make: no extensions of GNU or BSD.

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## install Postgres server binaries when there are none
	@.ci/setup

demo: setup ## start everything with a simulated Vonage and print where to look
	cargo run -p docket --bin docket -- demo

test: ## run all tests on a throw-away Postgres (installs nginx, PgBouncer and Python, which some tests run)
	@.ci/setup tests
	@.ci/nginx
	.ci/test

lint: fmt-check clippy doc deny sqlx-check plpgsql-check samples-check ## check form, lints, documentation, dependencies, .sqlx, functions and samples

fmt-check:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets --quiet -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

deny:
	.ci/cargo-deny check bans licenses sources

sqlx: setup ## write .sqlx anew after a change of a statement or a migration
	.ci/sqlx-prepare

sqlx-check: setup
	.ci/sqlx-prepare --check

plpgsql-check: setup ## check the database's functions (installs plpgsql_check with apt-get)
	.ci/plpgsql-check

samples-check: ## check the samples of docs/samples (installs hadolint and check-jsonschema, unpacks Caddy)
	.ci/samples-check

browser-test: setup ## run the browser tests (installs chromium and node)
	.ci/browser-test

api-test: setup ## compare the API with its OpenAPI document (installs schemathesis)
	.ci/api-test

bench: setup ## measure every number of the write path; ARGS="--quick" and others: docs/performance.md (takes minutes)
	cargo build --release --workspace --bins
	cargo run --release -p docket-tests --bin bench -- $(ARGS)

bench-replay: setup ## measure replay and rebuild alone, beside COPY of the same rows
	cargo run --release -p docket-tests --bin bench-replay

bench-pages: setup ## measure the console's pages with 100,000 cases and 1,000,000 messages (takes minutes)
	cargo build --release --bin docket
	cargo run --release -p docket-tests --bin bench-pages

prove-model: setup ## compare the service with a model of its rules (CASES=1000 runs of STEPS=60)
	.ci/prove model

prove-crash: setup ## kill, freeze and cut off processes under load (PROOF_MINUTES=30)
	.ci/prove crash

prove-growth: setup ## measure MESSAGES=1000000 in 900 cases and one case of LONG=100000 (takes an hour)
	.ci/prove growth

audit: ## check dependencies against the advisory database too (needs the network)
	.ci/cargo-deny check

clean: ## remove what was built
	cargo clean

.PHONY: help setup demo test lint fmt-check clippy doc deny sqlx sqlx-check plpgsql-check samples-check browser-test api-test bench bench-replay bench-pages prove-model prove-crash prove-growth audit clean
