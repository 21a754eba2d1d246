# make demo: see it work · make test: prove it · make check: lint, types, floors · make bench: measure it · make trust: break it
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench trust clean

demo: .venv/.demo
	$(BIN)/outreach demo

test: .venv/.test
	$(BIN)/python -m pytest -n 3 --dist worksteal

check: .venv/.check
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/.test
	$(BIN)/python -m benchmarks

trust: .venv/.test
	$(BIN)/python -m tests.trust --write
	OUTREACH_MAILBOX=50000 $(BIN)/python -m pytest -q tests/bounces/test_bounces_imap.py -k full
	TWENTY_ROUNDS=50 $(BIN)/python -m pytest -q tests/operating/test_operating_crons.py tests/operating/test_operating_twenty.py

clean:
	rm -rf .venv practice

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . && touch $@

.venv/.test: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]' && touch $@ .venv/.demo

.venv/.check: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]' && touch $@ .venv/.test .venv/.demo
